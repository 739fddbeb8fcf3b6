"""Partitions and soft scores: drawn from the specimen, the content and the seed, and nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from sabi.names import normal_path
from sabi.photographs.partition import PARTITIONS, partition_of, soft_score, specimen_of, ungraded

SEEDS = st.integers(0, 2**32 - 1)
SPECIMENS = [f"specimen{number:03d}" for number in range(1, 401)]
SHIPPED = "_(specimen[0-9]+)-"


def shares(draw):
    test = draw(st.floats(0.01, 0.9))
    return test, draw(st.floats(0.01, 0.99 - test, exclude_max=True))


@pytest.mark.parametrize(("validation", "test"), [(0.2, 0.2), (0.1, 0.3), (0.05, 0.9)])
def test_partitions_get_about_their_shares(validation, test):
    names = [f"{name}-{k}" for name in SPECIMENS for k in range(10)]
    parts = [partition_of(name, seed=1, validation=validation, test=test) for name in names]
    counts = [parts.count(part) / len(names) for part in PARTITIONS]
    # Three standard deviations of 4000 draws are at most 0.024.
    assert counts == pytest.approx([1 - validation - test, validation, test], abs=0.024)


@given(seed=SEEDS, name=st.text(st.characters(exclude_categories=["Cs"])), data=st.data())
def test_enlarging_the_test_share_takes_from_the_others_and_gives_nothing_back(seed, name, data):
    """test, validation, train lie in this order on one line: a longer test only pushes along it."""
    test, validation = shares(data.draw)
    more = data.draw(st.floats(0, 0.99 - test - validation))
    line = ("test", "validation", "train")
    before = partition_of(name, seed=seed, validation=validation, test=test)
    after = partition_of(name, seed=seed, validation=validation, test=test + more)
    assert line.index(after) <= line.index(before)
    if partition_of(name, seed=seed, validation=validation + more, test=test) != before:
        assert before == "train"


def test_only_border_specimens_move():
    def parts(test):
        return [partition_of(name, seed=3, validation=0.2, test=test) for name in SPECIMENS]

    moved = sum(a != b for a, b in zip(parts(0.20), parts(0.22), strict=True))
    assert 0 < moved < 0.08 * len(SPECIMENS)  # two borders of 0.02 each, and chance


@pytest.mark.parametrize("folds", [2, 3, 5, 7, 10])
def test_every_specimen_is_tested_in_exactly_one_fold_and_validates_in_some(folds):
    chosen = {"seed": 5, "validation": 0.3, "test": 0.9, "folds": folds}  # `test` is not read
    parts = np.array(
        [[partition_of(name, **chosen, fold=fold) for name in SPECIMENS] for fold in range(folds)]
    )
    assert ((parts == "test").sum(axis=0) == 1).all()
    tested = (parts == "test").mean(axis=1)
    # Four standard deviations of a share of 1/folds of 400.
    assert tested == pytest.approx(1 / folds, abs=4 * np.sqrt((folds - 1) / 400) / folds)
    validating = (parts == "validation").mean(axis=1)
    assert validating == pytest.approx(0.3, abs=4 * np.sqrt(0.3 * 0.7 / 400))


@given(SEEDS, st.integers(2, 100), st.floats(0, 1, exclude_max=True))
def test_no_draw_falls_between_two_folds(seed, folds, u):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sabi.photographs.partition.uniform", lambda *parts: u)
        parts = [
            partition_of("a", seed=seed, validation=0.3, test=0.3, folds=folds, fold=fold)
            for fold in range(folds)
        ]
    assert parts.count("test") == 1


def test_the_first_of_five_folds_is_the_shipped_split():
    """So that a cross-validation's first experiment can be told from the commit by nothing."""
    shares = {"seed": 102, "validation": 0.2, "test": 0.2}
    for name in SPECIMENS:
        assert partition_of(name, **shares) == partition_of(name, **shares, folds=5, fold=0)


