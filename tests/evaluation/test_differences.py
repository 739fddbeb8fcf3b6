"""Better, worse or cannot tell: against simulations whose truth is known, and by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from sabi.evaluation.differences import Difference, common, differences, mcnemar, verdict
from sabi.evaluation.metrics import METRICS, measure
from sabi.grades import Grades

RATING = Grades(("1", "2", "3", "4", "5"), 3)
DRAWN = {"resamples": 400, "seed": 5}


def table(actual, predicted, scores=None, specimens=None) -> pd.DataFrame:
    actual = np.asarray(actual)
    return pd.DataFrame(
        {
            "path": [f"{i}.jpg" for i in range(len(actual))],
            "sha256": [f"{i:064x}" for i in range(len(actual))],
            "specimen": np.arange(len(actual)) // 3 if specimens is None else specimens,
            "actual": actual,
            "predicted": predicted,
            "score": np.asarray(predicted, float) if scores is None else scores,
        }
    )


def drawn(rng, photographs: int, right: float, actual=None) -> pd.DataFrame:
    """Predictions that are right with a probability, else off by one."""
    actual = rng.integers(1, 6, photographs) if actual is None else actual
    off = np.where(actual == 5, -1, 1)
    return table(actual, np.where(rng.random(photographs) < right, actual, actual + off))


grades = st.lists(st.tuples(*[st.integers(1, 5)] * 3), min_size=1, max_size=30)


@settings(max_examples=50)
@given(grades)
def test_values_are_the_metrics_and_swapping_turns_the_sign(rows):
    actual, first, second = (np.array(column) for column in zip(*rows, strict=True))
    base, new = table(actual, first), table(actual, second)
    there = differences(base, new, RATING, **DRAWN)
    back = differences(new, base, RATING, **DRAWN)
    assert tuple(there) == METRICS
    point = measure(actual, second, second.astype(float), RATING)
    for name in METRICS:
        one, other = there[name], back[name]
        assert one.new == point[name] and (one.base, one.new) == (other.new, other.base)
        if one.value is not None:
            assert one.value == pytest.approx(one.new - one.base, abs=2e-6) and one.value == -other.value
            assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=2e-6)


@settings(max_examples=30)
@given(grades)
def test_the_same_predictions_do_not_differ(rows):
    actual, predicted, _ = (np.array(column) for column in zip(*rows, strict=True))
    same = table(actual, predicted)
    for difference in differences(same, same.copy(), RATING, **DRAWN).values():
        assert verdict(difference, "higher", len(same), 40) in ("no difference", "does not exist")
    assert mcnemar(same, same.copy()) == (0, 0, 1.0)


def test_a_real_difference_is_seen_and_its_direction_named():
    rng = np.random.default_rng(1)
    worse = drawn(rng, 300, 0.6)
    better = drawn(rng, 300, 0.9, worse.actual.to_numpy())
    found = differences(worse, better, RATING, **DRAWN)
    assert verdict(found["accuracy"], "higher", 300, 40) == "better"
    assert verdict(found["mae"], "lower", 300, 40) == "better"
    back = differences(better, worse, RATING, **DRAWN)
    assert verdict(back["accuracy"], "higher", 300, 40) == "worse"
    assert verdict(back["mae"], "lower", 300, 40) == "worse"


def test_a_difference_of_two_photographs_is_none_that_one_could_tell():
    rng = np.random.default_rng(2)
    base = drawn(rng, 99, 0.85)
    new = base.copy()
    wrong = np.flatnonzero(base.actual != base.predicted)[:2]
    new.loc[wrong, "predicted"] = new.actual[wrong]
    difference = differences(base, new, RATING, **DRAWN)["accuracy"]
    assert difference.value == pytest.approx(2 / 99, abs=1e-6)
    assert verdict(difference, "higher", 99, 40) == "cannot tell with 99 photographs"


def test_where_nothing_differs_the_interval_leaves_out_zero_in_about_one_of_twenty():
    """The rate of false alarms of the paired bootstrap, on 80 pairs of equally good results."""
    rng = np.random.default_rng(3)
    alarms = 0
    for _ in range(80):
        base = drawn(rng, 120, 0.8)
        new = drawn(rng, 120, 0.8, base.actual.to_numpy())
        difference = differences(base, new, RATING, resamples=300, seed=7)["accuracy"]
        alarms += verdict(difference, "higher", 120, 40) in ("better", "worse")
    # Of 80 at 5 %: more than 11 has a probability under 0.1 %.
    assert alarms <= 11


def test_photographs_of_one_specimen_are_not_counted_as_independent():
    rng = np.random.default_rng(4)
    actual = np.repeat(rng.integers(2, 5, 20), 10)
    right = np.repeat(rng.random(20) < 0.7, 10)  # a specimen is graded right as a whole, or wrong
    base, new = table(actual, np.where(right, actual, actual + 1)), table(actual, actual)
    alone = differences(base.assign(specimen=range(200)), new.assign(specimen=range(200)), RATING, **DRAWN)[
        "accuracy"
    ]
    whole = np.repeat(np.arange(20), 10)
    together = differences(base.assign(specimen=whole), new.assign(specimen=whole), RATING, **DRAWN)[
        "accuracy"
    ]
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_mcnemar_is_the_exact_binomial_test_of_the_discordant_photographs():
    actual = np.full(40, 3)
    base = table(actual, np.where(np.arange(40) < 30, 3, 4))
    new = table(actual, np.where((np.arange(40) >= 2) & (np.arange(40) < 39), 3, 4))
    lost, won, p = mcnemar(base, new)
    assert (lost, won) == (2, 9)
    assert p == pytest.approx(2 * binom.cdf(2, 11, 0.5))


def test_a_metric_without_photographs_does_not_exist():
    good = table([3, 4, 5], [3, 4, 5])
    found = differences(good, good, RATING, **DRAWN)["sensitivity"]
    assert found == Difference(None, None, None, None, None)
    assert verdict(found, "higher", 3, 40) == "does not exist"


def test_common_photographs_are_those_of_the_same_content_and_grade():
    base = table([1, 2, 3, 4], [1, 2, 3, 4])
    new = base.iloc[[3, 2, 1]].assign(path=["renamed.jpg", "2.jpg", "1.jpg"], predicted=[5, 5, 5])
    new.loc[2, "actual"] = 4  # graded anew
    one, other = common(base, new)
    assert one.sha256.tolist() == other.sha256.tolist() == [f"{i:064x}" for i in (1, 3)]
    assert one.predicted.tolist() == [2, 4] and other.predicted.tolist() == [5, 5]
    assert list(one) == list(base)


def test_of_a_handful_of_specimens_nothing_can_be_told():
    """All photographs of one specimen change together: its interval has no width."""
    actual = np.full(30, 3)
    for specimens, told in ((1, False), (9, False), (10, True)):
        of = np.arange(30) % specimens
        base, new = table(actual, actual, specimens=of), table(actual, actual + 1, specimens=of)
        difference = differences(base, new, RATING, **DRAWN)["accuracy"]
        said = verdict(difference, "higher", 30, specimens)
        assert said == ("worse" if told else "cannot tell with 30 photographs")
