"""Metrics agree with scikit-learn's; intervals draw whole specimens."""

import json
import warnings
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score, mean_absolute_error, recall_score

from sabi.evaluation.metrics import confusion, interval, intervals, measure, resampled, weighted
from sabi.grades import Grades
from sabi.settings.evaluate import Bootstrap

FIVE = Grades(tuple("12345"), worst_sound=3)


def named(count: int, worst_sound: int) -> Grades:
    return Grades(tuple(f"{10 * number}s" for number in range(1, count + 1)), worst_sound)


ratings = st.integers(2, 7).flatmap(lambda count: st.builds(named, st.just(count), st.integers(2, count)))


def judgements(rating: Grades, **sizes) -> st.SearchStrategy:
    grade = st.sampled_from(rating.numbers)
    row = st.tuples(grade, grade, st.floats(1, rating.highest))
    return st.tuples(st.just(rating), st.lists(row, **{"min_size": 1, "max_size": 30} | sizes))


# A rating and rows of truth, grade and score in it.
judged = ratings.flatmap(judgements)
SIX_DECIMALS = 1.001e-6


def columns(rows) -> list[np.ndarray]:
    return [np.array(column) for column in zip(*rows, strict=True)]


def flat(measured: dict) -> dict:
    """What `measure` returns, named as in `intervals`."""
    rest = {name: value for name, value in measured.items() if name not in ("photographs", "recall")}
    return rest | {f"recall.{g}": value for g, value in measured["recall"].items()}


def simulated(photographs: int, per_specimen: int) -> list[np.ndarray]:
    """Truth, grades, scores and specimens; specimens of one grade each."""
    random = np.random.default_rng(11)
    specimens = np.arange(photographs) // per_specimen
    truth = 1 + specimens % 5
    scores = np.clip(truth + random.normal(0, 1.2, photographs), 1, 5)
    return [truth, np.rint(scores).astype(int), scores, np.array([f"s{i:03}" for i in specimens])]


@given(judged)
def test_point_values_are_those_of_scikit_learn(case):
    rating, rows = case
    truth, grades, scores = columns(rows)
    measured = measure(truth, grades, scores, rating)
    with warnings.catch_warnings(action="ignore"):
        kappa = cohen_kappa_score(truth, grades, weights="quadratic", labels=rating.numbers)
    expected = {
        "accuracy": accuracy_score(truth, grades),
        "mae": mean_absolute_error(truth, scores),
        "mae_grade": mean_absolute_error(truth, grades),
        "within_one": np.mean(np.abs(truth - grades) <= 1),
        "kappa": None if np.isnan(kappa) else kappa,
        "macro_f1": f1_score(truth, grades, average="macro"),
    }
    assert {name: measured[name] for name in expected} == pytest.approx(expected, abs=SIX_DECIMALS)
    assert measured["photographs"] == len(rows)


@given(judged)
def test_recall_is_that_of_scikit_learn_and_none_for_a_grade_without_photographs(case):
    rating, rows = case
    truth, grades, scores = columns(rows)
    recall = measure(truth, grades, scores, rating)["recall"]
    assert list(recall) == list(rating.names)
    for number, name in zip(rating.numbers, rating.names, strict=True):
        if number in truth:
            expected = recall_score(truth, grades, labels=[number], average=None)[0]
            assert recall[name] == pytest.approx(expected, abs=SIX_DECIMALS)
        else:
            assert recall[name] is None


@given(judged)
def test_sensitivity_and_specificity_are_recall_on_either_side_of_the_worst_sound_grade(case):
    rating, rows = case
    truth, grades, scores = columns(rows)
    measured = measure(truth, grades, scores, rating)
    for name, bad in (("sensitivity", True), ("specificity", False)):
        there = (truth < rating.worst_sound) == bad
        expected = np.mean((grades[there] < rating.worst_sound) == bad) if there.any() else None
        assert measured[name] == pytest.approx(expected, abs=SIX_DECIMALS)


@pytest.mark.parametrize(
    ("worst_sound", "expected"), [(2, (1 / 2, 6 / 7)), (3, (3 / 4, 4 / 5)), (4, (1, 3 / 4)), (5, (1, 1 / 3))]
)
def test_sensitivity_and_specificity_by_hand(worst_sound, expected):
    truth = np.array([1, 1, 2, 2, 3, 4, 5, 5, 5])
    grades = np.array([1, 2, 1, 3, 2, 4, 5, 3, 4])
    measured = measure(truth, grades, grades.astype(float), Grades(tuple("12345"), worst_sound))
    assert (measured["sensitivity"], measured["specificity"]) == pytest.approx(expected, abs=SIX_DECIMALS)


