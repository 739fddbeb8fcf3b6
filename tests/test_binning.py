"""Scores to grades: the tuned thresholds are the best there are."""

from fractions import Fraction
from itertools import combinations_with_replacement

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from sabi.binning import MIDDLE, to_grades, tune_thresholds
from sabi.grades import GRADES

WIKI = [2.3, 3.1, 3.4, 3.7]

# Thousandths, so that they are well apart; few of them, so that some are equal.
spaced = st.integers(1000, 4999).map(lambda i: i / 1000) | st.sampled_from([1.0, 2.0, 2.5, 3.0, 4.0])
grade = st.sampled_from(GRADES)
ascending = st.lists(st.floats(1, 5), min_size=4, max_size=4).map(sorted)


def photographs(scores, largest=9):
    """Lists of (score, grade) of at least two grades."""
    pairs = st.lists(st.tuples(scores, grade), min_size=2, max_size=largest)
    return pairs.filter(lambda rows: len({grade for _, grade in rows}) > 1)


def columns(rows) -> tuple[np.ndarray, np.ndarray]:
    scores, grades = zip(*rows, strict=True)
    return np.array(scores), np.array(grades)


def kappa(predicted, grades) -> float:
    return cohen_kappa_score(grades, predicted, weights="quadratic", labels=GRADES)


def every_prediction(scores) -> np.ndarray:
    """Grades (placements, n) of all ways to place four ascending cuts between distinct scores."""
    levels, level_of = np.unique(scores, return_inverse=True)
    cuts = np.array(list(combinations_with_replacement(range(len(levels) + 1), 4)))
    return 1 + (cuts[:, :, None] <= level_of).sum(axis=1)


def every_kappa(predictions, grades) -> list[Fraction]:
    """Exact quadratic kappa of each row of `predictions`, from its definition over pairs."""
    observed = ((predictions - grades) ** 2).sum(axis=1)
    chance = ((predictions[:, :, None] - grades) ** 2).sum(axis=(1, 2))
    n = len(grades)
    return [1 - Fraction(n * int(o), int(c)) for o, c in zip(observed, chance, strict=True)]


def check_best(rows) -> None:
    scores, grades = columns(rows)
    best = max(every_kappa(every_prediction(scores), grades))
    got = kappa(to_grades(scores, tune_thresholds(scores, grades)), grades)
    assert got == pytest.approx(float(best), abs=1e-12)


@given(photographs(spaced))
@settings(deadline=None, max_examples=300)
def test_tuned_thresholds_reach_the_best_kappa_of_all_placements(rows):
    check_best(rows)


@given(photographs(st.floats(1, 5)))
@example([(1.0, 1), (5.0, 4)])  # clipped at the top, where grade 5 is not wanted
@example([(1.0, 2), (5.0, 5)])
@example([(1.0, 1), (float(np.nextafter(1, 2)), 2)])  # no number lies between the two
@settings(deadline=None)
def test_tuned_thresholds_reach_the_best_kappa_for_scores_at_the_bounds_and_neighbouring_floats(rows):
    check_best(rows)


@given(photographs(spaced, largest=7))
@settings(deadline=None)
def test_of_equally_good_thresholds_the_nearest_to_the_middles_are_taken(rows):
    scores, grades = columns(rows)
    levels = np.unique(scores)
    between = (levels[1:] + levels[:-1]) / 2
    assume(len(between))
    found = tune_thresholds(scores, grades)
    best = kappa(to_grades(scores, found), grades)
    detour = np.abs(np.subtract(found, MIDDLE)).sum()
    for other in combinations_with_replacement(between, 4):
        nearer = np.abs(np.subtract(other, MIDDLE)).sum() < detour - 1e-9
        assert not nearer or kappa(to_grades(scores, other), grades) < best - 1e-12


def simulated(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Grades, and scores that err and shrink towards the middle, as a regression's do."""
    random = np.random.default_rng(seed)
    grades = random.integers(1, 6, n)
    return np.clip(3 + 0.4 * (grades - 3) + random.normal(0, 0.5, n), 1.001, 4.999), grades


@given(st.integers(50, 400), st.integers(0, 2**32 - 1), ascending)
@settings(deadline=None, max_examples=30)
def test_tuned_thresholds_are_never_worse_than_fixed_ones_or_rounding(n, seed, other):
    scores, grades = simulated(n, seed)
    tuned = kappa(to_grades(scores, tune_thresholds(scores, grades)), grades)
    for prediction in (np.rint(scores), *(to_grades(scores, t) for t in (WIKI, MIDDLE, other))):
        assert tuned >= kappa(prediction.astype(int), grades) - 1e-12


def test_no_threshold_of_two_thousand_photographs_can_be_moved_to_a_better_place():
    scores, grades = simulated(2000, seed=5)
    found = tune_thresholds(scores, grades)
    best = kappa(to_grades(scores, found), grades)
    assert best > kappa(to_grades(scores, WIKI), grades)
    for k in range(4):
        for place in np.linspace(1, 5, 50):
            moved = sorted([*found[:k], float(place), *found[k + 1 :]])
            assert kappa(to_grades(scores, moved), grades) <= best + 1e-12


@given(photographs(spaced, largest=40))
@settings(deadline=None)
def test_thresholds_are_four_ascending_numbers_within_the_scale(rows):
    found = tune_thresholds(*columns(rows))
    assert len(found) == 4
    assert found == sorted(found)
    assert found[0] >= 1 and found[3] <= 5
    assert all(type(threshold) is float for threshold in found)


@given(
    photographs(st.floats(1, 5), largest=30).flatmap(
        lambda rows: st.tuples(st.just(rows), st.permutations(rows))
    )
)
@settings(deadline=None)
def test_thresholds_do_not_depend_on_the_order_of_the_photographs(both):
    rows, shuffled = both
    assert tune_thresholds(*columns(rows)) == tune_thresholds(*columns(shuffled))


@given(st.lists(grade, max_size=20))
def test_scores_that_equal_the_grades_are_cut_in_the_middles(more):
    grades = np.array([*GRADES, *more])
    assert tune_thresholds(grades.astype(float), grades) == list(MIDDLE)


@given(st.lists(spaced, min_size=1), grade)
def test_photographs_of_one_grade_are_refused(scores, only):
    with pytest.raises(ValueError, match="at least two grades"):
        tune_thresholds(np.array(scores), np.full(len(scores), only))


def test_a_score_on_a_threshold_belongs_to_the_grade_above():
    assert to_grades(np.array(WIKI), WIKI).tolist() == [2, 3, 4, 5]
    assert to_grades(np.nextafter(WIKI, 0), WIKI).tolist() == [1, 2, 3, 4]


@given(st.lists(st.floats(1, 5) | st.sampled_from(WIKI)))
def test_the_wiki_thresholds_give_the_wiki_grades(scores):
    def wiki(score: float) -> int:
        if score < 2.3:
            return 1
        elif score < 3.1:
            return 2
        elif score < 3.4:
            return 3
        elif score < 3.7:
            return 4
        return 5

    assert to_grades(np.array(scores), WIKI).tolist() == [wiki(score) for score in scores]


@given(st.lists(st.floats(1, 5)), ascending)
def test_a_higher_score_never_gets_a_lower_grade(scores, thresholds):
    grades = to_grades(np.sort(scores), thresholds)
    assert np.all(np.diff(grades) >= 0)
    assert set(grades.tolist()) <= set(GRADES)
