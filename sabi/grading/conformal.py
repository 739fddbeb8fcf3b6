"""Sets of neighbouring grades that hold the inspector's grade as often as was promised.

Split-conformal prediction: how far scores lay from the inspector's grades on
photographs that nothing was learnt from says how far the next ones may lie.
Each grade has a limit of its own where there are enough specimens of it, else
with its neighbours (the Mondrian form, Vovk, Gammerman and Shafer, Algorithmic
Learning in a Random World, 2005, section 4.5), because one limit for all covers
rare grades badly.

Photographs of one specimen are not exchangeable, specimens are: each specimen
weighs the same, however many photographs show it, and the promise is for a
photograph of a new specimen (Lee, Barber and Willett, Distribution-free
inference with hierarchical data, 2023, hierarchical conformal prediction).
"""

import math

import numpy as np

from sabi.grades import Grades

# Sums of weights such as 1/3 + 1/3 + 1/3 may fall short of what they are by the last bits.
TOLERANCE = 1e-9


def fewest(confidence: float) -> int:
    """Specimens without which no finite limit holds with `confidence`: k of them promise k / (k + 1)."""
    return math.ceil(confidence / (1 - confidence) - TOLERANCE)


def quantile(values: np.ndarray, specimens: np.ndarray, confidence: float) -> float:
    """What a value (n,) of a new specimen does not surpass with `confidence`; infinity if none is known.

    Each of the k `specimens` (n,) weighs 1 / (k + 1), shared among its values; the rest is the new one's.
    """
    _, member, sizes = np.unique(specimens, return_inverse=True, return_counts=True)
    weights = 1 / ((len(sizes) + 1) * sizes[member])
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order]) >= confidence - TOLERANCE
    return float(values[order][np.argmax(reached)]) if reached.any() else math.inf


def limits(
    scores: np.ndarray, truth: np.ndarray, specimens: np.ndarray, rating: Grades, confidence: float
) -> list[float]:
    """How far a score may lie from each grade, by position, for that grade to be in the set.

    `scores`, the inspector's grades `truth` (int, from 1) and `specimens`, (n,) each, are of
    photographs that neither networks nor heads have learnt from. Neighbouring grades that
    `together` joins share a limit, which is infinite if even all have too few specimens.
    """
    apart = np.abs(scores - truth)
    found: dict[int, float] = {}
    for group in together(truth, specimens, rating, confidence):
        mine = np.isin(truth, group)
        found |= dict.fromkeys(group, quantile(apart[mine], specimens[mine], confidence))
    return [found[number] for number in rating.numbers]


def together(
    truth: np.ndarray, specimens: np.ndarray, rating: Grades, confidence: float
) -> list[tuple[int, ...]]:
    """The grades, by position, in groups of neighbours of `fewest` specimens each, if all have so many.

    As long as a group has too few, the one with the fewest joins the neighbour that has fewer.
    """
    groups: list[tuple[int, ...]] = [(number,) for number in rating.numbers]
    while len(groups) > 1:
        counts = [len(set(specimens[np.isin(truth, group)])) for group in groups]
        place = int(np.argmin(counts))
        if counts[place] >= fewest(confidence):
            break
        neighbours = [other for other in (place - 1, place + 1) if 0 <= other < len(groups)]
        beside = min(neighbours, key=counts.__getitem__)
        first = min(place, beside)
        groups[first : first + 2] = [groups[first] + groups[first + 1]]
    return groups


def sets(scores: np.ndarray, grades: np.ndarray, limits: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """The worst and the best grade (n,) int of each photograph's set, from `scores` and `grades` (n,).

    The set is of neighbours: grades between two that belong to it do, too, and the given one always does.
    """
    numbers = np.arange(1, len(limits) + 1)
    inside = np.abs(scores[:, None] - numbers) <= np.asarray(limits)
    inside[np.arange(len(grades)), grades - 1] = True
    low = np.argmax(inside, axis=1) + 1
    high = len(limits) - np.argmax(inside[:, ::-1], axis=1)
    return low, high
