"""Frozen networks: the same bits for any company, order and batch; weights from where they are said to be."""

import numpy as np
import pytest

from sabi import backbones
from sabi.errors import InputError
from sabi.params import Pooling
from sabi.sample import calibration_batch

NAME, SIZE, BATCH = "MobileNetV3Large", 32, 4  # the fastest
ALL = Pooling(layers="every_resolution", statistics="mean_std", balance=0.5)
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def network():
    return backbones.build(NAME, SIZE, "random", seed=3)


@pytest.fixture(scope="module")
def embed(network):
    return backbones.Embedder(NAME, network, ALL, BATCH)


@pytest.fixture(scope="module")
def pixels():
    return calibration_batch(SIZE, 9, seed=1)


def test_the_company_of_a_photograph_changes_no_bit(embed, pixels):
    together = embed(pixels)
    order = np.random.default_rng(0).permutation(len(pixels))
    assert embed(pixels[order]).tobytes() == together[order].tobytes()
    assert embed(pixels[8:]).tobytes() == together[8:].tobytes()  # alone in its batch


def test_batches_of_another_size_change_no_bit(network, embed, pixels):
    other = backbones.Embedder(NAME, network, ALL, 2 * BATCH)
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
    embed = backbones.Embedder(NAME, network, Pooling(layers=layers, statistics=statistics, balance=0), BATCH)
    assert len(embed.channels) == maps
    assert embed(pixels).shape == (len(pixels), each * sum(embed.channels))


def test_random_weights_tell_photographs_apart_to_the_last_block(network, pixels):
    """Without calibration MobileNetV3's last block is 1e-11 everywhere (facts of the founding)."""
    last = Pooling(layers="last_block", statistics="mean", balance=0)
    embeddings = backbones.Embedder(NAME, network, last, BATCH)(pixels)
    assert np.isfinite(embeddings).all()
    assert np.median(embeddings.std(axis=0)) > 1e-3


def test_random_weights_are_decided_by_the_seed_alone(embed, pixels):
    def embeddings(seed):
        return backbones.Embedder(NAME, backbones.build(NAME, SIZE, "random", seed), ALL, BATCH)(pixels)

    assert embeddings(3).tobytes() == embed(pixels).tobytes()
    assert embeddings(4).tobytes() != embed(pixels).tobytes()


def test_weights_from_a_file_are_those_of_the_file(tmp_path, network, embed, pixels):
    file = tmp_path / "own.weights.h5"
    network.save_weights(file)
    again = backbones.build(NAME, SIZE, str(file), seed=99)
    assert backbones.Embedder(NAME, again, ALL, BATCH)(pixels).tobytes() == embed(pixels).tobytes()


@pytest.mark.parametrize("name", backbones.BACKBONES)
def test_a_damaged_file_with_keras_own_name_is_refused(tmp_path, name):
    file = tmp_path / backbones.BACKBONES[name].no_top
    file.write_bytes(b"half a download")
    with pytest.raises(InputError, match=r"damaged .* fetch it again") as error:
        backbones.build(name, SIZE, str(file), seed=0)
    assert str(file) in str(error.value)


def test_a_file_that_holds_no_such_weights_is_refused(tmp_path):
    file = tmp_path / "mine.weights.h5"
    file.write_bytes(b"no weights")
    with pytest.raises(InputError, match="could not be loaded") as error:
        backbones.build(NAME, SIZE, str(file), seed=0)
    assert "\n" not in str(error.value)


def test_each_network_gets_its_own_preprocessing(pixels):
    # EfficientNetV2 and MobileNetV3 rescale inside; DenseNet wants ImageNet's mean taken out.
    for name in ("EfficientNetV2S", "MobileNetV3Large"):
        assert np.array_equal(backbones.preprocess(name, pixels), pixels.astype(np.float32))
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    expected = (pixels / 255 - mean) / deviation
    assert np.allclose(backbones.preprocess("DenseNet121", pixels), expected, atol=1e-5)


def test_in_batches_pads_and_cuts():
    sizes = []

    def double(chunk):
        sizes.append(len(chunk))
        return 2 * chunk

    assert backbones.in_batches(double, np.arange(7), 3).tolist() == [0, 2, 4, 6, 8, 10, 12]
    assert sizes == [3, 3, 3]
