"""Figures of merit against the inspector's grade, with bootstrap intervals.

All but the score's error are functions of the confusion matrix, so a
bootstrap needs one matrix product and no loop.
"""

from typing import Any

import numpy as np
import pandas as pd

from sabi.grades import Grades
from sabi.settings.evaluate import Bootstrap

# Those that are one number; recall is one a grade.
METRICS = (
    "accuracy",
    "mae",
    "mae_grade",
    "within_one",
    "kappa",
    "macro_f1",
    "sensitivity",
    "specificity",
)

# What is shown first, in this order.
HEADLINE = ("accuracy", "kappa", "mae", "within_one", "sensitivity", "specificity")


# Under it, missed bad rust is what is to be known first.
LOW_SENSITIVITY = 0.8


def headline(metrics: dict[str, Any]) -> list[str]:
    """`HEADLINE`, sensitivity first where it is low."""
    sensitivity = metrics["sensitivity"]
    if sensitivity is None or sensitivity >= LOW_SENSITIVITY:
        return [*HEADLINE]
    return ["sensitivity", *(name for name in HEADLINE if name != "sensitivity")]


def measure(truth: np.ndarray, grades: np.ndarray, scores: np.ndarray, rating: Grades) -> dict[str, Any]:
    """Point values of all metrics, and the number of photographs.

    `truth` and `grades` are (n,) int, numbers of `rating`, `scores` (n,) the
    scores the grades were made from. Sensitivity is the share of photographs
    worse than the worst sound grade that are graded so, specificity that of
    the others. A metric that does not exist (recall of a grade without
    photographs) is None.
    """
    every = weighted(np.ones((1, len(truth))), truth, grades, scores, rating)
    values = {name: plain(value[0]) for name, value in every.items()}
    recall = {name: values.pop(f"recall.{name}") for name in rating.names}
    return {"photographs": len(truth), **values, "recall": recall}


def intervals(
    truth: np.ndarray,
    grades: np.ndarray,
    scores: np.ndarray,
    specimens: np.ndarray,
    rating: Grades,
    bootstrap: Bootstrap,
) -> dict[str, list[float | None]]:
    """95 % percentile bootstrap intervals `[low, high]` of all metrics.

    Whole specimens are drawn with replacement (cluster bootstrap; Davison and
    Hinkley, 1997, section 3.8), because photographs of one piece of steel are
    not independent. Resamples in which a metric does not exist are left out. For shares
    of which all resamples agree, see `bounds`.
    """
    times = resampled(specimens, bootstrap.resamples, bootstrap.seed)
    everywhere, bad = np.ones(len(truth), bool), truth < rating.worst_sound
    counted = {"accuracy": everywhere, "within_one": everywhere, "sensitivity": bad, "specificity": ~bad}
    counted |= {f"recall.{name}": truth == n for n, name in enumerate(rating.names, start=1)}
    return bounds(weighted(times, truth, grades, scores, rating), counted, specimens)


def bounds(
    values: dict[str, np.ndarray], counted: dict[str, np.ndarray], specimens: np.ndarray
) -> dict[str, list[float | None]]:
    """The intervals of a bootstrap's `values` (b,) by name.

    `counted` says of the shares among them which photographs (n,) bool they count. Where all
    resamples agree, as they do on none and on all, a bootstrap would be sure of what a few
    specimens show: there the interval is Clopper and Pearson's, over the specimens counted.
    """
    found = {name: interval(value) for name, value in values.items()}
    for name, mask in counted.items():
        low, high = found[name]
        if low is not None and low == high:
            found[name] = clopper_pearson(low, len(set(specimens[mask])))
    return found


def clopper_pearson(share: float, count: int) -> list[float | None]:
    """95 % interval `[low, high]` of a `share` of `count` (Clopper and Pearson, Biometrika 26, 1934)."""
    from scipy.stats import beta

    there = share * count
    low = beta.ppf(0.025, there, count - there + 1) if share > 0 else 0.0
    high = beta.ppf(0.975, there + 1, count - there) if share < 1 else 1.0
    return [plain(low), plain(high)]


