"""CORAL's last layer.

Cao, Mirjalili and Raschka, "Rank consistent ordinal regression for neural
networks", Pattern Recognition Letters 140 (2020). Its loss is in
`sabi/training/losses.py`.
"""

import keras


class Borders(keras.layers.Layer):
    """CORAL's last layer: (n, 1) to logits (n, borders), a bias for each border on one shared logit."""

    def __init__(self, borders: int, **options):
        super().__init__(**options)
        self.borders = borders

    def build(self, input_shape):
        self.bias = self.add_weight(name="bias", shape=(self.borders,), initializer="zeros")

    def call(self, inputs):
        return inputs + self.bias
