"""Frozen networks: the same bits for any company, order and batch; weights from where they are said to be."""

import dataclasses
import io
import re
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from sabi.backbones.building import build, preprocess
from sabi.backbones.calibration import calibration_batch
from sabi.backbones.embedder import CODE, FORWARD, Embedder
from sabi.backbones.pooling import pooled
from sabi.backbones.spec import BackboneSpec
from sabi.backbones.weights import weights_file
from sabi.networks import NETWORKS, Application, Own
from sabi.runtime.errors import InputError
from sabi.runtime.fingerprint import fingerprint
from sabi.settings.loading import load
from sabi.settings.params import Params
from sabi.settings.train import Pooling
from tests.conftest import ROOT

NAME, SIZE, BATCH = "mobilenet", 32, 4  # the fastest
ALL = Pooling(layers="every_resolution", statistics="mean_std", flips=1, balance=0.5)
pytestmark = pytest.mark.slow


def spec_of(name: str = NAME, **changes) -> BackboneSpec:
    """The shipped parameters' backbone, small."""
    spec = BackboneSpec.of(name, load(ROOT / "params.yaml").train, SIZE)
    return spec.model_copy(update=changes)


def embedder(network, pooling, batch, name=NAME):
    """Of a given network: nothing is stored."""
    changes = {"size": network.input_shape[1], "pooling": pooling, "embed_batch": batch}
    return Embedder(spec_of(name, **changes), network)


@pytest.fixture(scope="module")
def network():
    return build(NAME, SIZE, "random", seed=3)


@pytest.fixture(scope="module")
def embed(network):
    return embedder(network, ALL, BATCH)


@pytest.fixture(scope="module")
def pixels():
    return calibration_batch(SIZE, 9, seed=1)


def test_the_company_of_a_photograph_changes_no_bit(embed, pixels):
    together = embed(pixels)
    order = np.random.default_rng(0).permutation(len(pixels))
    assert embed(pixels[order]).tobytes() == together[order].tobytes()
    assert embed(pixels[8:]).tobytes() == together[8:].tobytes()  # alone in its batch


@pytest.mark.parametrize("name", [name for name, network in NETWORKS.items() if isinstance(network, Own)])
def test_the_place_in_a_batch_changes_no_bit_of_our_own_networks(name, pixels):
    embed = Embedder(spec_of(name))
    alone = [embed(pixels[row : row + 1]) for row in range(len(pixels))]
    assert embed(pixels).tobytes() == np.concatenate(alone).tobytes()
    assert embed(np.repeat(pixels[:1], 9, axis=0)).tobytes() == np.repeat(alone[0], 9, axis=0).tobytes()


@pytest.mark.parametrize("flips", [2, 4])
def test_a_flipped_photograph_has_the_same_features_up_to_rounding(network, embed, pixels, flips):
    averaged = embedder(network, ALL.model_copy(update={"flips": flips}), BATCH)
    features = averaged(pixels)
    assert features == pytest.approx(averaged(pixels[:, :, ::-1]), rel=1e-4, abs=1e-4)
    assert (features == pytest.approx(averaged(pixels[:, ::-1]), rel=1e-4, abs=1e-4)) == (flips == 4)
    assert np.abs(features - embed(pixels)).max() > 1e-3
    assert averaged.needed == 3 * flips * len(pixels)


def test_flips_are_kept_like_any_embedding_and_those_of_fewer_are_found_again(tmp_path, pixels):
    once = Embedder(spec_of(), store=tmp_path / "store.db")
    alone = once(pixels)
    four = spec_of(pooling=spec_of().pooling.model_copy(update={"flips": 4}))
    more = Embedder(four, store=tmp_path / "store.db")
    cold = more(pixels)
    assert (more.needed, more.reused) == (4 * len(pixels), len(pixels))
    warm = Embedder(four, store=tmp_path / "store.db")
    assert warm(pixels).tobytes() == cold.tobytes() and warm.reused == warm.needed
    assert Embedder(spec_of(), store=tmp_path / "store.db")(pixels).tobytes() == alone.tobytes()


def test_batches_of_another_size_change_no_bit(network, embed, pixels):
    other = embedder(network, ALL, 2 * BATCH)
    assert other(pixels).tobytes() == embed(pixels).tobytes()


@pytest.mark.parametrize(
    ("layers", "statistics", "maps", "each"),
    [
        ("last_block", "mean", 1, 1),
        ("last_block", "mean_std", 1, 2),
        ("every_resolution", "mean", 5, 1),
        ("every_resolution", "mean_std", 5, 2),
    ],
)
def test_pooling_takes_the_maps_it_says(network, pixels, layers, statistics, maps, each):
    embed = embedder(network, Pooling(layers=layers, statistics=statistics, flips=1, balance=0), BATCH)
    assert len(embed.channels) == maps
    assert embed(pixels).shape == (len(pixels), each * sum(embed.channels))


