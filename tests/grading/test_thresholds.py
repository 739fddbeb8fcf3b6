"""Scores to grades: the tuned thresholds are the best there are."""

from fractions import Fraction
from itertools import combinations_with_replacement

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from sabi.grading.thresholds import middles, to_grades, tune_thresholds

GRADES = (1, 2, 3, 4, 5)
WIKI = [2.3, 3.1, 3.4, 3.7]

grade = st.sampled_from(GRADES)
ascending = st.lists(st.floats(1, 5), min_size=4, max_size=4).map(sorted)


def spaced(count=5):
    """Thousandths, so that they are well apart; few of them, so that some are equal."""
    common = [common for common in (1.0, 2.0, 2.5, 3.0, 4.0) if common < count]
    return st.integers(1000, 1000 * count - 1).map(lambda i: i / 1000) | st.sampled_from(common)


def anywhere(count=5):
    return st.floats(1, count)


def photographs(scores, count=5, largest=9):
    """Lists of (score, grade) of at least two of `count` grades."""
    pairs = st.lists(st.tuples(scores, st.integers(1, count)), min_size=2, max_size=largest)
    return pairs.filter(lambda rows: len({grade for _, grade in rows}) > 1)


def of_any_rating(scores):
    """A number of grades, and photographs of so many; fewer where there are many ways to cut."""
    sizes = {2: 9, 3: 9, 4: 9, 5: 8, 6: 6, 8: 4}
    return st.sampled_from(list(sizes)).flatmap(
        lambda count: st.tuples(st.just(count), photographs(scores(count), count, sizes[count]))
    )


def columns(rows) -> tuple[np.ndarray, np.ndarray]:
    scores, grades = zip(*rows, strict=True)
    return np.array(scores), np.array(grades)


def kappa(predicted, grades) -> float:
    # More labels than grades change nothing; fewer would be taken for neighbours.
    return cohen_kappa_score(grades, predicted, weights="quadratic", labels=range(1, 10))


def every_prediction(scores, count) -> np.ndarray:
    """Grades (placements, n) of all ways to place ascending cuts between distinct scores."""
    levels, level_of = np.unique(scores, return_inverse=True)
    cuts = np.array(list(combinations_with_replacement(range(len(levels) + 1), count - 1)))
    return 1 + (cuts[:, :, None] <= level_of).sum(axis=1)


def every_kappa(predictions, grades) -> list[Fraction]:
    """Exact quadratic kappa of each row of `predictions`, from its definition over pairs."""
    observed = ((predictions - grades) ** 2).sum(axis=1)
    chance = ((predictions[:, :, None] - grades) ** 2).sum(axis=(1, 2))
    n = len(grades)
    return [1 - Fraction(n * int(o), int(c)) for o, c in zip(observed, chance, strict=True)]


def check_best(count, rows) -> None:
    scores, grades = columns(rows)
    found = to_grades(scores, tune_thresholds(scores, grades, count))
    [got] = every_kappa(found[None], grades)
    assert got == max(every_kappa(every_prediction(scores, count), grades))
    assert kappa(found, grades) == pytest.approx(float(got), abs=1e-12)


@given(of_any_rating(spaced))
@settings(max_examples=200)
def test_tuned_thresholds_reach_the_best_kappa_of_all_placements(rated):
    check_best(*rated)


@given(of_any_rating(anywhere))
@example((5, [(1.0, 1), (5.0, 4)]))  # clipped at the top, where grade 5 is not wanted
@example((5, [(1.0, 2), (5.0, 5)]))
@example((2, [(1.0, 1), (2.0, 2)]))
@example((3, [(1.0, 1), (float(np.nextafter(1, 2)), 2)]))  # no number lies between the two
def test_tuned_thresholds_reach_the_best_kappa_for_scores_at_the_bounds_and_neighbouring_floats(rated):
    check_best(*rated)


@given(photographs(spaced(), largest=7))
def test_of_equally_good_thresholds_the_nearest_to_the_middles_are_taken(rows):
    scores, grades = columns(rows)
    levels = np.unique(scores)
    between = (levels[1:] + levels[:-1]) / 2
    assume(len(between))
    found = tune_thresholds(scores, grades, 5)
    best = kappa(to_grades(scores, found), grades)
    detour = np.abs(np.subtract(found, middles(5))).sum()
    for other in combinations_with_replacement(between, 4):
        nearer = np.abs(np.subtract(other, middles(5))).sum() < detour - 1e-9
        assert not nearer or kappa(to_grades(scores, other), grades) < best - 1e-12


def simulated(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Grades, and scores that err and shrink towards the middle, as a regression's do."""
    random = np.random.default_rng(seed)
    grades = random.integers(1, 6, n)
    return np.clip(3 + 0.4 * (grades - 3) + random.normal(0, 0.5, n), 1.001, 4.999), grades


@given(st.integers(50, 400), st.integers(0, 2**32 - 1), ascending)
@settings(max_examples=30)
def test_tuned_thresholds_are_never_worse_than_fixed_ones_or_rounding(n, seed, other):
    scores, grades = simulated(n, seed)
    tuned = kappa(to_grades(scores, tune_thresholds(scores, grades, 5)), grades)
    for prediction in (np.rint(scores), *(to_grades(scores, t) for t in (WIKI, middles(5), other))):
        assert tuned >= kappa(prediction.astype(int), grades) - 1e-12


def test_no_threshold_of_two_thousand_photographs_can_be_moved_to_a_better_place():
    scores, grades = simulated(2000, seed=5)
    found = tune_thresholds(scores, grades, 5)
    best = kappa(to_grades(scores, found), grades)
    assert best > kappa(to_grades(scores, WIKI), grades)
    for k in range(4):
        for place in np.linspace(1, 5, 50):
            moved = sorted([*found[:k], float(place), *found[k + 1 :]])
            assert kappa(to_grades(scores, moved), grades) <= best + 1e-12


@given(of_any_rating(spaced))
def test_thresholds_are_one_fewer_than_grades_ascending_and_within_the_scale(rated):
    count, rows = rated
    found = tune_thresholds(*columns(rows), count)
    assert len(found) == count - 1
    assert found == sorted(found)
    assert found[0] >= 1 and found[-1] <= count
    assert all(type(threshold) is float for threshold in found)


@given(
    photographs(st.floats(1, 5), largest=30).flatmap(
        lambda rows: st.tuples(st.just(rows), st.permutations(rows))
    )
)
def test_thresholds_do_not_depend_on_the_order_of_the_photographs(both):
    rows, shuffled = both
    assert tune_thresholds(*columns(rows), 5) == tune_thresholds(*columns(shuffled), 5)


@given(st.integers(2, 9).flatmap(lambda k: st.tuples(st.just(k), st.lists(st.integers(1, k), max_size=20))))
def test_scores_that_equal_the_grades_are_cut_in_the_middles(rated):
    count, more = rated
    grades = np.array([*range(1, count + 1), *more])
    assert tune_thresholds(grades.astype(float), grades, count) == middles(count)


@given(st.lists(spaced(), min_size=1), grade)
def test_photographs_of_one_grade_are_refused(scores, only):
    with pytest.raises(ValueError, match="at least two grades"):
        tune_thresholds(np.array(scores), np.full(len(scores), only), 5)


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
