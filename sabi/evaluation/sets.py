"""Whether the sets of grades keep their promise, and what they cost.

coverage           share of photographs whose set holds the inspector's grade
set_size           mean number of grades in a set
look               share of photographs that deserve a look
coverage_by_grade  the coverage of photographs of each inspector's grade
"""

from typing import Any

import numpy as np
import pandas as pd

from sabi.evaluation.metrics import bounds, plain, resampled
from sabi.grades import Grades
from sabi.settings.evaluate import Bootstrap
from sabi.tables import SET_COLUMNS

METRICS = ("coverage", "set_size", "look")


def given(judged: pd.DataFrame) -> bool:
    """Whether predictions tell sets of grades; those of results of before do not."""
    return set(SET_COLUMNS) <= set(judged)


def measure(judged: pd.DataFrame, rating: Grades) -> dict[str, Any]:
    """Point values; `judged` has columns actual, low, high (int, from 1) and look (empty if not to)."""
    every = weighted(np.ones((1, len(judged))), judged, rating)
    values = {name: plain(value[0]) for name, value in every.items()}
    by_grade = {name: values.pop(f"coverage_by_grade.{name}") for name in rating.names}
    return values | {"coverage_by_grade": by_grade}


def intervals(judged: pd.DataFrame, rating: Grades, bootstrap: Bootstrap) -> dict[str, list[float | None]]:
    """95 % intervals `[low, high]`, by the `specimen` in `judged`, as those of the other metrics are."""
    specimens, truth = judged.specimen.to_numpy(), judged.actual.to_numpy()
    times = resampled(specimens, bootstrap.resamples, bootstrap.seed)
    everywhere = np.ones(len(judged), bool)
    counted = {"coverage": everywhere, "look": everywhere}
    counted |= {f"coverage_by_grade.{name}": truth == n for n, name in enumerate(rating.names, start=1)}
    return bounds(weighted(times, judged, rating), counted, specimens)


def weighted(weights: np.ndarray, judged: pd.DataFrame, rating: Grades) -> dict[str, np.ndarray]:
    """Every metric (b,) for weights (b, n) of the photographs; NaN where it does not exist."""
    actual = judged.actual.to_numpy()
    covered = ((judged.low <= actual) & (actual <= judged.high)).to_numpy(float)
    size = (judged.high - judged.low + 1).to_numpy(float)
    total = weights.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        by_grade = {
            f"coverage_by_grade.{name}": weights @ (covered * (actual == n)) / (weights @ (actual == n))
            for n, name in enumerate(rating.names, start=1)
        }
        return {
            "coverage": weights @ covered / total,
            "set_size": weights @ size / total,
            "look": weights @ (judged.look != "").to_numpy(float) / total,
            **by_grade,
        }
