"""Several members' scores into one."""

import numpy as np

from sabi.settings.ensemble import Method
from sabi.settings.section import Section


class Ensemble(Section):
    """Whose scores count, and how they are combined."""

    method: Method
    weights: dict[str, float]  # by member


def weights(scores: np.ndarray, grades: np.ndarray, method: Method) -> list[float]:
    """A weight for each member, summing to 1, from its scores (members, n) on validation.

    For "weighted" the inverse of the mean squared error against `grades`
    (n,): the least variance if the members' errors were independent. Equal
    weights for "mean", and for "median", which has no use for them.
    """
    if method != "weighted":
        return [1 / len(scores)] * len(scores)
    error = np.mean((scores - grades) ** 2, axis=1)
    inverse = 1 / np.maximum(error, 1e-9)  # a member without error does not take all
    return (inverse / inverse.sum()).tolist()


def combine(scores: np.ndarray, method: Method, weights: list[float]) -> np.ndarray:
    """One score per photograph (n,) from the members' (members, n)."""
    if method == "median":
        return np.median(scores, axis=0)
    # Adding up by hand: np.average may add in another order for another number of photographs.
    return sum(weight * row for weight, row in zip(weights, scores, strict=True))
