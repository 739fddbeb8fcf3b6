"""Coverage, size and share to look at, counted by hand; and intervals that know how few there are."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from sabi.evaluation import sets
from sabi.evaluation.metrics import bounds, clopper_pearson, counts
from sabi.grades import Grades
from sabi.settings.evaluate import Bootstrap

FIVE = Grades(("1", "2", "3", "4", "5"), 3)
JUDGED = pd.DataFrame(
    [(1, 1, 2, "border", "a"), (1, 2, 3, "", "b"), (3, 3, 3, "", "c"), (5, 4, 5, "unlike", "c")],
    columns=["actual", "low", "high", "look", "specimen"],
)


def test_each_is_what_one_counts_by_hand():
    assert sets.measure(JUDGED, FIVE) == {
        "coverage": 0.75,
        "set_size": 1.75,
        "look": 0.5,
        "coverage_by_grade": {"1": 0.5, "2": None, "3": 1.0, "4": None, "5": 1.0},
    }


def test_intervals_are_over_specimens_and_honest_where_all_agree():
    found = sets.intervals(JUDGED, FIVE, Bootstrap(seed=1, resamples=400))
    assert found["coverage"][0] < 0.75 <= found["coverage"][1]
    assert found["coverage_by_grade.2"] == [None, None]
    # One specimen was found: the lower bound is that of one of one.
    assert found["coverage_by_grade.5"] == [0.025, 1.0]
    assert found["set_size"] != [1.75, 1.75]


@pytest.mark.parametrize(("share", "count"), [(0.0, 4), (1.0, 4), (1.0, 33), (0.5, 4), (0.25, 40)])
def test_the_bounds_are_those_of_the_textbook(share, count):
    expected = binomtest(int(share * count), count).proportion_ci(method="exact")
    assert clopper_pearson(share, count) == pytest.approx([*expected], abs=1e-6)


def test_only_shares_of_which_all_resamples_agree_get_other_bounds():
    values = {"accuracy": np.array([0.5, 0.75, 1.0]), "within_one": np.ones(3), "mae": np.zeros(3)}
    specimens = np.array(["a", "a", "b", "c"])
    counted = dict.fromkeys(("accuracy", "within_one"), np.ones(4, bool))
    found = bounds(values, counted, specimens)
    assert found["accuracy"] == [pytest.approx(0.5125), pytest.approx(0.9875)]
    assert found["within_one"] == [pytest.approx(0.025 ** (1 / 3), abs=1e-6), 1.0]
    assert found["mae"] == [0.0, 0.0]


def test_what_was_found_is_counted_on_either_side_of_the_border():
    truth, grades = np.array([1, 2, 2, 3, 5, 4]), np.array([2, 2, 3, 2, 5, 4])
    specimens = np.array(["a", "b", "b", "c", "d", "d"])
    assert counts(truth, grades, specimens, FIVE) == {
        "bad": 3,
        "bad_found": 2,
        "bad_specimens": 2,
        "sound": 3,
        "sound_kept": 2,
        "sound_specimens": 2,
    }
