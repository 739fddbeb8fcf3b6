"""Ordinal outputs: logits of being above each grade, and their losses.

CORAL: Cao, Mirjalili and Raschka, "Rank consistent ordinal regression for
neural networks", Pattern Recognition Letters 140 (2020). CORN: Shi, Cao and
Raschka, "Deep neural networks for rank-consistent ordinal regression based on
conditional probabilities", Pattern Analysis and Applications 26 (2023).

Both papers train on whole grades. Here scores y may lie between them (soft
labels, mixup), so the target of "above grade k" is t_k = clip(y - k, 0, 1):
0 or 1 for whole grades, and 1 + sum of t_k is y again.
"""

import keras
from keras import ops


class Borders(keras.layers.Layer):
    """CORAL's last layer: (n, 1) to logits (n, borders), a bias for each border on one shared logit."""

    def __init__(self, borders: int, **options):
        super().__init__(**options)
        self.borders = borders

    def build(self, input_shape):
        self.bias = self.add_weight(name="bias", shape=(self.borders,), initializer="zeros")

    def call(self, inputs):
        return inputs + self.bias


def above(scores, borders: int):
    """Targets (n, borders) in 0..1 of scores (n,): by how much each is above grade 1, 2, ..."""
    return ops.clip(scores[:, None] - ops.arange(1, borders + 1, dtype="float32"), 0.0, 1.0)


def coral_loss(scores, logits):
    """Cross-entropies (n,) of scores (n,) with logits (n, borders), summed over the borders."""
    target = above(scores, logits.shape[1])
    return -ops.sum(target * ops.log_sigmoid(logits) + (1 - target) * ops.log_sigmoid(-logits), axis=1)


def corn_loss(scores, logits):
    """As `coral_loss`, of logits that are conditional: above grade k, given above k - 1.

    A photograph counts at border k by its t_(k-1), its share above the border before.
    """
    target = above(scores, logits.shape[1])
    given = ops.concatenate([ops.ones_like(target[:, :1]), target[:, :-1]], axis=1)
    return -ops.sum(target * ops.log_sigmoid(logits) + (given - target) * ops.log_sigmoid(-logits), axis=1)