@given(judged)
def test_a_confusion_matrix_counts_weights_by_truth_and_grade(case):
    rating, rows = case
    truth, grades, _ = columns(rows)
    weights = np.random.default_rng(len(rows)).integers(0, 4, (3, len(rows)))
    count = len(rating.names)
    expected = np.zeros((3, count, count))
    for row, (true, grade) in enumerate(zip(truth, grades, strict=True)):
        expected[:, true - 1, grade - 1] += weights[:, row]
    assert np.array_equal(confusion(weights, truth, grades, count), expected)


@given(judged)
def test_values_and_intervals_are_plain_json(case):
    rating, rows = case
    truth, grades, scores = columns(rows)
    bounds = intervals(truth, grades, scores, np.arange(len(rows)), rating, Bootstrap(resamples=100, seed=1))
    for values in (measure(truth, grades, scores, rating), bounds):
        assert json.loads(json.dumps(values, allow_nan=False)) == values


@given(judged, st.data())
def test_low_is_not_over_high_and_only_what_exists_in_no_resample_is_none(case, data):
    rating, rows = case
    specimens = data.draw(st.lists(st.sampled_from("abc"), min_size=len(rows), max_size=len(rows)))
    truth, grades, scores = columns(rows)
    bounds = intervals(truth, grades, scores, np.array(specimens), rating, Bootstrap(resamples=100, seed=3))
    assert list(bounds) == list(flat(measure(truth, grades, scores, rating)))
    for low, high in bounds.values():
        assert (low is None) == (high is None)
        assert low is None or low <= high
    for number, name in zip(rating.numbers, rating.names, strict=True):
        assert (bounds[f"recall.{name}"] == [None, None]) == (number not in truth)


def test_intervals_are_the_same_for_a_seed_and_others_for_another():
    data = simulated(60, per_specimen=2)
    first, again, other = (intervals(*data, FIVE, Bootstrap(resamples=200, seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_intervals_contain_the_point_value_and_are_no_points():
    data = simulated(200, per_specimen=2)
    point = flat(measure(*data[:3], FIVE))
    for name, (low, high) in intervals(*data, FIVE, Bootstrap(resamples=1000, seed=4)).items():
        assert low <= point[name] <= high, name
        assert low < high, name


def test_a_resample_is_its_specimens_photographs_literally_repeated():
    truth, grades, scores, specimens = columns(
        [(1, 1, 1.2, "a"), (2, 3, 3.0, "a"), (3, 2, 2.4, "b"), (3, 3, 3.3, "c"), (5, 5, 4.6, "c")]
    )
    possible = []
    for drawn in product("abc", repeat=3):
        rows = np.concatenate([np.flatnonzero(specimens == specimen) for specimen in drawn])
        possible.append(flat(measure(truth[rows], grades[rows], scores[rows], FIVE)))
    seen = []
    for seed in range(60):
        # The 2.5th and 97.5th percentiles of a single resample are its value.
        times = resampled(specimens, 1, seed)
        values = weighted(times, truth, grades, scores, FIVE)
        bounds = {name: interval(value) for name, value in values.items()}
        matching = [
            number
            for number, flatly in enumerate(possible)
            if bounds
            == {name: pytest.approx([value] * 2, abs=SIX_DECIMALS) for name, value in flatly.items()}
        ]
        assert matching, f"seed {seed}: no draw of three specimens gives {bounds}"
        seen += matching
    assert set(seen) == set(range(len(possible))), "some draw never comes"


@pytest.mark.parametrize("copies", [2, 7])
def test_copies_of_a_specimens_photograph_do_not_narrow_the_intervals(copies):
    data = simulated(40, per_specimen=1)
    once = intervals(*data, FIVE, Bootstrap(resamples=300, seed=8))
    repeated = intervals(
        *(np.repeat(column, copies) for column in data), FIVE, Bootstrap(resamples=300, seed=8)
    )
    for name, bounds in once.items():
        assert repeated[name] == pytest.approx(bounds, abs=SIX_DECIMALS)
