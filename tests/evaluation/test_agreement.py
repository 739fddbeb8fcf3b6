"""How far inspectors agree, counted by hand and by the packages' own examples."""

import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from sabi.evaluation.agreement import agreement
from sabi.grades import Grades

FIVE = Grades(("1", "2", "3", "4", "5"), 3)
NOTHING = pd.DataFrame({"path": [], "predicted": []})


def given(*rows: tuple[str, str, int]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["path", "inspector", "grade"])


def test_without_inspectors_there_is_nothing_to_say():
    assert agreement(given(), NOTHING, FIVE) == {}


def test_alpha_of_krippendorffs_own_example():
    """Of twelve units by four observers: 0.815 for ordinal values (Krippendorff, Computing alpha, 2011)."""
    ratings = {
        "A": [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
        "B": [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
        "C": [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
        "D": [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
    }
    rows = [
        (f"{unit}.jpg", name, grade)
        for name, grades in ratings.items()
        for unit, grade in enumerate(grades)
        if grade is not None
    ]
    assert agreement(given(*rows), NOTHING, FIVE)["alpha"] == pytest.approx(0.815, abs=5e-4)


def test_each_is_held_against_the_others_median_and_the_model_against_each():
    rows = [("a", "mori", 1), ("b", "mori", 3), ("c", "mori", 5), ("d", "mori", 2)]
    rows += [("a", "sato", 1), ("b", "sato", 4), ("c", "sato", 5), ("a", "ueda", 2), ("b", "ueda", 4)]
    found = agreement(given(*rows), pd.DataFrame({"path": ["a", "c"], "predicted": [1, 4]}), FIVE)
    mori = found["inspectors"]["mori"]
    assert (mori["photographs"], mori["shared"], mori["tested"]) == (4, 3, 2)
    # Of an even number the worse: a 1, b 4, c 5.
    labels = [1, 2, 3, 4, 5]
    assert mori["kappa"] == pytest.approx(
        cohen_kappa_score([1, 3, 5], [1, 4, 5], weights="quadratic", labels=labels), abs=1e-6
    )
    assert mori["model"] == pytest.approx(
        cohen_kappa_score([1, 5], [1, 4], weights="quadratic", labels=labels), abs=1e-6
    )
    assert found["inspectors"]["ueda"]["tested"] == 1


def test_of_one_inspector_there_is_no_agreement():
    found = agreement(given(("a", "mori", 1), ("b", "mori", 2)), NOTHING, FIVE)
    assert found["alpha"] is None
    assert found["inspectors"]["mori"] == {
        "photographs": 2,
        "shared": 0,
        "kappa": None,
        "tested": 0,
        "model": None,
    }
