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


def make_exact(network: keras.Model) -> None:
    """Let the normalisations of `network`, and of the networks in it, round as those of this module do.

    Only what they compute is another; a copy with other layers would have to be
    built once more, which takes as long as the network's first building.
    """
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            make_exact(layer)
        elif type(layer) in EXACT:
            layer.__class__ = EXACT[type(layer)]
