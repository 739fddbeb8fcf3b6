"""The heads: what turns an embedding into a score. Two kinds, both a `keras.Sequential`.

"ridge" is linear and solved in closed form; "dense" is the wiki's, trained
epoch by epoch (`sabi/training.py`). Both standardise the embedding first. What
the last layer gives is the output: a score ("linear", "sigmoid") or the
logits of being above each grade ("coral", "corn"); `to_score` makes one score
of any.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from sabi.backbones import in_batches
from sabi.determinism import pin_tensorflow
from sabi.errors import InputError
from sabi.grades import LOWEST
from sabi.params import Loss, Train


def describe(features: int, grades: int, params: Train, hidden: bool = True) -> dict[str, Any]:
    """What `build` needs to make the head again: plain values for JSON.

    `hidden` is False for networks that have dense layers of their own.
    """
    dense = params.head == "dense" and hidden
    return {
        "features": features,
        "grades": grades,
        "units": params.dense.units if dense else [],
        "dropout": params.dense.dropout if dense else 0.0,
        "output": params.output,
    }


def build(description: dict[str, Any]) -> Any:
    """An untrained head from (n, features) to the outputs, a `keras.Sequential`.

    Without hidden units it is linear. With them it is the wiki's: the first
    layer is followed by batch normalisation and dropout, the others are plain.
    Outputs are (n, 1), or (n, grades - 1) logits for "coral" and "corn".
    """
    import keras

    from sabi.normalisation import BatchNormalization

    pin_tensorflow()
    # Named, because Keras's own numbering, and so the bytes of a weights file, would depend
    # on what else the process has built.
    layers = [keras.Input((description["features"],)), keras.layers.Normalization(name="standardise")]
    for depth, units in enumerate(description["units"], start=1):
        layers.append(keras.layers.Dense(units, activation="relu", name=f"hidden_{depth}"))
        if depth == 1:
            layers.append(BatchNormalization(name="batch_norm"))
            layers.append(keras.layers.Dropout(description["dropout"], name="dropout"))
    layers += _output(description["output"], description["grades"])
    head = keras.Sequential(layers, name="head")
    # Until now the standardisation has no numbers; 0 and 1 let it be called.
    standardise(head, np.zeros(description["features"]), np.ones(description["features"]))
    return head


def _output(output: str, grades: int) -> list[Any]:
    """The last layers for an output."""
    from keras import layers

    from sabi.ordinal import Borders

    borders = grades - 1
    if output == "linear":
        return [layers.Dense(1, name="score")]
    if output == "sigmoid":
        scaled = layers.Rescaling(float(borders), offset=LOWEST, name="scaled")
        return [layers.Dense(1, activation="sigmoid", name="score"), scaled]
    if output == "corn":
        return [layers.Dense(borders, name="logits")]
    # One weight vector for all borders, so that they are parallel.
    return [layers.Dense(1, use_bias=False, name="shared"), Borders(borders, name="logits")]


def standardise(head: Any, mean: np.ndarray, variance: np.ndarray) -> None:
    """Set what the head's first layer takes out of each feature."""
    head.layers[0].set_weights([mean.astype(np.float32), variance.astype(np.float32), np.int32(0)])
    head.layers[0].finalize_state()


def start_from(head: Any, scores: np.ndarray, description: dict[str, Any]) -> None:
    """Set the last bias so that the untrained head gives about the mean of `scores` (n,).

    From zero, the first epochs would only find it.
    """
    output, borders = description["output"], description["grades"] - 1
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


def to_score(outputs: Any, description: dict[str, Any]) -> Any:
    """Scores (n,) within the grades from a head's outputs, as a tensor."""
    from keras import ops

    from sabi.ordinal import coral_score, corn_score

    if description["output"] == "coral":
        return coral_score(outputs)
    if description["output"] == "corn":
        return corn_score(outputs)
    return ops.clip(outputs[:, 0], LOWEST, float(description["grades"]))


def predict(head: Any, embeddings: np.ndarray, description: dict[str, Any], batch: int) -> np.ndarray:
    """Scores (n,) float64, 1 to the number of grades, of embeddings (n, features)."""
    import tensorflow as tf

    forward = tf.function(lambda rows: to_score(head(rows, training=False), description))
    return in_batches(forward, embeddings.astype(np.float32), batch).astype(float)


