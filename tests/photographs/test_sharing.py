"""No partition lacks a grade that has specimens enough, and no more specimens move than must."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sabi.photographs.partition import PARTITIONS, partition_of
from sabi.photographs.sharing import covered, share_out, specimens_needed
from sabi.settings.split import SoftScore, Split

SEEDS = st.integers(0, 2**32 - 1)


def chosen(seed: int, folds: int = 1, fold: int = 0, validation=0.2, test=0.2) -> Split:
    soft = SoftScore(half_width=0.2, outside="clip")
    return Split(
        seed=seed,
        specimen="(x)",
        validation=validation,
        test=test,
        folds=folds,
        fold=fold,
        min_side=1,
        max_megapixels=1.0,
        soft_score=soft,
    )


def of_one_grade(counts: list[int]) -> dict[str, set[int]]:
    """So many specimens of each grade from 1, each of one grade."""
    return {f"g{grade}-{k}": {grade} for grade, count in enumerate(counts, 1) for k in range(count)}


def drawn(grades, params: Split) -> dict[str, str]:
    shares = {"validation": params.validation, "test": params.test}
    return {
        name: partition_of(name, seed=params.seed, **shares, folds=params.folds, fold=params.fold)
        for name in grades
    }


def grades_in(shared: dict[str, str], grades: dict[str, set[int]], part: str) -> set[int]:
    return set().union(*(grades[name] for name in shared if shared[name] == part))


@given(
    counts=st.lists(st.integers(0, 9), min_size=2, max_size=6),
    seed=SEEDS,
    shares=st.sampled_from([(0.2, 0.2), (0.01, 0.01), (0.6, 0.3)]),
)
def test_every_grade_with_three_specimens_is_everywhere_and_the_fewest_move(counts, seed, shares):
    grades = of_one_grade(counts)
    params = chosen(seed, validation=shares[0], test=shares[1])
    shared, before = share_out(grades, grades, params), drawn(grades, params)
    assert list(shared) == list(grades)
    for grade, count in enumerate(counts, 1):
        mine = [name for name in grades if grade in grades[name]]
        there = {before[name] for name in mine}
        moved = [name for name in mine if shared[name] != before[name]]
        # One for each partition that the draw leaves out, where there are enough; none else.
        assert len(moved) == (len(set(PARTITIONS) - there) if count >= 3 else 0)
        assert count < 3 or {shared[name] for name in mine} == set(PARTITIONS)


@given(counts=st.lists(st.integers(0, 6), min_size=2, max_size=4), seed=SEEDS, random=st.randoms())
def test_order_does_not_matter(counts, seed, random):
    grades = of_one_grade(counts)
    other = list(grades.items())
    random.shuffle(other)
    assert share_out(grades, grades, chosen(seed)) == share_out(dict(other), grades, chosen(seed))


@given(counts=st.lists(st.integers(3, 8), min_size=2, max_size=4), more=st.integers(1, 4), seed=SEEDS)
def test_specimens_that_come_move_only_those_of_their_grade_that_were_or_are_moved(counts, more, seed):
    before, grades = of_one_grade(counts), of_one_grade([counts[0] + more, *counts[1:]])
    first, second = share_out(before, before, chosen(seed)), share_out(grades, grades, chosen(seed))
    changed = [name for name in before if first[name] != second[name]]
    plain = drawn(grades, chosen(seed))
    assert all(name.startswith("g1-") for name in changed)
    if {plain[name] for name in before if name.startswith("g1-")} == set(PARTITIONS):
        assert changed == []
    assert len(changed) <= 4  # at most two stood elsewhere before, and two do now


def possible(names: list[str], needs: dict, parts: list, least: int) -> bool:
    """By trying everything."""
    for places in itertools.product(parts, repeat=len(names)):
        at = dict(zip(names, places, strict=True))
        if all(sum(at[n] == need[1] for n in holders) >= least for need, holders in needs.items()):
            return True
    return False


@settings(max_examples=60)
@given(
    held=st.lists(st.sets(st.integers(1, 3), min_size=1), min_size=3, max_size=6),
    untrained=st.sets(st.integers(0, 5), max_size=2),
    least=st.sampled_from([1, 1, 1, 2]),
    seed=SEEDS,
)
def test_where_specimens_hold_several_grades_it_is_found_if_there_is_a_way(held, untrained, least, seed):
    grades = {f"s{k}": of for k, of in enumerate(held)}
    left_out = {f"s{k}" for k in untrained}
    needs = {
        (grade, part): {n for n in grades if grade in grades[n]} - (left_out if part == "train" else set())
        for grade in (1, 2, 3)
        for part in PARTITIONS
    }
    needs = {need: names for need, names in needs.items() if sum(need[0] in of for of in held) >= 3}
    before = drawn(grades, chosen(seed))
    shared = covered(before, needs, seed, least)
    met = all(sum(shared[n] == need[1] for n in names) >= least for need, names in needs.items())
    assert met == possible(list(grades), needs, list(PARTITIONS), least)
    assert met or shared == before


def test_a_grade_is_trained_on_where_a_photograph_would_be_left_out_of_training():
    grades = of_one_grade([3, 3])
    trained = {name: grades[name] if name in ("g1-1", "g2-0", "g2-1") else set() for name in grades}
    for seed in range(20):
        shared = share_out(grades, trained, chosen(seed))
        assert shared["g1-1"] == "train"
        assert grades_in(shared, trained, "train") == {1, 2}


@pytest.mark.parametrize("folds", [2, 3, 5, 7])
@settings(max_examples=25)
@given(extra=st.lists(st.integers(-1, 5), min_size=2, max_size=3), seed=SEEDS)
def test_every_specimen_is_tested_in_one_fold_and_each_fold_has_every_grade(folds, extra, seed):
    counts = [specimens_needed(folds) + more for more in extra]
    grades = of_one_grade(counts)
    enough = {grade for grade, more in enumerate(extra, 1) if more >= 0}
    shared = [share_out(grades, grades, chosen(seed, folds, fold, test=0.9 / folds)) for fold in range(folds)]
    for name in grades:
        assert sum(of_fold[name] == "test" for of_fold in shared) == 1
    for of_fold in shared:
        for part in PARTITIONS:
            assert enough <= grades_in(of_fold, grades, part)


@given(seed=SEEDS, folds=st.integers(1, 6))
def test_nothing_moves_where_the_draw_leaves_nothing_out(seed, folds):
    grades = of_one_grade([60, 60])
    for fold in range(folds):
        params = chosen(seed, folds, fold)
        before = drawn(grades, params)
        if all(grades_in(before, grades, part) == {1, 2} for part in PARTITIONS):
            of_folds = [drawn(grades, chosen(seed, folds, f)) for f in range(folds)]
            if all(grades_in(other, grades, "test") == {1, 2} for other in of_folds):
                assert share_out(grades, grades, params) == before


def test_the_sample_stays_as_drawn():
    """36 specimens a grade, seed 102, alone and in five folds."""
    numbers = itertools.count(1)
    grades = {f"specimen{next(numbers):03d}": {grade} for grade in range(1, 6) for _ in range(36)}
    for folds, fold in [(1, 0), *((5, fold) for fold in range(5))]:
        params = chosen(102, folds, fold)
        assert share_out(grades, grades, params) == drawn(grades, params)


def test_many_folds_and_grades_take_no_time_and_no_depth():
    grades = of_one_grade([100] * 10)
    shared = share_out(grades, grades, chosen(1, folds=100, fold=99, test=0.5))
    for part in PARTITIONS:
        assert grades_in(shared, grades, part) == set(range(1, 11))
