"""The heads: what turns an embedding into a score.

"ridge" is linear and solved in closed form; "dense" is the wiki's, trained
epoch by epoch (`sabi/training/loop.py`). Both standardise the embedding first. What
the last layer gives is the output: a score ("linear", "sigmoid") or the
logits of being above each grade ("coral", "corn"); `to_score` makes one score
of any.

A head is its description and its weights, arrays by layer and variable. It
trains as a `keras.Sequential` (`build`); it is fitted in closed form and
predicts without Keras, whose loading takes longer than either.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from sabi.grades import LOWEST
from sabi.runtime.determinism import pin_tensorflow
from sabi.runtime.errors import InputError
from sabi.runtime.threads import in_batches
from sabi.settings.train import Loss, Train

Weights = dict[str, np.ndarray]

BATCH = 64  # rows that are predicted at once
CHUNK = 1024  # rows that are in memory as float64
EPSILON = {"standardise": 1e-7, "batch_norm": 1e-3}  # Keras's own


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


def build(description: dict[str, Any], weights: Weights | None = None) -> Any:
    """A head from (n, features) to the outputs, a `keras.Sequential`; untrained without `weights`.

    Without hidden units it is linear. With them it is the wiki's: the first
    layer is followed by batch normalisation and dropout, the others are plain.
    Outputs are (n, 1), or (n, grades - 1) logits for "coral" and "corn".
    """
    import keras

    from sabi.backbones.normalisation import BatchNormalization

    pin_tensorflow()
    # Named, because Keras's own numbering would depend on what else the process has built.
    layers = [keras.Input((description["features"],)), keras.layers.Normalization(name="standardise")]
    for depth, units in enumerate(description["units"], start=1):
        layers.append(keras.layers.Dense(units, activation="relu", name=f"hidden_{depth}"))
        if depth == 1:
            layers.append(BatchNormalization(name="batch_norm", epsilon=EPSILON["batch_norm"]))
            layers.append(keras.layers.Dropout(description["dropout"], name="dropout"))
    layers += _output(description["output"], description["grades"])
    head = keras.Sequential(layers, name="head")
    # Until now the standardisation has no numbers; 0 and 1 let it be called.
    standardise(head, np.zeros(description["features"]), np.ones(description["features"]))
    for name, variable in _variables(head).items() if weights else ():
        variable.assign(weights[name])
    head.layers[0].finalize_state()
    return head


def weights_of(head: Any) -> Weights:
    """The weights of a Keras head."""
    return {name: np.array(variable) for name, variable in _variables(head).items()}


def _variables(head: Any) -> dict[str, Any]:
    named = {f"{layer.name}.{v.name}": v for layer in head.layers for v in layer.weights}
    return {name: variable for name, variable in named.items() if name != "standardise.count"}


def _output(output: str, grades: int) -> list[Any]:
    """The last layers for an output."""
    from keras import layers

    from sabi.models.ordinal import Borders

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
    """Set what a Keras head's first layer takes out of each feature."""
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


def to_score(outputs: Any, description: dict[str, Any], ops: Any) -> Any:
    """Scores (n,) within the grades from a head's outputs; `ops` is `numpy` or, for tensors, `keras.ops`.

    From logits it is 1 plus the expected number of borders surpassed; with
    "corn" the probability of being above a border is the product up to it.
    """
    if description["output"] not in ("coral", "corn"):
        return ops.clip(outputs[:, 0], LOWEST, float(description["grades"]))
    above = _sigmoid(outputs, ops)
    return LOWEST + ops.sum(above if description["output"] == "coral" else ops.cumprod(above, axis=1), axis=1)


def _sigmoid(logits: Any, ops: Any) -> Any:
    return 0.5 + 0.5 * ops.tanh(0.5 * logits)  # nothing overflows


def predict(weights: Weights, embeddings: np.ndarray, description: dict[str, Any]) -> np.ndarray:
    """Scores (n,) float64, 1 to the number of grades, of embeddings (n, features) float32.

    A row's score has the same bits in any company: in double precision, unlike
    in single, OpenBLAS adds up a row alike wherever it stands in a batch.
    """
    double = {name: weight.astype(float) for name, weight in weights.items()}

    def forward(rows: np.ndarray) -> np.ndarray:
        return to_score(_outputs(double, rows.astype(float), description), description, np)

    return in_batches(forward, embeddings, BATCH)


