"""The promise of the sets is kept, by specimen and by grade, and is never more than what is known."""

import math

import numpy as np
import pytest
from crepes import ConformalRegressor
from hypothesis import given
from hypothesis import strategies as st

from sabi.grades import Grades
from sabi.grading.conformal import fewest, limits, quantile, sets, together

FIVE = Grades(("1", "2", "3", "4", "5"), 3)
CONFIDENCES = st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99])


def surveyed(random: np.random.Generator, specimens: int) -> tuple[np.ndarray, ...]:
    """Score, grade and specimen of photographs, one to eight a specimen, which share most of their error."""
    sizes = random.integers(1, 9, specimens)
    grade = random.integers(1, 6, specimens)
    off = random.normal(0, 0.2 + 0.2 * (grade == 1), specimens)
    specimen = np.repeat(np.arange(specimens), sizes)
    scores = np.clip(grade[specimen] + off[specimen] + random.normal(0, 0.1, len(specimen)), 1, 5)
    return scores, grade[specimen], specimen


def covered(scores, truth, known) -> np.ndarray:
    low, high = sets(scores, np.clip(scores.round().astype(int), 1, 5), known)
    return (low <= truth) & (truth <= high)


# Confidences without rounding, which crepes does not allow for.
@pytest.mark.filterwarnings("ignore:the no. of calibration examples")
@given(st.lists(st.floats(0, 4), min_size=1, max_size=300), st.sampled_from([0.5, 0.75, 0.875]))
def test_of_single_photographs_it_is_the_usual_quantile(values, confidence):
    """As crepes has it, which knows no specimens."""
    values = np.array(values)
    oracle = ConformalRegressor().fit(residuals=values)
    [[_, high]] = oracle.predict_int(np.zeros(1), confidence=confidence)
    assert quantile(values, np.arange(len(values)), confidence) == high


@given(st.integers(1, 40), st.integers(1, 9), CONFIDENCES, st.integers(0, 2**32 - 1))
def test_a_specimen_photographed_again_and_again_counts_once(specimens, times, confidence, seed):
    values = np.random.default_rng(seed).normal(size=specimens)
    names = np.arange(specimens)
    once = quantile(values, names, confidence)
    assert quantile(np.repeat(values, times), np.repeat(names, times), confidence) == once


@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.9, 0.95, 0.99])
def test_with_too_few_specimens_nothing_is_known(confidence):
    count = fewest(confidence)
    assert math.isfinite(quantile(np.zeros(count), np.arange(count), confidence))
    if count > 1:
        assert quantile(np.zeros(count - 1), np.arange(count - 1), confidence) == math.inf
    assert quantile(np.zeros(0), np.zeros(0), confidence) == math.inf
    # Photographs do not help where specimens lack.
    assert quantile(np.zeros(1000), np.zeros(1000), 0.9) == math.inf


@pytest.mark.parametrize("confidence", [0.8, 0.9])
def test_the_promise_is_kept_for_new_specimens_of_every_grade(confidence):
    """Over many surveys, a photograph of each new specimen: at least as often as promised, less 3 errors."""
    random = np.random.default_rng(5)
    found: dict[int, list[bool]] = {number: [] for number in FIVE.numbers}
    for _ in range(300):
        known = limits(*surveyed(random, 120), FIVE, confidence)
        scores, truth, specimens = surveyed(random, 20)
        _, first = np.unique(specimens, return_index=True)
        for grade, inside in zip(truth[first], covered(scores, truth, known)[first], strict=True):
            found[grade].append(bool(inside))
    for kept in found.values():
        assert np.mean(kept) >= confidence - 3 * math.sqrt(confidence * (1 - confidence) / len(kept))


def test_one_limit_for_all_would_fail_the_rare_and_hard_grade():
    """What the limits of their own are for: grade 1 scatters more."""
    random = np.random.default_rng(6)
    scores, truth, specimens = surveyed(random, 2000)
    shared = quantile(np.abs(scores - truth), specimens, 0.9)
    later, actual, _ = surveyed(random, 2000)
    apart = np.abs(later - actual)[actual == 1]
    assert np.mean(apart <= shared) < 0.85
    assert np.mean(apart <= limits(scores, truth, specimens, FIVE, 0.9)[0]) > 0.87


@pytest.mark.parametrize(
    ("counts", "groups"),
    [
        ([9, 9, 9, 9, 9], [(1,), (2,), (3,), (4,), (5,)]),
        ([9, 5, 4, 9, 9], [(1,), (2, 3), (4,), (5,)]),
        ([2, 3, 13, 30, 27], [(1, 2, 3), (4,), (5,)]),
        ([30, 0, 12, 9, 8], [(1,), (2, 3), (4, 5)]),
        ([1, 1, 1, 1, 1], [(1, 2, 3, 4, 5)]),
    ],
)
def test_grades_of_few_specimens_share_a_limit_with_their_neighbours(counts, groups):
    grade = np.repeat([1, 2, 3, 4, 5], counts)
    specimens = np.arange(len(grade))
    assert together(grade, specimens, FIVE, 0.9) == groups
    known = limits(grade + 0.1 * grade, grade, specimens, FIVE, 0.9)
    for group in groups:
        (limit,) = {known[number - 1] for number in group}
        present = [number for number in group if counts[number - 1]]
        assert limit == math.inf if len(grade) < 9 else limit == pytest.approx(0.1 * max(present), abs=0.11)


def test_a_grade_without_a_limit_is_always_in_the_set():
    known = [0.1, math.inf, math.inf, 0.4, 0.5]
    low, high = sets(np.array([1.0, 4.9]), np.array([1, 5]), known)
    assert (low.tolist(), high.tolist()) == ([1, 2], [3, 5])


@given(
    st.lists(st.tuples(st.floats(1, 5), st.integers(1, 5)), min_size=1, max_size=50),
    st.lists(st.one_of(st.just(math.inf), st.floats(0, 4)), min_size=5, max_size=5),
)
def test_a_set_is_of_neighbours_and_holds_the_grade_and_all_that_is_near(photographs, known):
    scores, grades = (np.array(column) for column in zip(*photographs, strict=True))
    low, high = sets(scores, grades, known)
    for score, grade, worst, best in zip(scores, grades, low, high, strict=True):
        near = [number for number in FIVE.numbers if abs(score - number) <= known[number - 1]]
        assert worst == min([grade, *near]) and best == max([grade, *near])