@pytest.mark.parametrize("name", ["efficientnet", "densenet", "mobilenet"])
def test_five_resolutions_are_pooled_and_nothing_between(name):
    """No padded map, no gate of a squeeze-and-excitation block."""
    import keras

    constructor = getattr(keras.applications, NETWORKS[name].architecture)
    network = constructor(include_top=False, weights=None, input_shape=(128, 128, 3))
    model, channels = pooled(network, ALL)
    maps = [layer.output for layer in network.layers if len(layer.output.shape) == 4]
    last = [[tensor for tensor in maps if tensor.shape[1] == side][-1] for side in (64, 32, 16, 8, 4)]
    assert channels == [tensor.shape[-1] for tensor in last]
    assert model.output.shape[-1] == 2 * sum(channels)


def test_random_weights_tell_photographs_apart_to_the_last_block(network, pixels):
    """Without calibration MobileNetV3's last block is 1e-11 everywhere (facts of the founding)."""
    last = Pooling(layers="last_block", statistics="mean", flips=1, balance=0)
    embeddings = embedder(network, last, BATCH)(pixels)
    assert np.isfinite(embeddings).all()
    assert np.median(embeddings.std(axis=0)) > 1e-3


def test_random_weights_are_decided_by_the_seed_alone(embed, pixels):
    def embeddings(seed):
        return embedder(build(NAME, SIZE, "random", seed), ALL, BATCH)(pixels)

    assert embeddings(3).tobytes() == embed(pixels).tobytes()
    assert embeddings(4).tobytes() != embed(pixels).tobytes()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A repository's root with a folder for weights."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    (tmp_path / "weights").mkdir()
    return tmp_path / "weights"


def test_own_weights_are_those_of_the_file(folder, network, embed, pixels):
    network.save_weights(folder / "mobilenet.weights.h5")
    again = build(NAME, SIZE, "weights", seed=99)
    assert embedder(again, ALL, BATCH)(pixels).tobytes() == embed(pixels).tobytes()


KERAS = [name for name, network in NETWORKS.items() if isinstance(network, Application)]


@pytest.mark.parametrize("name", KERAS)
def test_a_damaged_file_with_keras_own_name_is_refused(folder, name):
    (folder / NETWORKS[name].no_top).write_bytes(b"half a download")
    with pytest.raises(InputError, match=r"damaged .* fetch it again") as error:
        build(name, 96, "weights", seed=0)
    assert f"weights/{NETWORKS[name].no_top}" in str(error.value)


@pytest.mark.parametrize("name", KERAS)
def test_a_folder_without_the_networks_weights_is_refused(folder, name):
    with pytest.raises(InputError, match=f"no weights for {name}; put Keras's {NETWORKS[name].no_top}"):
        weights_file(name, "weights")


def test_a_file_that_holds_no_such_weights_is_refused(folder):
    (folder / "mobilenet.weights.h5").write_bytes(b"no weights")
    with pytest.raises(InputError, match="could not be loaded") as error:
        build(NAME, SIZE, "weights", seed=0)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", KERAS)
def test_the_registry_says_what_keras_says(name):
    """Hashes and smallest sides are copied from Keras; a new Keras must not differ unnoticed."""
    import keras

    entry = NETWORKS[name]
    constructor = getattr(keras.applications, entry.architecture)
    assert entry.no_top_hash in Path(sys.modules[constructor.__module__].__file__).read_text()
    assert hasattr(getattr(keras.applications, entry.module), "preprocess_input")
    side = entry.smallest - 1
    with pytest.raises(ValueError, match=f"at least {entry.smallest}x{entry.smallest}"):
        constructor(include_top=False, weights=None, input_shape=(side, side, 3))


def graph_of(content: bytes):
    """TensorFlow's graph in what `forward.trace` gives."""
    import tensorflow as tf

    with np.load(io.BytesIO(content)) as kept:
        return tf.compat.v1.GraphDef.FromString(kept["graph"].tobytes())