def counts(truth: np.ndarray, grades: np.ndarray, specimens: np.ndarray, rating: Grades) -> dict[str, int]:
    """Numbers behind sensitivity and specificity: photographs, those found or kept, and specimens.

    "bad" is worse than the worst sound grade.
    """
    bad, called_bad = truth < rating.worst_sound, grades < rating.worst_sound
    return {
        "bad": int(bad.sum()),
        "bad_found": int((bad & called_bad).sum()),
        "bad_specimens": len(set(specimens[bad])),
        "sound": int((~bad).sum()),
        "sound_kept": int((~bad & ~called_bad).sum()),
        "sound_specimens": len(set(specimens[~bad])),
    }


def resampled(specimens: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """How many times (resamples, n) each photograph is in each resample of the `specimens` (n,)."""
    _, specimen = np.unique(specimens, return_inverse=True)
    count = specimen.max() + 1
    drawn = np.random.default_rng(seed).integers(0, count, (resamples, count))
    times = np.zeros((resamples, count))
    np.add.at(times, (np.arange(resamples)[:, None], drawn), 1)
    return times[:, specimen]


def interval(values: np.ndarray) -> list[float | None]:
    """95 % percentile interval `[low, high]` of a bootstrap's values (b,), NaN left out."""
    there = values[~np.isnan(values)]
    ends = np.percentile(there, [2.5, 97.5]) if len(there) else [np.nan, np.nan]
    return [plain(bound) for bound in ends]


def confusion(weights: np.ndarray, truth: np.ndarray, grades: np.ndarray, count: int) -> np.ndarray:
    """Confusion matrices (b, count, count), rows the truth, from weights (b, n) of the photographs."""
    cell = np.zeros((len(truth), count**2))
    cell[np.arange(len(truth)), count * (truth - 1) + grades - 1] = 1
    return (weights @ cell).reshape(-1, count, count)


def weighted(
    weights: np.ndarray, truth: np.ndarray, grades: np.ndarray, scores: np.ndarray, rating: Grades
) -> dict[str, np.ndarray]:
    """Every metric (b,) for weights (b, n) of the photographs; NaN where it does not exist."""
    table = confusion(weights, truth, grades, len(rating.names))
    total = table.sum(axis=(1, 2))
    true, predicted = table.sum(axis=2), table.sum(axis=1)
    right = np.diagonal(table, axis1=1, axis2=2)
    apart = np.abs(np.subtract.outer(rating.numbers, rating.numbers))
    chance = true[:, :, None] * predicted[:, None, :] / total[:, None, None]
    bad = slice(0, rating.worst_sound - 1)
    sound = slice(rating.worst_sound - 1, None)
    with np.errstate(invalid="ignore", divide="ignore"):
        f1 = 2 * right / (true + predicted)
        recall = right / true
        return {
            "accuracy": right.sum(axis=1) / total,
            "mae": (weights @ np.abs(scores - truth)) / total,
            "mae_grade": (table * apart).sum(axis=(1, 2)) / total,
            "within_one": (table * (apart <= 1)).sum(axis=(1, 2)) / total,
            "kappa": 1 - (table * apart**2).sum(axis=(1, 2)) / (chance * apart**2).sum(axis=(1, 2)),
            "macro_f1": np.nanmean(f1, axis=1),
            "sensitivity": table[:, bad, bad].sum(axis=(1, 2)) / true[:, bad].sum(axis=1),
            "specificity": table[:, sound, sound].sum(axis=(1, 2)) / true[:, sound].sum(axis=1),
            **{f"recall.{name}": recall[:, row] for row, name in enumerate(rating.names)},
        }


def plain(value: float) -> float | None:
    """A number for JSON, to six decimals; None for NaN."""
    return None if np.isnan(value) else round(float(value), 6)


def score_errors(known: pd.DataFrame) -> dict[str, float]:
    """Errors of the scores, in grades: what settings are to be chosen by, on validation.

    Of scores, not grades: the thresholds were tuned on the same photographs.
    """
    error = (known.score - known.grade_true).to_numpy()
    return {
        "mae": round(float(np.mean(np.abs(error))), 6),
        "rmse": round(float(np.sqrt(np.mean(error**2))), 6),
    }
