"""Scores to grades: a threshold between any two neighbouring grades, fixed or tuned."""

from fractions import Fraction

import numpy as np
import pandas as pd

from sabi.grades import LOWEST
from sabi.settings.params import Params


def middles(count: int) -> list[float]:
    """The places half-way between neighbours of `count` grades: 1.5, 2.5, ..."""
    return [grade + 0.5 for grade in range(1, count)]


def to_grades(scores: np.ndarray, thresholds: list[float]) -> np.ndarray:
    """Grades (n,) int, from 1, of scores (n,): one more than the thresholds at or below the score.

    Raises `ValueError` for a score that is not a number.
    """
    if np.isnan(scores).any():
        raise ValueError("a score is not a number")
    return 1 + np.searchsorted(np.asarray(thresholds), scores, side="right")


def thresholds_for(table: pd.DataFrame, manifest: pd.DataFrame, params: Params) -> list[float]:
    """Thresholds, by position, of the scores (path, partition, score): given, or tuned on validation."""
    if params.binning.method == "fixed":
        return params.labels.rating.by_position(params.binning.thresholds).tolist()
    validation = table[table.partition == "validation"]
    truth = manifest.grade[validation.path].to_numpy()
    return tune_thresholds(validation.score.to_numpy(), truth, len(params.labels.grades))


def tune_thresholds(scores: np.ndarray, grades: np.ndarray, count: int) -> list[float]:
    """The count - 1 thresholds with the best quadratic weighted kappa of `to_grades` against `grades`.

    The exact maximum over all thresholds, not over a grid. Kappa is 1 - N/D
    (Cohen, 1968), where for n photographs with grades t and predictions g

        N = sum over photographs of (g - t)^2,
        D = sum over photographs of d(g),  d(j) = mean over photographs of (t - j)^2:

    both are sums over the photographs of a number that depends on g alone, so
    for any fixed ratio r the predictions with the least N - r D, ascending
    with the score, come from dynamic programming over the sorted scores, and
    Dinkelbach's iteration r <- N/D ends at the least N/D after a few rounds.
    All in integers and fractions, so that it is exact. Among equally good
    thresholds the ones nearest to the `middles` are taken; each lies in
    the middle between two neighbouring scores.

    `scores` (n,) are within 1..count, `grades` (n,) are 1..count and not all
    the same (`ValueError`).
    """
    grades = np.asarray(grades, int)
    if len(set(grades.tolist())) < 2:
        raise ValueError("kappa needs photographs of at least two grades")
    levels, level_of = np.unique(scores, return_inverse=True)
    # Photographs with equal scores get equal grades: count grades at each level.
    counts = np.zeros((len(levels), count), int)
    np.add.at(counts, (level_of, grades - 1), 1)
    total = counts.sum(axis=0)
    square = np.subtract.outer(range(count), range(count)) ** 2
    # cost[j][i]: what levels 0..i-1 add to N if all are given grade j+1; likewise n times D.
    cost = np.vstack([np.zeros(count, int), np.cumsum(counts @ square, axis=0)]).T.tolist()
    chance = (square @ total).tolist()
    size = np.concatenate([[0], np.cumsum(counts.sum(axis=1))]).tolist()
    photographs = len(grades)
    edges = np.concatenate([[LOWEST], levels, [count]])
    cuts = (edges[:-1] + edges[1:]) / 2  # cuts[i] puts levels 0..i-1 below
    # The middle of two neighbouring floats, or of the best score and itself, is not above the lower one.
    cuts[1:] = np.maximum(cuts[1:], np.nextafter(levels, np.inf))
    detour = [[abs(cut - middle) for cut in cuts.tolist()] for middle in middles(count)]

    ratio = Fraction(1)
    while True:
        # n * (N - r D), times the denominator of r: integers.
        price = [
            [
                ratio.denominator * photographs * cost[j][i] - ratio.numerator * chance[j] * size[i]
                for i in range(len(cuts))
            ]
            for j in range(count)
        ]
        chosen = _cheapest_cuts(price, detour)
        bounds = [0, *chosen, len(levels)]
        spans = list(zip(range(count), bounds[:-1], bounds[1:], strict=True))
        numerator = photographs * sum(cost[j][b] - cost[j][a] for j, a, b in spans)
        denominator = sum(chance[j] * (size[b] - size[a]) for j, a, b in spans)
        better = Fraction(numerator, denominator)
        if better == ratio:
            return [float(cuts[i]) for i in chosen]
        ratio = better


def _cheapest_cuts(price: list[list[int]], detour: list[list[float]]) -> list[int]:
    """Ascending cuts that split the levels into the grades at the least price.

    price[j][i] is what the first i levels cost in grade j, detour[k][i] how far cut i is
    from the place wanted for threshold k; the detour decides between equal prices.
    """
    places = range(len(price[0]))
    # best[i]: the least (price, detour) with the first i levels given grades 0..k, and the cuts made.
    best: list[tuple[int, float, tuple[int, ...]]] = [(price[0][i], 0.0, ()) for i in places]
    for k in range(len(price) - 1):
        reach = None
        following = []
        for i in places:
            spent, away, cuts = best[i]
            # Cut k at i; what grade k+1 costs up to i is taken off again below.
            here = (spent - price[k + 1][i], away + detour[k][i], (*cuts, i))
            reach = here if reach is None else min(reach, here)
            following.append((reach[0] + price[k + 1][i], reach[1], reach[2]))
        best = following
    return list(best[-1][2])