def test_another_seed_shares_out_anew():
    first, second = (
        [partition_of(name, seed=seed, validation=0.3, test=0.3) for name in SPECIMENS] for seed in (1, 2)
    )
    assert 0.5 < np.mean(np.array(first) != np.array(second)) < 0.8


@pytest.mark.parametrize(
    ("path", "pattern", "specimen"),
    [
        ("3_specimen07-2.jpg", SHIPPED, "specimen07"),
        ("bridge/3_specimen07-2.jpg", SHIPPED, "specimen07"),
        ("3_sample07-2.jpg", SHIPPED, None),
        ("bridge/3_a.jpg", "^([^/]+)/", "bridge"),
        ("3_a.jpg", "_(x*)", None),  # an empty group is no name
        ("3_a.jpg", "(x)|a", None),  # nor is one that took no part
        ("3_橋-1.jpg", "_(.+)-", "橋"),
        ("3_橋１２-1.jpg", "_(橋[0-9]+)-", "橋12"),
        ("3_橋\u300012 -1.jpg", "_([^/]+)-", "橋 12"),
        ("3_ -1.jpg", "_([^/]+)-", None),
    ],
)
def test_the_specimen_is_the_pattern_s_group(path, pattern, specimen):
    assert specimen_of(path, pattern) == specimen


@pytest.mark.parametrize(
    ("path", "grade", "source", "rest"),
    [
        ("3_sample07-2.jpg", "3", "name", "sample07-2"),
        ("bridge/north/3_a.b.jpg", "3", "name", "bridge/north/a.b"),
        ("bridge.1/3_a.jpg", "3", "name", "bridge.1/a"),
        ("3_/3_3_.jpg", "3", "name", "3_/3_"),
        ("good_but_old_a.jpg", "good_but_old", "name", "a"),
        ("good/bridge/good_a.jpg", "good", "folder", "bridge/good_a"),
        ("good/good/a.jpg", "good", "folder", "good/a"),
        ("3_a.jpg", "3", "csv", "3_a"),
        ("3/a.b.jpg", "3", "csv", "3/a.b"),
        ("３_橋 1 .jpg", "3", "name", "橋 1"),
        ("３/３_a.jpg", "3", "folder", "3_a"),
    ],
)
def test_without_what_tells_its_grade_and_without_suffix_a_path_is_its_own_specimen(
    path, grade, source, rest
):
    assert ungraded(path, grade, source) == rest


@given(
    name=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0")),
    grades=st.lists(st.sampled_from(["1", "5", "10s", "good", "good_"]), min_size=2, max_size=2),
    suffixes=st.lists(st.sampled_from(["jpg", "JPEG", "png"]), min_size=2, max_size=2),
    source=st.sampled_from(["name", "folder", "csv"]),
)
def test_neither_grade_nor_suffix_makes_another_specimen(name, grades, suffixes, source):
    """Otherwise a photograph and its regraded copy could stand on both sides."""
    layout = {"name": "bridge/{}_{}.{}", "folder": "{}/bridge/{}.{}", "csv": "{1}.{2}"}[source]
    paths = [layout.format(grade, name, suffix) for grade, suffix in zip(grades, suffixes, strict=True)]
    rests = {ungraded(path, grade, source) for path, grade in zip(paths, grades, strict=True)}
    assert rests == {normal_path(name if source == "csv" else f"bridge/{name}")}


@given(seed=SEEDS, sha=st.text("0123456789abcdef"), grade=st.integers(1, 5), half_width=st.floats(0, 0.499))
def test_a_soft_score_is_within_half_a_width_of_its_grade(seed, sha, grade, half_width):
    score = soft_score(grade, sha, seed=seed, half_width=half_width)
    assert abs(score - grade) <= half_width + 1e-12
    assert score == soft_score(grade, sha, seed=seed, half_width=half_width)


def test_soft_scores_spread_evenly_over_the_width():
    scores = [soft_score(3, name, seed=9, half_width=0.2) for name in SPECIMENS]
    assert kstest(scores, "uniform", args=(2.8, 0.4)).pvalue > 0.01
