"""Normalisation: Keras's own values, correctly rounded, with Keras's own weights."""

import numpy as np
import pytest

from sabi.runtime.determinism import pin_tensorflow

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def numbers():
    rng = np.random.default_rng(0)
    return {
        name: rng.uniform(0.01, 5, 4096).astype(np.float32) for name in ("gamma", "beta", "mean", "variance")
    }


def test_batch_normalisation_is_rounded_correctly_even_when_traced(numbers):
    """TensorFlow's graph optimiser would turn x / sqrt(y) into the approximate rsqrt."""
    import keras
    import tensorflow as tf

    from sabi.backbones.normalisation import BatchNormalization

    rows = np.random.default_rng(1).normal(size=(3, 4096)).astype(np.float32)
    layer = BatchNormalization(epsilon=0.001)
    layer.build((None, 4096))
    layer.set_weights(list(numbers.values()))
    scale = numbers["gamma"] / np.sqrt(numbers["variance"] + np.float32(0.001))
    expected = rows * scale + (numbers["beta"] - numbers["mean"] * scale)
    pin_tensorflow()
    assert np.array_equal(tf.function(layer)(rows), expected)
    plain = keras.layers.BatchNormalization(epsilon=0.001)
    plain.build((None, 4096))
    plain.set_weights(list(numbers.values()))
    assert np.allclose(plain(rows), expected, rtol=1e-4, atol=1e-5)


def test_training_normalises_the_batch_and_moves_the_statistics_as_keras_does():
    import keras

    from sabi.backbones.normalisation import BatchNormalization

    rows = np.random.default_rng(2).normal(3, 2, size=(8, 5, 5, 6)).astype(np.float32)
    layers = [kind(momentum=0.7) for kind in (BatchNormalization, keras.layers.BatchNormalization)]
    ours, keras_own = (np.asarray(layer(rows, training=True)) for layer in layers)
    assert np.allclose(ours, keras_own, atol=1e-5)
    for mine, other in zip(layers[0].get_weights(), layers[1].get_weights(), strict=True):
        assert np.allclose(mine, other, atol=1e-5)
    assert not np.allclose(layers[0].get_weights()[2], 0)
    layers[0].trainable = False  # fine-tuning: neither the batch's statistics nor a change of the kept ones
    kept = layers[0].get_weights()
    frozen = np.asarray(layers[0](rows, training=True))
    assert np.array_equal(frozen, layers[0](rows, training=False)) and not np.allclose(frozen, ours)
    assert all(np.array_equal(a, b) for a, b in zip(kept, layers[0].get_weights(), strict=True))


def test_layer_normalisation_is_keras_own_to_rounding():
    import keras

    from sabi.backbones.normalisation import LayerNormalization

    rows = np.random.default_rng(3).normal(1, 4, size=(4, 7, 32)).astype(np.float32)
    layers = [kind() for kind in (LayerNormalization, keras.layers.LayerNormalization)]
    for layer in layers:
        layer.build(rows.shape)
        layer.set_weights([np.linspace(0.5, 2, 32), np.linspace(-1, 1, 32)])
    assert np.allclose(layers[0](rows), layers[1](rows), atol=1e-5)


def test_a_made_exact_network_keeps_its_weights_and_has_only_exact_normalisations():
    import keras

    from sabi.backbones.normalisation import EXACT, make_exact

    network = keras.applications.ConvNeXtTiny(include_top=False, weights=None, input_shape=(32, 32, 3))
    pixels = np.random.default_rng(5).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)
    weights, outputs = network.get_weights(), np.asarray(network(pixels))
    make_exact(network)
    assert all(np.array_equal(a, b) for a, b in zip(weights, network.get_weights(), strict=True))
    assert np.allclose(network(pixels), outputs, rtol=1e-3, atol=1e-3 * np.abs(outputs).max())
    flat = [
        inner for layer in network.layers for inner in (layer.layers if hasattr(layer, "layers") else [layer])
    ]
    kinds = {type(layer) for layer in flat}
    assert kinds & set(EXACT.values()) and not kinds & set(EXACT)


def test_pinned_graphs_divide_as_numpy_does():
    """Unpinned, a third of these have another last bit, and which ones depends on the processor."""
    import tensorflow as tf

    pin_tensorflow()
    x = np.random.default_rng(4).uniform(0.01, 5, 100_000).astype(np.float32)
    one = np.float32(1)
    assert np.array_equal(tf.function(lambda v: 1.0 / v)(x), one / x)
    assert np.array_equal(tf.function(lambda v: v / tf.sqrt(v))(x), x / np.sqrt(x))
    assert np.array_equal(tf.function(lambda v: v / 1.4142135)(x), x / np.float32(1.4142135))
