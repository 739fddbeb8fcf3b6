"""The "dense" head, the wiki's, and any other that Keras trains."""

from typing import TYPE_CHECKING

import numpy as np

from sabi.grades import LOWEST
from sabi.models.head import Head, HeadSpec, build, standardise
from sabi.runtime.determinism import seed_tensorflow
from sabi.settings.params import Params
from sabi.training import loop
from sabi.training.losses import absolute_error, loss
from sabi.training.moments import moments
from sabi.training.parts import Fitted, Log

if TYPE_CHECKING:
    import keras


def fit_dense(
    training: tuple[np.ndarray, np.ndarray, np.ndarray],
    validation: tuple[np.ndarray, np.ndarray],
    channels: list[int],
    spec: HeadSpec,
    params: Params,
    log: Log,
) -> Fitted:
    """Train a head, epoch by epoch, on embeddings (n, features), scores (n,) and weights (n,).

    `validation` are embeddings (m, features) and grades (m,); `channels` are the embedder's.
    """
    here, scores, weights = training
    there, truth = validation
    mean, variance = moments(here, channels, params.train.pooling.balance, params.train.measured_weight)
    model = untrained(spec, mean, variance, scores, params.train.seed)
    plan = plan_for(spec, params, params.train.epochs, params.train.learning_rate)
    curve, best = loop.fit(
        model,
        loop.Examples(lambda chosen, epoch: (here[chosen], scores[chosen]), weights),
        loop.Examples(lambda chosen, epoch: (there[chosen], truth[chosen]), np.ones(len(there))),
        plan,
        log,
    )
    return Fitted(Head.of(spec, model), curve, best)


def plan_for(spec: HeadSpec, params: Params, epochs: int, learning_rate: float) -> loop.Plan:
    """How a model that ends in a head of `spec` is trained."""
    return loop.Plan(
        loss=loss(params.train.loss, spec, params.labels.rating.worst_sound),
        mae=absolute_error(spec),
        epochs=epochs,
        learning_rate=learning_rate,
        settings=params.train,
    )


def untrained(
    spec: HeadSpec, mean: np.ndarray, variance: np.ndarray, scores: np.ndarray, seed: int
) -> "keras.Sequential":
    """A Keras head at its start: standardising by `mean` and `variance`, giving the mean of `scores` (n,)."""
    seed_tensorflow(seed)
    model = build(spec)
    standardise(model, mean, variance)
    start_from(model, scores, spec)
    return model


def start_from(head: "keras.Sequential", scores: np.ndarray, spec: HeadSpec) -> None:
    """Set the last bias so that the untrained head gives about the mean of `scores` (n,).

    From zero, the first epochs would only find it.
    """
    output, borders = spec.output, spec.grades - 1
    if output == "linear":
        bias = np.array([scores.mean()])
    else:
        if output == "sigmoid":
            share = np.array([(scores.mean() - LOWEST) / borders])
        else:
            share = np.clip(scores[:, None] - np.arange(1, borders + 1), 0, 1).mean(axis=0)
            if output == "corn":  # of those above the border before
                share = share / np.maximum(np.concatenate([[1.0], share[:-1]]), 0.01)
        share = np.clip(share, 0.01, 0.99)
        bias = np.log(share / (1 - share))
    last = next(layer for layer in head.layers if layer.name in ("score", "logits"))
    last.bias.assign(bias)