def _outputs(weights: Weights, rows: np.ndarray, description: dict[str, Any]) -> np.ndarray:
    """What the Keras head of `build` gives for `rows` when it is not being trained."""

    def dense(layer: str, inputs: np.ndarray) -> np.ndarray:
        return inputs @ weights[f"{layer}.kernel"] + weights.get(f"{layer}.bias", 0.0)

    deviation = np.maximum(np.sqrt(weights["standardise.variance"]), EPSILON["standardise"])
    rows = (rows - weights["standardise.mean"]) / deviation
    for depth in range(1, 1 + len(description["units"])):
        rows = np.maximum(dense(f"hidden_{depth}", rows), 0)
        if depth == 1:
            deviation = np.sqrt(weights["batch_norm.moving_variance"] + EPSILON["batch_norm"])
            scale = weights["batch_norm.gamma"] / deviation
            rows = rows * scale + (weights["batch_norm.beta"] - weights["batch_norm.moving_mean"] * scale)
    if description["output"] == "corn":
        return dense("logits", rows)
    if description["output"] == "coral":
        return dense("shared", rows) + weights["logits.bias"]
    score = dense("score", rows)
    if description["output"] == "sigmoid":
        return LOWEST + (description["grades"] - 1) * _sigmoid(score, np)
    return score


def moments(embeddings: np.ndarray, channels: list[int], balance: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance to standardise each feature with; a constant feature gets variance 1.

    The variance of a feature from a map with c channels is enlarged so that it
    ends up weighing c^-balance, against 1 on average over all features.
    Features beyond the maps' (`embeddings` may end with measured ones) weigh 1.
    """
    mean, variance = mean_and_variance(embeddings)
    weight = np.concatenate([np.full(c, float(c) ** -balance) for c in channels])
    weight = np.tile(weight, embeddings.shape[1] // len(weight))  # means, then deviations
    weight /= np.sqrt(np.mean(weight**2))
    weight = np.concatenate([weight, np.ones(embeddings.shape[1] - len(weight))])
    return mean, variance / weight**2


def mean_and_variance(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each column of (n, features); a constant one gets variance 1."""
    chunks = [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]
    mean = sum(chunk.sum(axis=0, dtype=float) for chunk in chunks) / len(rows)
    variance = sum(((chunk - mean) ** 2).sum(axis=0) for chunk in chunks) / len(rows)
    # What varies by rounding alone is constant.
    return mean, np.where(variance > 1e-12 * mean**2, variance, 1.0)


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
) -> tuple[Weights, pd.DataFrame, int]:
    """Ridge regression of `scores` (n,) float on standardised `embeddings` (n, features) float32.

    `weights` (n,) are the photographs' own. `channels` are the embedder's;
    `params.pooling.balance` weighs its maps.

    The penalty has the least mean squared error in a cross-validation whose
    folds keep a group (`groups` (n,), the specimens) together, since a
    photograph's copies and its specimen's other photographs would tell the
    answer. Rows that are not `pure` (n,) bool, mixed from two specimens, take no
    part in it. `validation`, embeddings (m, features) and grades (m,), is only measured.

    Returns the head's weights, its curve (a row per penalty, strongest first)
    and the step of the penalty chosen. Raises `InputError` if there are fewer
    groups than folds, or if no penalty can be so small.
    """
    check_folds(len(set(groups)), params)
    mean, variance = moments(embeddings, channels, params.pooling.balance)
    deviation = np.sqrt(variance)

    def standardised(some: np.ndarray) -> np.ndarray:
        return (some - mean) / deviation

    rows, others, ready, axes = embeddings, validation[0], standardised, None
    if len(embeddings) < embeddings.shape[1]:
        # The solution lies in the span of the rows: in axes of their own each fit has as many
        # unknowns as there are photographs, not features, and gives the same answer.
        axes, triangle = np.linalg.qr(standardised(embeddings).T)
        rows, others, ready = triangle.T, standardised(validation[0]) @ axes, np.asarray

    def solved(chosen: np.ndarray) -> np.ndarray:
        return _ridge(rows, ready, scores, weights, chosen, penalties)

    def predicted(some: np.ndarray, fits: np.ndarray) -> np.ndarray:
        chunks = (ready(some[start : start + CHUNK]) for start in range(0, len(some), CHUNK))
        return np.concatenate([chunk @ fits[:-1] + fits[-1] for chunk in chunks])

    penalties = sorted(params.ridge.penalties, reverse=True)
    # The generator whose numbers NumPy promises never to change; it gives scikit-learn's folds.
    shuffled = np.random.RandomState(params.seed).permutation(np.unique(groups[pure]))
    crossval = []
    for held_out in np.array_split(shuffled, params.ridge.folds):
        out = np.isin(groups, held_out)
        fits = solved(np.flatnonzero(pure & ~out))
        error = predicted(rows[pure & out], fits) - scores[pure & out, None]
        crossval.append(np.mean(error**2, axis=0))
    crossval_loss = np.mean(crossval, axis=0)

    fits = solved(np.arange(len(rows)))
    here, there = predicted(rows, fits), predicted(others, fits)
    curve = []
    for step, penalty in enumerate(penalties):
        point = {
            "penalty": penalty,
            "crossval_loss": float(crossval_loss[step]),
            **_errors("train", here[:, step], scores, grades),
            **_errors("validation", there[:, step], validation[1], grades),
        }
        log(step, point)
        curve.append({"step": step, **point})
    best = int(np.argmin(crossval_loss))
    slope = fits[:-1, best] if axes is None else axes @ fits[:-1, best]
    head = {
        "standardise.mean": mean,
        "standardise.variance": variance,
        "score.kernel": slope[:, None],
        "score.bias": fits[-1:, best],
    }
    return {name: array.astype(np.float32) for name, array in head.items()}, pd.DataFrame(curve), best


