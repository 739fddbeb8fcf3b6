"""Statistics for the batch normalisations of a network with random weights."""

from typing import Any

import numpy as np

from sabi.photographs.surface import draw, to_8_bit

SHOWN_MM = 72.0


def calibration_batch(size: int, count: int, seed: int) -> np.ndarray:
    """`count` drawings through all states, (count, size, size, 3) uint8.

    Random networks take their batch-norm statistics from these, never from a
    user's photographs. `SHOWN_MM` of steel are shown, the height of a drawing of the sample.
    """
    batch = []
    for number, state in enumerate(np.linspace(0.7, 5.3, count)):
        rng = np.random.default_rng([seed, number])
        batch.append(np.asarray(to_8_bit(draw(state, rng, size, size, SHOWN_MM / size))))
    return np.stack(batch)


def calibrate(network: Any, batch: np.ndarray) -> None:
    """Set every batch-norm's statistics to those of `batch`, in one pass.

    Random weights with untrained statistics (mean 0, variance 1) shrink a
    signal to nothing on its way through a deep network.
    """
    import keras
    import tensorflow as tf

    norms = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    dropouts = [layer for layer in network.layers if isinstance(layer, keras.layers.Dropout)]
    kept = [layer.momentum for layer in norms], [layer.rate for layer in dropouts]
    for layer in norms:
        layer.momentum = 0.0
    for layer in dropouts:
        layer.rate = 0.0
    # In a graph, because Keras itself keeps every layer's output until the end: gigabytes.
    tf.function(lambda inputs: network(inputs, training=True), autograph=False)(batch)
    for layer, momentum in zip(norms, kept[0], strict=True):
        layer.momentum = momentum
    for layer, rate in zip(dropouts, kept[1], strict=True):
        layer.rate = rate
