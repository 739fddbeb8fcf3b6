"""The heads: what turns an embedding into a score. Two kinds, both a `keras.Sequential`.

"ridge" is linear and solved in closed form; "dense" is the wiki's, trained
epoch by epoch. Both standardise the embedding first, and both predict a score
clipped to 1..5.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from sabi.backbones import in_batches
from sabi.determinism import seed_tensorflow
from sabi.errors import InputError
from sabi.grades import HIGHEST, LOWEST
from sabi.params import Train


def describe(features: int, params: Train) -> dict[str, Any]:
    """What `build` needs to make the head again: plain values for JSON."""
    units = params.dense.units if params.head == "dense" else []
    dropout = params.dense.dropout if params.head == "dense" else 0.0
    return {"features": features, "units": units, "dropout": dropout}


def build(description: dict[str, Any]) -> Any:
    """An untrained head from (n, features) to (n, 1), a `keras.Sequential`.

    Without hidden units it is linear. With them it is the wiki's: the first
    layer is followed by batch normalisation and dropout, the others are plain.
    """
    import keras

    # Named, because Keras's own numbering, and so the bytes of a weights file, would depend
    # on what else the process has built.
    layers = [keras.Input((description["features"],)), keras.layers.Normalization(name="standardise")]
    for depth, units in enumerate(description["units"], start=1):
        layers.append(keras.layers.Dense(units, activation="relu", name=f"hidden_{depth}"))
        if depth == 1:
            layers.append(keras.layers.BatchNormalization(name="batch_norm"))
            layers.append(keras.layers.Dropout(description["dropout"], name="dropout"))
    layers.append(keras.layers.Dense(1, name="score"))
    head = keras.Sequential(layers, name="head")
    # Until now the standardisation has no numbers; 0 and 1 let it be called.
    _standardise(head, np.zeros(description["features"]), np.ones(description["features"]))
    return head


def _standardise(head: Any, mean: np.ndarray, variance: np.ndarray) -> None:
    head.layers[0].set_weights([mean.astype(np.float32), variance.astype(np.float32), np.int32(0)])
    head.layers[0].finalize_state()


def predict(head: Any, embeddings: np.ndarray, batch: int) -> np.ndarray:
    """Scores (n,) float64 in 1..5 of embeddings (n, features)."""
    import tensorflow as tf

    forward = tf.function(lambda rows: head(rows, training=False)[:, 0])
    scores = in_batches(forward, embeddings.astype(np.float32), batch)
    return np.clip(scores.astype(float), LOWEST, HIGHEST)


def _moments(embeddings: np.ndarray, channels: list[int], balance: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance to standardise each feature with; a constant feature gets variance 1.

    The variance of a feature from a map with c channels is enlarged so that it
    ends up weighing c^-balance, against 1 on average over all features.
    """
    rows = embeddings.astype(float)
    variance = rows.var(axis=0)
    weight = np.concatenate([np.full(c, float(c) ** -balance) for c in channels])
    weight = np.tile(weight, embeddings.shape[1] // len(weight))  # means, then deviations
    weight /= np.sqrt(np.mean(weight**2))
    return rows.mean(axis=0), np.where(variance > 1e-12, variance, 1.0) / weight**2


def check_folds(specimens: int, params: Train) -> None:
    """Raise `InputError` if there are fewer specimens to train on than folds."""
    if specimens < params.ridge.folds:
        raise InputError(
            f"train.ridge.folds = {params.ridge.folds}: only {specimens} specimens to train on; "
            "add photographs of more specimens or use fewer folds"
        )


def fit_ridge(
    embeddings: np.ndarray,
    scores: np.ndarray,
    groups: np.ndarray,
    validation: tuple[np.ndarray, np.ndarray],
    channels: list[int],
    params: Train,
    log: Callable[[int, dict[str, float]], None],
) -> tuple[Any, pd.DataFrame, int]:
    """Ridge regression of `scores` (n,) float on standardised `embeddings` (n, features) float32.

    `channels` are the embedder's; `params.pooling.balance` weighs its maps.

    The penalty has the least mean squared error in a cross-validation whose
    folds keep a group (`groups` (n,), the specimens) together, since a
    photograph's copies and its specimen's other photographs would tell the
    answer. `validation`, embeddings (m, features) and grades (m,), is only measured.

    Returns the head, its curve (a row per penalty, strongest first) and the
    step of the penalty chosen. Raises `InputError` if there are fewer groups
    than folds.
    """
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GridSearchCV, GroupKFold

    check_folds(len(set(groups)), params)
    mean, variance = _moments(embeddings, channels, params.pooling.balance)
    deviation = np.sqrt(variance)
    rows = (embeddings.astype(float) - mean) / deviation
    # The solution lies in the span of the rows: in their own axes each fit has as many
    # unknowns as there are photographs, not features, and gives the same answer.
    left, singular, axes = np.linalg.svd(rows, full_matrices=False)
    rotated = left * singular
    penalties = sorted(params.ridge.penalties, reverse=True)
    folds = GroupKFold(params.ridge.folds, shuffle=True, random_state=params.seed)
    search = GridSearchCV(
        Ridge(), {"alpha": penalties}, scoring="neg_mean_squared_error", cv=folds, refit=False
    ).fit(rotated, scores, groups=groups)

    others = ((validation[0].astype(float) - mean) / deviation) @ axes.T
    curve = []
    fits = []
    for step, penalty in enumerate(penalties):
        fit = Ridge(alpha=penalty).fit(rotated, scores)
        fits.append(fit)
        point = {
            "penalty": penalty,
            "crossval_loss": -search.cv_results_["mean_test_score"][step],
            **_errors("train", fit.predict(rotated), scores),
            **_errors("validation", fit.predict(others), validation[1]),
        }
        log(step, point)
        curve.append({"step": step, **point})
    best = min(range(len(curve)), key=lambda step: curve[step]["crossval_loss"])

    head = build(describe(embeddings.shape[1], params))
    _standardise(head, mean, variance)
    slope = axes.T @ fits[best].coef_
    intercept = np.array([fits[best].intercept_])
    head.layers[1].set_weights([slope[:, None].astype(np.float32), intercept.astype(np.float32)])
    return head, pd.DataFrame(curve), best


def _errors(part: str, predicted: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """Mean squared and absolute error of clipped predictions."""
    error = np.clip(predicted, LOWEST, HIGHEST) - scores
    return {f"{part}_loss": float(np.mean(error**2)), f"{part}_mae": float(np.mean(np.abs(error)))}


def penalised_loss(margin: float, penalty: float) -> Callable[[Any, Any], Any]:
    """Our form of the wiki's penalising loss: mean of e^2 + penalty * max(0, |e| - margin)^2.

    The wiki gives none. e is the error in grades. Within `margin` it is the squared error; beyond,
    an error weighs up to 1 + `penalty` times as much, without a jump.
    """
    import keras

    def loss(true: Any, predicted: Any) -> Any:
        error = keras.ops.abs(predicted - true)
        beyond = keras.ops.relu(error - margin)
        return keras.ops.mean(error**2 + penalty * beyond**2)

    return loss


def fit_dense(
    embeddings: np.ndarray,
    scores: np.ndarray,
    validation: tuple[np.ndarray, np.ndarray],
    channels: list[int],
    params: Train,
    log: Callable[[int, dict[str, float]], None],
) -> tuple[Any, pd.DataFrame, int]:
    """The wiki's head trained with Adam on the penalised loss, best epoch on `validation` kept.

    Arguments as for `fit_ridge`. Returns the head, its curve (a row per
    epoch, from 0) and the best epoch. `log` is called after each epoch.
    """
    import keras
    import tensorflow as tf

    seed_tensorflow(params.seed)
    head = build(describe(embeddings.shape[1], params))
    _standardise(head, *_moments(embeddings, channels, params.pooling.balance))
    # Start from the mean score; from zero, the first epochs only find it.
    head.layers[-1].bias.assign([scores.mean()])
    head.compile(
        optimizer=keras.optimizers.Adam(params.learning_rate),
        loss=penalised_loss(params.dense.loss.margin, params.dense.loss.penalty),
        jit_compile=False,
    )

    def rows(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return x.astype(np.float32), np.asarray(y, np.float32)[:, None]

    batch = min(params.batch_size, len(embeddings))
    # A last batch of one photograph would ruin batch normalisation: the rest of an
    # epoch's shuffle is left out, other photographs each epoch.
    training = (
        tf.data.Dataset.from_tensor_slices(rows(embeddings, scores))
        .shuffle(len(embeddings), seed=params.seed, reshuffle_each_iteration=True)
        .batch(batch, drop_remainder=True)
    )
    curve = []

    def record(epoch: int, logs: dict[str, float]) -> None:
        # Keras's own averages are of unclipped scores, on training also of a network in motion.
        train, there = (predict(head, x, batch) for x in (embeddings, validation[0]))
        point = {
            "train_loss": logs["loss"],
            "train_mae": float(np.mean(np.abs(train - scores))),
            "validation_loss": logs["val_loss"],
            "validation_mae": float(np.mean(np.abs(there - validation[1]))),
        }
        log(epoch, point)
        curve.append({"step": epoch, **point})

    stop = keras.callbacks.EarlyStopping(
        monitor="val_loss", patience=params.patience, restore_best_weights=True
    )
    head.fit(
        training,
        epochs=params.epochs,
        validation_data=tf.data.Dataset.from_tensor_slices(rows(*validation)).batch(batch),
        callbacks=[stop, keras.callbacks.LambdaCallback(on_epoch_end=record)],
        shuffle=False,  # the dataset shuffles
        verbose=2,
    )
    # A copy that was never compiled: a weights file would hold the optimiser's state too.
    trained = build(describe(embeddings.shape[1], params))
    trained.set_weights(head.get_weights())
    trained.layers[0].finalize_state()
    return trained, pd.DataFrame(curve), stop.best_epoch