def _ridge(
    rows: np.ndarray,
    ready: Callable[[np.ndarray], np.ndarray],
    scores: np.ndarray,
    weights: np.ndarray,
    chosen: np.ndarray,
    penalties: list[float],
) -> np.ndarray:
    """Slopes and, last, intercept (features + 1, penalties) of ridge regressions on the `chosen` of `rows`.

    `ready` makes some rows fit for it. Memory is twice the square of the
    features, however many rows there are: the normal equations are summed up,
    their upper triangle alone.
    """
    from scipy.linalg import LinAlgError, blas, cho_factor, cho_solve

    unknowns = rows.shape[1] + 1
    normal = np.zeros((unknowns, unknowns), order="F")
    right = np.zeros(unknowns)
    for start in range(0, len(chosen), CHUNK):
        some = chosen[start : start + CHUNK]
        root = np.sqrt(weights[some])
        block = np.column_stack([ready(rows[some]), np.ones(len(some))]) * root[:, None]
        normal = blas.dsyrk(1.0, block.T, beta=1.0, c=normal, overwrite_c=True)
        right += (scores[some] * root) @ block
    fits = []
    for penalty in penalties:
        penalised = normal.copy(order="F")
        penalised[np.diag_indices(unknowns - 1)] += penalty  # the intercept is free
        try:
            fits.append(cho_solve(cho_factor(penalised, overwrite_a=True), right))
        except LinAlgError:
            raise InputError(
                f"train.ridge.penalties: {penalty:g} is too small here; use larger ones"
            ) from None
    return np.stack(fits, axis=1)


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
    `sabi/models/ordinal.py`. Of any output, a photograph worse than `worst_sound` that is
    given too good a score counts 1 + asymmetry times: to call bad rust good is
    the error that matters.
    """
    from keras import ops

    from sabi.models.ordinal import coral_loss, corn_loss

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
            flattered = (true < worst_sound - 0.5) & (to_score(outputs, description, ops) > true)
            value = value * (1.0 + params.asymmetry * ops.cast(flattered, "float32"))
        return value

    return of
