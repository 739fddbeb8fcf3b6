"""The "ridge" head: linear, its penalty chosen by cross-validation.

Of output "linear" it is solved in closed form, of "corn" by `sabi/training/logistic.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sabi.grades import LOWEST
from sabi.models.head import Head, HeadSpec, to_score
from sabi.runtime.errors import InputError
from sabi.settings.train import Train
from sabi.training.logistic import solved_conditionals
from sabi.training.moments import CHUNK, moments
from sabi.training.parts import Fitted, Log


@dataclass(frozen=True)
class Examples:
    """What is learnt from: rows of features, and what is known of each."""

    embeddings: np.ndarray  # (n, features) float32
    scores: np.ndarray  # (n,) float
    weights: np.ndarray  # (n,) the photographs' own
    groups: np.ndarray  # (n,) the specimens
    pure: np.ndarray  # (n,) bool; False for rows mixed from two specimens


def check_folds(specimens: int, params: Train) -> None:
    """Raise `InputError` if there are fewer specimens to train on than folds."""
    if specimens < params.ridge.folds:
        raise InputError(
            f"train.ridge.folds = {params.ridge.folds}: only {specimens} specimens to train on; "
            "add photographs of more specimens or use fewer folds"
        )


def fit_ridge(
    examples: Examples,
    validation: tuple[np.ndarray, np.ndarray],
    channels: list[int],
    spec: HeadSpec,
    params: Train,
    log: Log,
) -> Fitted:
    """Ridge regression of the scores of `examples` on their standardised embeddings.

    With the output "corn" it is the logistic regressions of being above each grade, given above the
    one before, with the same penalties on their slopes.

    `channels` are the embedder's; `params.pooling.balance` weighs its maps.

    The penalty has the least mean squared error in a cross-validation whose
    folds keep a group together, since a photograph's copies and its specimen's
    other photographs would tell the answer. Rows that are not pure take no part
    in it. `validation`, embeddings (m, features) and grades (m,), is only measured.

    The curve has a row per penalty, strongest first. The scores out of fold are those of the
    rows that are pure, NaN elsewhere. Raises `InputError` if
    there are fewer groups than folds, or if no penalty can be so small.
    """
    embeddings, scores = examples.embeddings, examples.scores
    groups, pure = examples.groups, examples.pure
    check_folds(len(set(groups)), params)
    mean, variance = moments(embeddings, channels, params.pooling.balance, params.measured_weight)
    deviation = np.sqrt(variance)

    def standardised(some: np.ndarray) -> np.ndarray:
        return (some - mean) / deviation

    ready: Callable[[np.ndarray], np.ndarray] = standardised
    rows, others, axes = embeddings, validation[0], None
    if len(embeddings) < embeddings.shape[1]:
        # The solution lies in the span of the rows: in axes of their own each fit has as many
        # unknowns as there are photographs, not features, and gives the same answer.
        axes, triangle = np.linalg.qr(standardised(embeddings).T)
        rows, others, ready = triangle.T, standardised(validation[0]) @ axes, np.asarray

    def solved(chosen: np.ndarray) -> np.ndarray:
        if spec.output == "corn":
            known = ready(rows[chosen]), scores[chosen], examples.weights[chosen]
            return solved_conditionals(*known, spec.grades - 1, penalties)
        return _solved(rows, ready, scores, examples.weights, chosen, penalties)[:, None]

    def predicted(some: np.ndarray, fits: np.ndarray) -> np.ndarray:
        slopes, intercepts = fits[:-1].reshape(len(fits) - 1, -1), fits[-1].reshape(-1)
        chunks = (ready(some[start : start + CHUNK]) for start in range(0, len(some), CHUNK))
        outputs = np.concatenate([chunk @ slopes + intercepts for chunk in chunks])
        return _scores(outputs.reshape(len(some), *fits.shape[1:]), spec)

    penalties = sorted(params.ridge.penalties, reverse=True)
    # The generator whose numbers NumPy promises never to change; it gives scikit-learn's folds.
    shuffled = np.random.RandomState(params.seed).permutation(np.unique(groups[pure]))
    crossval, unseen = [], np.full((len(rows), len(penalties)), np.nan)
    for held_out in np.array_split(shuffled, params.ridge.folds):
        out = pure & np.isin(groups, held_out)
        fits = solved(np.flatnonzero(pure & ~np.isin(groups, held_out)))
        unseen[out] = predicted(rows[out], fits)
        crossval.append(np.mean((unseen[out] - scores[out, None]) ** 2, axis=0))
    crossval_loss = np.mean(crossval, axis=0)

    fits = solved(np.arange(len(rows)))
    here, there = predicted(rows, fits), predicted(others, fits)
    curve = []
    for step, penalty in enumerate(penalties):
        point = {
            "penalty": penalty,
            "crossval_loss": float(crossval_loss[step]),
            **_errors("train", here[:, step], scores, spec.grades),
            **_errors("validation", there[:, step], validation[1], spec.grades),
        }
        log(step, point)
        curve.append({"step": step, **point})
    best = int(np.argmin(crossval_loss))
    slopes = fits[:-1, :, best] if axes is None else axes @ fits[:-1, :, best]
    last = "logits" if spec.output == "corn" else "score"
    weights = {
        "standardise.mean": mean,
        "standardise.variance": variance,
        f"{last}.kernel": slopes,
        f"{last}.bias": fits[-1, :, best],
    }
    head = Head(spec, {name: array.astype(np.float32) for name, array in weights.items()})
    return Fitted(head, pd.DataFrame(curve), best, np.clip(unseen[:, best], LOWEST, spec.grades))


def _solved(
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


def _scores(outputs: np.ndarray, spec: HeadSpec) -> np.ndarray:
    """Scores (n, penalties) of outputs (n, columns, penalties)."""
    if spec.output == "linear":
        return outputs[:, 0]  # not clipped: how far beyond the grades one is counts as well
    return np.stack([to_score(each, spec, np) for each in np.moveaxis(outputs, 2, 0)], axis=1)


def _errors(part: str, predicted: np.ndarray, scores: np.ndarray, grades: int) -> dict[str, float]:
    """Mean squared and absolute error of clipped predictions."""
    error = np.clip(predicted, LOWEST, grades) - scores
    return {f"{part}_loss": float(np.mean(error**2)), f"{part}_mae": float(np.mean(np.abs(error)))}