def moments(embeddings: np.ndarray, channels: list[int], balance: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance to standardise each feature with; a constant feature gets variance 1.

    The variance of a feature from a map with c channels is enlarged so that it
    ends up weighing c^-balance, against 1 on average over all features.
    Features beyond the maps' (`embeddings` may end with measured ones) weigh 1.
    """
    rows = embeddings.astype(float)
    variance = rows.var(axis=0)
    weight = np.concatenate([np.full(c, float(c) ** -balance) for c in channels])
    weight = np.tile(weight, embeddings.shape[1] // len(weight))  # means, then deviations
    weight /= np.sqrt(np.mean(weight**2))
    weight = np.concatenate([weight, np.ones(embeddings.shape[1] - len(weight))])
    mean = rows.mean(axis=0)
    # What varies by rounding alone is constant.
    return mean, np.where(variance > 1e-12 * mean**2, variance, 1.0) / weight**2


def photograph_weights(grades: np.ndarray, class_weights: str) -> np.ndarray:
    """The weight (n,) of each photograph, 1 on average; "balanced" gives every grade (n,) the same sum."""
    if class_weights == "equal":
        return np.ones(len(grades))
    present, which, count = np.unique(grades, return_inverse=True, return_counts=True)
    return len(grades) / (len(present) * count[which])


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
    weights: np.ndarray,
    groups: np.ndarray,
    pure: np.ndarray,
    validation: tuple[np.ndarray, np.ndarray],
    channels: list[int],
    grades: int,
    params: Train,
    log: Callable[[int, dict[str, float]], None],
) -> tuple[Any, pd.DataFrame, int]:
    """Ridge regression of `scores` (n,) float on standardised `embeddings` (n, features) float32.

    `weights` (n,) are the photographs' own. `channels` are the embedder's;
    `params.pooling.balance` weighs its maps.

    The penalty has the least mean squared error in a cross-validation whose
    folds keep a group (`groups` (n,), the specimens) together, since a
    photograph's copies and its specimen's other photographs would tell the
    answer. Rows that are not `pure` (n,) bool, mixed from two specimens, take no
    part in it. `validation`, embeddings (m, features) and grades (m,), is only measured.

    Returns the head, its curve (a row per penalty, strongest first) and the
    step of the penalty chosen. Raises `InputError` if there are fewer groups
    than folds.
    """
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GridSearchCV, GroupKFold

    check_folds(len(set(groups)), params)
    mean, variance = moments(embeddings, channels, params.pooling.balance)
    deviation = np.sqrt(variance)
    rows = (embeddings.astype(float) - mean) / deviation
    # The solution lies in the span of the rows: in their own axes each fit has as many
    # unknowns as there are photographs, not features, and gives the same answer.
    left, singular, axes = np.linalg.svd(rows, full_matrices=False)
    rotated = left * singular
    penalties = sorted(params.ridge.penalties, reverse=True)
    kfold = GroupKFold(params.ridge.folds, shuffle=True, random_state=params.seed)
    judged = np.flatnonzero(pure)
    folds = [(judged[fit], judged[out]) for fit, out in kfold.split(judged, groups=groups[judged])]
    # Equal weights are left out: scikit-learn would round differently with them.
    weighing = {} if np.all(weights == 1) else {"sample_weight": weights}
    search = GridSearchCV(
        Ridge(), {"alpha": penalties}, scoring="neg_mean_squared_error", cv=folds, refit=False
    ).fit(rotated, scores, **weighing)

    others = ((validation[0].astype(float) - mean) / deviation) @ axes.T
    curve = []
    fits = []
    for step, penalty in enumerate(penalties):
        fit = Ridge(alpha=penalty).fit(rotated, scores, **weighing)
        fits.append(fit)
        point = {
            "penalty": penalty,
            "crossval_loss": -search.cv_results_["mean_test_score"][step],
            **_errors("train", fit.predict(rotated), scores, grades),
            **_errors("validation", fit.predict(others), validation[1], grades),
        }
        log(step, point)
        curve.append({"step": step, **point})
    best = min(range(len(curve)), key=lambda step: curve[step]["crossval_loss"])

    head = build(describe(embeddings.shape[1], grades, params))
    standardise(head, mean, variance)
    slope = axes.T @ fits[best].coef_
    intercept = np.array([fits[best].intercept_])
    head.layers[1].set_weights([slope[:, None].astype(np.float32), intercept.astype(np.float32)])
    return head, pd.DataFrame(curve), best


def _errors(part: str, predicted: np.ndarray, scores: np.ndarray, grades: int) -> dict[str, float]:
    """Mean squared and absolute error of clipped predictions."""
    error = np.clip(predicted, LOWEST, grades) - scores
    return {f"{part}_loss": float(np.mean(error**2)), f"{part}_mae": float(np.mean(np.abs(error)))}


def loss(params: Loss, description: dict[str, Any], worst_sound: int) -> Callable[[Any, Any], Any]:
    """The loss (n,) of true scores (n, 1) and a head's outputs, for Keras.

    With e the error in grades, of a "linear" or "sigmoid" output:

        mse        e^2
        penalised  e^2 + penalty * max(0, |e| - margin)^2
        strong     e^2 + penalty * max(0, |e| - margin)^3

    Within `margin` these are the squared error; beyond, an error weighs more,
    without a jump. They are our form of the wiki's penalising losses, of which
    it gives no formula. "coral" and "corn" have the cross-entropies of
    `sabi/ordinal.py`. Of any output, a photograph worse than `worst_sound` that is
    given too good a score counts 1 + asymmetry times: to call bad rust good is
    the error that matters.
    """
    from keras import ops

    from sabi.ordinal import coral_loss, corn_loss

    def of(true: Any, outputs: Any) -> Any:
        true = ops.cast(true[:, 0], "float32")
        if description["output"] == "coral":
            value = coral_loss(true, outputs)
        elif description["output"] == "corn":
            value = corn_loss(true, outputs)
        else:
            error = ops.abs(outputs[:, 0] - true)
            value = error * error
            if params.name != "mse":
                beyond = ops.relu(error - params.margin)
                excess = beyond * beyond if params.name == "penalised" else beyond * beyond * beyond
                value = value + params.penalty * excess
        if params.asymmetry:
            flattered = (true < worst_sound - 0.5) & (to_score(outputs, description) > true)
            value = value * (1.0 + params.asymmetry * ops.cast(flattered, "float32"))
        return value

    return of