APPROXIMATE = ("Rsqrt", "Reciprocal", "Inv", "FusedBatchNorm", "Xdivy")


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_embeds_with_operations_that_every_processor_rounds_alike(name):
    """TensorFlow takes rsqrt and reciprocal from the processor's approximate instructions."""
    side = -(-NETWORKS[name].smallest // 32) * 32
    pixels = calibration_batch(side, 3, seed=5)
    network = build(name, side, "random", seed=2)
    embed = embedder(network, ALL, 2, name)
    embeddings = embed(pixels)
    assert embed(pixels[2:]).tobytes() == embeddings[2:].tobytes()
    # Random weights tell photographs apart; of own networks half the features are silent at first.
    assert np.isfinite(embeddings).all() and (embeddings.std(axis=0) > 0).mean() > 0.3
    kinds = {operation.op for operation in graph_of(embed._kept(FORWARD)).node}
    assert not [kind for kind in kinds if kind.startswith(APPROXIMATE)]
    assert kinds & {"Conv2D", "DepthwiseConv2dNative"}


def test_a_network_added_to_the_registry_is_one_entry(monkeypatch):
    """MobileNetV3Small: allowed in params.yaml, built, fed and pooled, from an entry alone."""
    entry = Application("MobileNetV3Small", "mobilenet_v3", "small_notop.h5", "0" * 32)
    monkeypatch.setitem(NETWORKS, "small", entry)
    values = load(ROOT / "params.yaml").model_dump()
    chosen = Params.model_validate(
        values | {"candidates": ["small"], "ensemble": {"method": "mean", "members": ["small"]}}
    )
    spec = BackboneSpec.of("small", chosen.train, SIZE)
    embed = Embedder(spec.model_copy(update={"mode": "scratch"}))  # keeps nothing in the store
    assert embed(calibration_batch(SIZE, 2, seed=0)).shape == (2, 2 * sum(embed.channels))


def test_another_entry_of_the_registry_forgets_no_embedding(monkeypatch):
    before = fingerprint(spec_of().decisive(), CODE)
    monkeypatch.setitem(NETWORKS, "small", Application("MobileNetV3Small", "mobilenet_v3", "s.h5", "0" * 32))
    assert fingerprint(spec_of().decisive(), CODE) == before
    monkeypatch.setitem(NETWORKS, NAME, dataclasses.replace(NETWORKS[NAME], module="densenet"))
    assert fingerprint(spec_of().decisive(), CODE) != before


def test_the_store_gives_the_bits_that_the_network_gives(folder, pixels):
    """Cold, warm and half-warm; a warm store needs no network at all."""
    spec = spec_of()
    cold = Embedder(spec)
    computed, about = cold(pixels), (cold.channels, cold.parameters)
    assert about[1] == cold.network.count_params()
    assert cold.reused == 0 and (folder.parent / "embeddings.db").exists()
    warm = Embedder(spec)
    assert warm(pixels).tobytes() == computed.tobytes() and (warm.channels, warm.parameters) == about
    assert warm.reused == len(pixels) and "network" not in vars(warm)
    more = calibration_batch(SIZE, 12, seed=2)
    half = Embedder(spec)
    both = half(np.concatenate([more[:5], pixels, more[5:]]))
    assert both[5 : 5 + len(pixels)].tobytes() == computed.tobytes()
    assert half.reused == len(pixels)
    assert "network" not in vars(half)  # its forward pass was kept
    # Trained afterwards: the same recipe. Other pooling: another.
    other = Embedder(spec_of(mode="fine_tune"))
    assert other(pixels).tobytes() == computed.tobytes() and other.reused == len(pixels)
    less = spec_of(pooling=spec.pooling.model_copy(update={"statistics": "mean"}))
    assert Embedder(less)(pixels).shape[1] == computed.shape[1] // 2


def test_a_kept_network_that_is_damaged_is_built_again(folder, pixels):
    spec = spec_of()
    computed = Embedder(spec)(pixels)
    with closing(sqlite3.connect(folder.parent / "embeddings.db")) as db, db:
        largest = "entry = (select entry from kept order by length desc limit 1)"
        db.execute(f"update kept set content = content || x'00', length = length + 1 where {largest}")
        db.execute("delete from entry where length(digest) = 32")  # the photographs'
    again = Embedder(spec)
    assert again(pixels).tobytes() == computed.tobytes()
    assert "network" in vars(again) and again.reused == 0
    more = calibration_batch(SIZE, 3, seed=6)
    whole = Embedder(spec)
    assert whole(more).shape == (3, computed.shape[1]) and "network" not in vars(whole)


def test_each_network_gets_its_own_preprocessing(pixels):
    # These rescale inside; DenseNet wants the mean of ImageNet taken out.
    for name in ("efficientnet", "mobilenet", "convnext", "cnn1"):
        assert np.array_equal(preprocess(name, pixels), pixels.astype(np.float32))
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    expected = (pixels / 255 - mean) / deviation
    assert np.allclose(preprocess("densenet", pixels), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("weights", "way_out"),
    [
        ("imagenet", "`sabi weights efficientnet_lite1` and `dvc exp run"),
        ("weights", "`sabi weights efficientnet_lite1` makes efficientnet_lite1.weights.h5"),
    ],
)
def test_weights_that_a_lite_network_lacks_are_told_with_the_command(weights, way_out, monkeypatch, tmp_path):
    (tmp_path / "weights").mkdir()
    monkeypatch.setattr("sabi.backbones.weights.repository_root", lambda: tmp_path)
    with pytest.raises(InputError, match=re.escape(way_out)):
        weights_file("efficientnet_lite1", weights)
