"""Fitting a member: what trains, what stays, what each option changes, the same bits twice."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from sabi.backbones.building import build
from sabi.backbones.calibration import calibration_batch
from sabi.backbones.embedder import Embedder
from sabi.backbones.spec import BackboneSpec
from sabi.networks import NETWORKS, Application
from sabi.runtime.errors import InputError
from sabi.settings.loading import load
from sabi.settings.params import Params
from sabi.training.checkpoint import Checkpoint
from sabi.training.frozen import fit_head, head_spec
from sabi.training.network import fit_network, start_head, unfreeze
from sabi.training.parts import Part, features
from tests.conftest import ROOT

pytestmark = pytest.mark.slow
SIDE = 32
SKIPPED = 4  # so that not every grade has as many
STATES = np.linspace(0.7, 5.3, 30)[SKIPPED:]


@pytest.fixture(scope="module", autouse=True)
def small_mobilenet():
    """`mobilenet` is its small relative here, which trains in half the time."""
    entry = NETWORKS["mobilenet"]
    assert isinstance(entry, Application)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(NETWORKS, "mobilenet", replace(entry, architecture="MobileNetV3Small"))
        yield


def settings(**train) -> Params:
    """The shipped parameters, small and quick, with changes to `train`."""
    values = load(ROOT / "params.yaml").model_dump()
    values["augment"]["size"] = SIDE
    values["train"] |= {"epochs": 3, "batch_size": 8, "embed_batch": 8, "threads": 2}
    values["train"]["dense"]["units"] = [16]
    values["train"]["ridge"]["folds"] = 3
    values["train"]["fine_tune"] = {"layers": 12, "first": {}, "learning_rate": 0.001, "epochs": 2}
    for name, value in train.items():
        old = values["train"][name]
        values["train"][name] = old | value if isinstance(value, dict) else value
    return Params.model_validate(values)


def part(seed: int, copies: int, measured: bool) -> Part:
    grades = np.clip(np.round(STATES), 1, 5).astype(int)
    pixels = np.stack([calibration_batch(SIDE, 30, seed + v)[SKIPPED:] for v in range(1 + copies)])
    rows = pd.DataFrame({"grade": grades, "specimen": [str(i // 2) for i in range(len(grades))]})
    known = np.stack([STATES, -STATES], axis=1) if measured else np.zeros((len(grades), 0))
    scores = np.tile(grades.astype(float), (1 + copies, 1))
    return Part(rows, pixels, scores, known.astype(np.float32))


def backbone(name: str, chosen: Params) -> BackboneSpec:
    return BackboneSpec.of(name, chosen.train, SIDE)


def unstored(spec: BackboneSpec) -> Embedder:
    """ "scratch" keeps it out of the repository's store."""
    return Embedder(spec.model_copy(update={"mode": "scratch"}))


@cache
def frozen_mobilenet() -> Embedder:
    """Built once."""
    return unstored(backbone("mobilenet", settings()))


def fitted(name: str, chosen: Params, folder, measured: bool = False):
    """(scores of validation, curve, head's weights, network, head's spec) of a member fitted on drawings."""
    parts = {"train": part(0, 1, measured), "validation": part(50, 0, measured)}
    spec = backbone(name, chosen)
    embed = frozen_mobilenet() if spec.mode == "frozen" else unstored(spec)
    if spec.mode != "frozen":
        unfreeze(embed.network, spec, chosen)

    def log(step, values):
        assert np.isfinite(list(values.values())).all()

    if spec.mode == "scratch":
        head = start_head(embed, parts["train"], name, chosen)
    else:
        rows = {part: features(embed, parts[part], part) for part in parts}
        described = head_spec(name, rows["train"].shape[1], chosen)
        result = fit_head(parts, rows, embed.channels, described, chosen, log)
        head = result.head
    if spec.mode != "frozen":
        trained = Embedder(spec, embed.network)
        result = fit_network(trained, head, parts, chosen, Checkpoint(folder / "checkpoint"), log)
        embed = Embedder(spec, embed.network)
    head = result.head
    scores = head.predict(features(embed, parts["validation"], "validation"))
    return scores, result.curve, [w.tobytes() for w in head.weights.values()], embed.network, head.spec


DENSE = {"head": "dense"}
OPTIONS = {
    "the wiki's head": (DENSE, {"dense": {"dropout": 0.2}}),
    "sigmoid": (DENSE, {"output": "sigmoid"}),
    "coral": (DENSE, {"output": "coral"}),
    "corn": (DENSE, {"output": "corn"}),
    "mse": (DENSE, {"loss": {"name": "mse"}}),
    "strong": (DENSE, {"loss": {"name": "strong"}}),
    "asymmetry": (DENSE, {"loss": {"asymmetry": 3.0}}),
    "balanced": (DENSE, {"class_weights": "balanced"}),
    "adamw": (DENSE, {"optimizer": "adamw"}),
    "sgd": (DENSE, {"optimizer": "sgd"}),
    "rmsprop": (DENSE, {"optimizer": "rmsprop"}),
    "cosine": (DENSE, {"schedule": "cosine"}),
    "plateau": (DENSE | {"learning_rate": 0.1, "epochs": 8, "patience": 2}, {"schedule": "plateau"}),
    "learning rate": (DENSE, {"learning_rate": 0.01}),
    "batch": (DENSE, {"batch_size": 16}),
    "seed": (DENSE, {"seed": 5}),
    "balanced ridge": ({}, {"class_weights": "balanced"}),
    "ridge with corn": ({}, {"output": "corn"}),
}


