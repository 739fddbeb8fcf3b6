"""Batch and layer normalisation that round the same on every processor.

TensorFlow computes `rsqrt`, and with it Keras's normalisation, from the
processor's approximate instruction (`rsqrtps`) and a Newton step: other
models of processor, other last bits. Square root and division are rounded
correctly everywhere; `determinism.pin_tensorflow` keeps the graph optimiser
from turning them back. The classes bear Keras's names, which its weights
files are made of.
"""

import keras
from keras import ops


class BatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` over the last axis, with the same weights."""

    def call(self, inputs, training=None, mask=None):  # photographs have no mask
        if training and self.trainable:
            mean, variance = ops.moments(inputs, list(range(len(inputs.shape) - 1)))
            for kept, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
                kept.assign(kept * self.momentum + new * (1.0 - self.momentum))
        else:
            mean, variance = self.moving_mean, self.moving_variance
        deviation = ops.sqrt(variance + self.epsilon)
        if not self.scale:
            rows = (inputs - mean) / deviation
            return rows + self.beta if self.center else rows
        scale = self.gamma / deviation
        shift = self.beta - mean * scale if self.center else -mean * scale
        return inputs * scale + shift


class LayerNormalization(keras.layers.LayerNormalization):
    """`keras.layers.LayerNormalization` over the last axis, with the same weights."""

    def call(self, inputs):
        mean, variance = ops.moments(inputs, [-1], keepdims=True)
        rows = (inputs - mean) / ops.sqrt(variance + self.epsilon)
        if self.gamma is not None:
            rows = rows * self.gamma
        return rows if self.beta is None else rows + self.beta


EXACT = {
    keras.layers.BatchNormalization: BatchNormalization,
    keras.layers.LayerNormalization: LayerNormalization,
}


def exact(network: keras.Model) -> keras.Model:
    """A copy of `network`, weights included, whose normalisations are those of this module."""

    def copy(layer):
        kind = EXACT.get(type(layer), type(layer))
        return kind.from_config(layer.get_config())

    clone = keras.models.clone_model(network, clone_function=copy, recursive=True)
    clone.set_weights(network.get_weights())
    return clone
