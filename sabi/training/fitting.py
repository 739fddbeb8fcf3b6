"""How a member is fitted: a head on frozen embeddings, then, if wanted, head and backbone together."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sabi.backbones import embedder as backbones
from sabi.models import head as heads
from sabi.networks import NETWORKS, Own
from sabi.photographs.augmentation import augmented
from sabi.runtime.determinism import seed_tensorflow
from sabi.runtime.errors import InputError
from sabi.settings.params import Params
from sabi.training import loop as training
from sabi.training.checkpoint import Checkpoint

Log = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class Part:
    """A partition: its photographs and their stored copies, one version after the other."""

    rows: pd.DataFrame  # of the manifest
    pixels: np.ndarray  # (versions, n, size, size, 3) uint8
    scores: np.ndarray  # (versions, n) what each version is trained on; elsewhere the grade
    measured: np.ndarray  # (n, features) float32; no features unless train.measured


def features(embed: backbones.Embedder, part: Part, label: str, versions: int | None = None) -> np.ndarray:
    """Embeddings and measured features (versions * n, features) float32 of the first `versions`, or all."""
    pixels = part.pixels[:versions]
    embeddings = embed(pixels.reshape(-1, *pixels.shape[2:]), label)
    if not part.measured.shape[1]:
        return embeddings  # not a copy: it may be large
    return np.hstack([embeddings, np.tile(part.measured, (len(pixels), 1))])


def fit_head(
    parts: dict[str, Part],
    rows: dict[str, np.ndarray],
    channels: list[int],
    name: str,
    params: Params,
    log: Log,
) -> tuple[heads.Weights, dict[str, Any], pd.DataFrame, int]:
    """The head of the frozen network `name`: weights and description; its curve and the curve's best row.

    `rows` are the `features` of "train", all versions, and "validation",
    `channels` the embedder's.
    """
    train, here, there = parts["train"], rows["train"], rows["validation"]
    scores, truth = train.scores.reshape(-1), parts["validation"].scores[0]
    versions = len(train.scores)
    weights = heads.photograph_weights(np.tile(train.rows.grade, versions), params.train.class_weights)
    described = _described(name, here.shape[1], params)
    if params.train.head == "ridge":
        specimens = np.tile(train.rows.specimen, versions)
        # What mixup has changed is of two specimens.
        pure = (train.scores == train.scores[0]).reshape(-1)
        grades = described["grades"]
        ridge = heads.fit_ridge(
            here, scores, weights, specimens, pure, (there, truth), channels, grades, params.train, log
        )
        return ridge[0], described, *ridge[1:]

    mean, variance = heads.moments(here, channels, params.train.pooling.balance)
    head = _untrained_head(mean, variance, scores, described, params)
    curve, best = training.fit(
        head,
        training.Examples(lambda chosen, epoch: (here[chosen], scores[chosen]), weights),
        training.Examples(lambda chosen, epoch: (there[chosen], truth[chosen]), np.ones(len(there))),
        epochs=params.train.epochs,
        learning_rate=params.train.learning_rate,
        log=log,
        **_judged(described, params),
    )
    return heads.weights_of(head), described, curve, best


def start_head(
    embed: backbones.Embedder, train: Part, name: str, params: Params
) -> tuple[heads.Weights, dict[str, Any]]:
    """The untrained head, weights and description, of the network `name` that is trained from scratch.

    The network's features pass as they are, since they say nothing of the
    trained one's; the measured ones are standardised.
    """
    own = embed.features
    mean, variance = heads.mean_and_variance(train.measured)
    mean, variance = np.concatenate([np.zeros(own), mean]), np.concatenate([np.ones(own), variance])
    described = _described(name, len(mean), params)
    head = _untrained_head(mean, variance, train.scores[0], described, params)
    return heads.weights_of(head), described


def _described(name: str, features: int, params: Params) -> dict[str, Any]:
    hidden = not isinstance(NETWORKS[name], Own)  # own networks end in dense layers of theirs
    return heads.describe(features, len(params.grades.names), params.train, hidden)


def _untrained_head(
    mean: np.ndarray, variance: np.ndarray, scores: np.ndarray, description: dict[str, Any], params: Params
) -> Any:
    """A Keras head at its start: standardising by `mean` and `variance`, giving the mean of `scores` (n,)."""
    seed_tensorflow(params.train.seed)
    head = heads.build(description)
    heads.standardise(head, mean, variance)
    heads.start_from(head, scores, description)
    return head


def _judged(head: dict[str, Any], params: Params) -> dict[str, Any]:
    """What `training.fit` needs to know of losses and settings."""
    from keras import ops

    def mae(true: Any, outputs: Any) -> Any:
        return ops.abs(heads.to_score(outputs, head, ops) - true[:, 0])

    loss = heads.loss(params.train.loss, head, params.grades.worst_sound)
    return {"loss": loss, "mae": mae, "params": params.train}


def fit_network(
    network: Any,
    head: heads.Weights,
    described: dict[str, Any],
    parts: dict[str, Part],
    description: dict[str, Any],
    params: Params,
    checkpoint: Checkpoint,
    log: Log,
) -> tuple[heads.Weights, pd.DataFrame, int]:
    """Train `network` and `head` together: the head's weights, the curve, its best row; `network` is at it.

    `network` is prepared by `unfreeze`; `head` and `described` are of `fit_head`
    or `start_head`, `description` is the member's. Every epoch alters each
    training photograph anew.
    """
    import keras

    tuned = description["mode"] == "fine_tune"
    pooled, _ = backbones.pooled(network, params.train.pooling)
    measured = keras.Input((parts["train"].measured.shape[1],))
    joined = keras.layers.Concatenate()([pooled.output, measured])
    trained = heads.build(described, head)
    model = keras.Model([pooled.input, measured], trained(joined))
    curve, best = training.fit(
        model,
        _photographs(parts["train"], description["network"], params, altered=True),
        _photographs(parts["validation"], description["network"], params, altered=False),
        epochs=params.train.fine_tune.epochs if tuned else params.train.epochs,
        learning_rate=params.train.fine_tune.learning_rate if tuned else params.train.learning_rate,
        checkpoint=checkpoint,
        log=log,
        **_judged(described, params),
    )
    return heads.weights_of(trained), curve, best


def unfreeze(network: Any, description: dict[str, Any], params: Params) -> None:
    """Say which layers of `network` train.

    Mode "scratch": all. "fine_tune": the last, from the one that
    `params.train.fine_tune.first` names, or by number; batch normalisation stays
    as it is. Raises `InputError` for a layer that the network does not have.
    """
    import keras

    if description["mode"] == "scratch":
        for layer in network.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                # A few hundred photographs are few steps; Keras's 0.99 needs hundreds.
                layer.momentum = 0.9
        return
    name, layers = description["network"], params.train.fine_tune.layers
    names = [layer.name for layer in network.layers]
    named = params.train.fine_tune.first.get(name)
    if named and named not in names:
        convolutions = [layer.name for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
        raise InputError(
            f"train.fine_tune.first.{name} = {named!r}: {name} has no such layer; its last convolutions "
            f"are {', '.join(convolutions[-5:])}"
        )
    first = names.index(named) if named else max(len(names) - layers, 0)
    for place, layer in enumerate(network.layers):
        layer.trainable = place >= first and not isinstance(layer, keras.layers.BatchNormalization)
    if not network.trainable_variables:
        raise InputError(
            f"train.fine_tune.layers = {layers}: nothing there can be trained in {name}; use more layers"
        )


def _photographs(part: Part, name: str, params: Params, *, altered: bool) -> training.Examples:
    """The photographs of a partition for training its network, `altered` anew each epoch or as they are."""
    pixels, scores = part.pixels[0], part.scores[0]

    def batch(rows: np.ndarray, epoch: int) -> tuple[Any, np.ndarray]:
        chosen, aim = pixels[rows], scores[rows]
        if altered and epoch > 0:
            chosen, aim = augmented(pixels, scores, rows, epoch, params.augment)
        return (backbones.preprocess(name, chosen), part.measured[rows]), aim

    kind = params.train.class_weights if altered else "equal"
    return training.Examples(batch, heads.photograph_weights(part.rows.grade.to_numpy(), kind))