@cache
def plain_curve(**base):
    return fitted("mobilenet", settings(**base), None)[1]


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_changes_the_head_and_repeats_its_bits(option, tmp_path):
    base, change = OPTIONS[option]
    changed, again = (fitted("mobilenet", settings(**base | change), tmp_path) for _ in range(2))
    assert changed[2] == again[2] and changed[0].tobytes() == again[0].tobytes()
    assert not changed[1].equals(plain_curve(**base))  # the curve, since the best epoch may be none
    assert changed[0].min() >= 1 and changed[0].max() <= 5


def test_measured_features_join_the_embedding(tmp_path):
    """They tell the state here, so the error falls."""
    without, with_them = (
        fitted("mobilenet", settings(), tmp_path / str(measured), measured) for measured in (False, True)
    )
    assert with_them[4].features == without[4].features + 2
    assert min(with_them[1].validation_mae) < min(without[1].validation_mae)


def weights_of(network) -> dict[int, list[bytes]]:
    """By place, since Keras numbers the names of layers through all networks of the process."""
    layers = enumerate(network.layers)
    return {place: [w.tobytes() for w in layer.get_weights()] for place, layer in layers if layer.weights}


@pytest.mark.parametrize("head", ["ridge", "dense"])
def test_fine_tuning_trains_only_the_last_layers_and_starts_from_the_frozen_head(head, tmp_path):
    chosen = settings(head=head)
    start = weights_of(frozen_mobilenet().network)
    few = {"epochs": 4, "learning_rate": 1e-5}  # the dense head betters itself in the fourth
    tuned = settings(head=head, mode="fine_tune", fine_tune=few)
    _, curve, _, network, _ = fitted("mobilenet", tuned, tmp_path / "a")
    changed = {place for place, weights in weights_of(network).items() if weights != start[place]}
    assert changed <= set(range(len(network.layers) - 12, len(network.layers)))
    assert not [place for place in changed if "Normalization" in type(network.layers[place]).__name__]
    assert bool(changed) == (curve.validation_loss.argmin() > 0)
    assert changed or head == "ridge"  # whose start is hard to better
    # Row 0 is the frozen head's own validation error.
    frozen = fitted("mobilenet", chosen, tmp_path / "b")[0]
    grades = part(50, 0, False).rows.grade
    assert curve.validation_mae[0] == pytest.approx(np.abs(frozen - grades).mean(), abs=1e-4)


def test_fine_tuning_from_a_named_layer():
    network = build("mobilenet", SIDE, "random", seed=0)

    def trained(layers=20, **first):
        chosen = settings(mode="fine_tune", fine_tune={"layers": layers, "first": first})
        unfreeze(network, backbone("mobilenet", chosen), chosen)
        return [layer.name for layer in network.layers if layer.trainable_variables]

    name = "expanded_conv_10_project"
    assert trained(mobilenet=name)[0] == name
    assert trained(vgg16="block5_conv1") == trained()  # another network's
    everything = trained(10_000)
    assert trained(12) == everything[-len(trained(12)) :] and len(trained(12)) < len(everything)
    with pytest.raises(InputError, match=r"first.mobilenet = 'block9': mobilenet has no such layer"):
        trained(mobilenet="block9")
    with pytest.raises(InputError, match="use more layers"):
        trained(1)


@pytest.mark.parametrize(("name", "head"), [("cnn3", "ridge"), ("deepcnn1", "dense"), ("mobilenet", "dense")])
def test_training_from_scratch_trains_every_layer_and_repeats_its_bits(name, head, tmp_path):
    """Own networks are, whatever `train.mode` and `train.head` say."""
    chosen = settings(
        head=head, mode="scratch" if name == "mobilenet" else "frozen", class_weights="balanced"
    )
    start = weights_of(Embedder(backbone(name, chosen)).network)
    scores, curve, _, network, described = fitted(name, chosen, tmp_path / "a")
    assert (described.units == []) == (name != "mobilenet")
    best = int(curve.validation_loss.argmin())
    same = {layer for layer, weights in weights_of(network).items() if weights == start[layer]}
    assert same == (set(start) if best == 0 else set())
    assert curve.train_loss.iloc[-1] < 100 * curve.train_loss[0]  # no explosion beyond the first steps
    if name != "mobilenet":  # takes long
        again = fitted(name, chosen, tmp_path / "b")
        assert again[0].tobytes() == scores.tobytes() and again[1].equals(curve)


def test_augmentation_alters_every_epoch_of_training_from_scratch(tmp_path):
    chosen = settings(epochs=2)
    still = chosen.model_dump()
    for transform in still["augment"].values():
        if isinstance(transform, dict):
            transform["probability"] = 0.0
    curves = [
        fitted("cnn1", c, tmp_path / str(i))[1] for i, c in enumerate([chosen, Params.model_validate(still)])
    ]
    assert curves[0].train_loss[0] == curves[1].train_loss[0]  # epoch 0 measures the photographs as they are
    assert curves[0].train_loss[1] != curves[1].train_loss[1]
