"""What a training makes small: the losses, of scores and of ordinal outputs.

CORAL: Cao, Mirjalili and Raschka, "Rank consistent ordinal regression for
neural networks", Pattern Recognition Letters 140 (2020). CORN: Shi, Cao and
Raschka, "Deep neural networks for rank-consistent ordinal regression based on
conditional probabilities", Pattern Analysis and Applications 26 (2023).

Both papers train on whole grades. Here scores y may lie between them (soft
labels, mixup), so the target of "above grade k" is t_k = clip(y - k, 0, 1):
0 or 1 for whole grades, and 1 + sum of t_k is y again.
"""

from collections.abc import Callable
from typing import Any

from sabi.models.head import HeadSpec, to_score
from sabi.settings.train import Loss

Tensor = Any  # TensorFlow has no types for its own
PerPhotograph = Callable[[Tensor, Tensor], Tensor]  # of true scores (n, 1) and outputs: (n,)


def above(scores: Tensor, borders: int) -> Tensor:
    """Targets (n, borders) in 0..1 of scores (n,): by how much each is above grade 1, 2, ..."""
    from keras import ops

    return ops.clip(scores[:, None] - ops.arange(1, borders + 1, dtype="float32"), 0.0, 1.0)


def coral_loss(scores: Tensor, logits: Tensor) -> Tensor:
    """Cross-entropies (n,) of scores (n,) with logits (n, borders), summed over the borders."""
    from keras import ops

    target = above(scores, logits.shape[1])
    return -ops.sum(target * ops.log_sigmoid(logits) + (1 - target) * ops.log_sigmoid(-logits), axis=1)


def corn_loss(scores: Tensor, logits: Tensor) -> Tensor:
    """As `coral_loss`, of logits that are conditional: above grade k, given above k - 1.

    A photograph counts at border k by its t_(k-1), its share above the border before.
    """
    from keras import ops

    target = above(scores, logits.shape[1])
    given = ops.concatenate([ops.ones_like(target[:, :1]), target[:, :-1]], axis=1)
    return -ops.sum(target * ops.log_sigmoid(logits) + (given - target) * ops.log_sigmoid(-logits), axis=1)


def loss(params: Loss, spec: HeadSpec, worst_sound: int) -> PerPhotograph:
    """The loss (n,) of true scores (n, 1) and a head's outputs, for Keras.

    With e the error in grades, of a "linear" or "sigmoid" output:

        mse        e^2
        penalised  e^2 + penalty * max(0, |e| - margin)^2
        strong     e^2 + penalty * max(0, |e| - margin)^3

    Within `margin` these are the squared error; beyond, an error weighs more,
    without a jump. They are our form of the wiki's penalising losses, of which
    it gives no formula. "coral" and "corn" have the cross-entropies
    above. Of any output, a photograph worse than `worst_sound` that is
    given too good a score counts 1 + asymmetry times: to call bad rust good is
    the error that matters.
    """
    from keras import ops

    def of(true: Tensor, outputs: Tensor) -> Tensor:
        true = ops.cast(true[:, 0], "float32")
        if spec.output == "coral":
            value = coral_loss(true, outputs)
        elif spec.output == "corn":
            value = corn_loss(true, outputs)
        else:
            error = ops.abs(outputs[:, 0] - true)
            value = error * error
            if params.name != "mse":
                beyond = ops.relu(error - params.margin)
                excess = beyond * beyond if params.name == "penalised" else beyond * beyond * beyond
                value = value + params.penalty * excess
        if params.asymmetry:
            flattered = (true < worst_sound - 0.5) & (to_score(outputs, spec, ops) > true)
            value = value * (1.0 + params.asymmetry * ops.cast(flattered, "float32"))
        return value

    return of


def absolute_error(spec: HeadSpec) -> PerPhotograph:
    """The error in grades (n,) of true scores (n, 1) and a head's outputs, for Keras."""
    from keras import ops

    def of(true: Tensor, outputs: Tensor) -> Tensor:
        return ops.abs(to_score(outputs, spec, ops) - true[:, 0])

    return of
