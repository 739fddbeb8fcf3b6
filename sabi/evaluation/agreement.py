"""How far inspectors agree: the ceiling that a model is measured against.

alpha   Krippendorff's for ordinal grades (Content Analysis, 2004, chapter 11): 1 is
        perfect agreement, 0 what chance gives
kappa   quadratic weighted, of one inspector's grades against the median of the others',
        on the photographs that both have graded
"""

import statistics
from typing import Any

import numpy as np
import pandas as pd

from sabi.grades import Grades


def agreement(given: pd.DataFrame, predictions: pd.DataFrame, rating: Grades) -> dict[str, Any]:
    """`alpha`, and by inspector the photographs shared with others, `kappa` against them, and the model's.

    `given` (path, inspector, grade by position) are the inspectors' grades, `predictions` (path,
    predicted by position) those of test photographs. `model` is the kappa of the model's grades
    with the inspector's on the `tested` of these. What does not exist is None; without
    inspectors it is empty.
    """
    if given.empty:
        return {}
    table = given.pivot(index="path", columns="inspector", values="grade")
    inspectors, judged = {}, predictions.set_index("path").predicted
    for name in table:
        others = table.drop(columns=name).dropna(how="all")
        both = others.index.intersection(table[name].dropna().index)
        median = [statistics.median_low(row.dropna()) for _, row in others.loc[both].iterrows()]
        mine = table[name].dropna().astype(int)
        tested = judged.index.intersection(mine.index)
        inspectors[str(name)] = {
            "photographs": len(mine),
            "shared": len(both),
            "kappa": _kappa(mine[both], np.array(median, int), rating),
            "tested": len(tested),
            "model": _kappa(mine[tested], judged[tested], rating),
        }
    return {"alpha": _alpha(table), "inspectors": inspectors}


def _alpha(table: pd.DataFrame) -> float | None:
    import krippendorff

    several = table[table.notna().sum(axis=1) > 1]
    values = several.to_numpy(float)
    if len(np.unique(values[~np.isnan(values)])) < 2:
        return None  # of a single grade, or of photographs that nobody else has graded
    return round(float(krippendorff.alpha(values.T, level_of_measurement="ordinal")), 6)


def _kappa(one: pd.Series, other: np.ndarray | pd.Series, rating: Grades) -> float | None:
    from sklearn.metrics import cohen_kappa_score

    first, second = np.asarray(one, int), np.asarray(other, int)
    if len(set(first) | set(second)) < 2:
        return None
    return round(float(cohen_kappa_score(first, second, weights="quadratic", labels=rating.numbers)), 6)
