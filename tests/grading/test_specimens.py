"""Photographs summed up by specimen."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sabi.grades import Grades
from sabi.grading.specimens import action, roll_up

JSSC = Grades(("1", "2", "3", "4", "5"), 3)


@pytest.mark.parametrize(
    ("rating", "calls"),
    [
        (JSSC, ["act", "watch", "sound", "sound", "sound"]),
        (Grades(("defect", "good"), 2), ["act", "sound"]),
        (Grades(("a", "b", "c", "d"), 4), ["act", "watch", "watch", "sound"]),
    ],
)
def test_what_a_grade_calls_for(rating, calls):
    assert [action(position, rating) for position in rating.numbers] == calls


def test_a_specimen_is_known_by_its_worst_photograph_and_the_worst_specimen_comes_first():
    graded = pd.DataFrame(
        [
            ("b", 3, 3.2, ""),
            ("a", 2, 2.4, "border"),
            ("a", 5, 4.8, "dark unlike"),
            ("c", 2, 1.9, ""),
            ("", 1, 1.0, "border"),
        ],
        columns=["specimen", "position", "score", "look"],
    )
    table = roll_up(graded, "specimen", JSSC)
    assert table.specimen.tolist() == ["c", "a", "b"]
    assert table.worst.tolist() == ["2", "2", "3"]
    assert table.photographs.tolist() == [1, 2, 1]
    assert table["look"].tolist() == [0, 2, 0]
    assert table.bad.tolist() == [1.0, 0.5, 0.0]
    assert table.score.tolist() == [1.9, pytest.approx(3.6), 3.2]
    assert table[["act", "watch", "sound"]].to_numpy().tolist() == [[0, 1, 0], [0, 1, 1], [0, 0, 1]]


def test_medians_of_what_was_measured_stand_beside():
    graded = pd.DataFrame(
        [
            ("a", 2, 2.0, "", 100.0),
            ("a", 3, 3.0, "", 300.0),
            ("a", 3, 3.0, "", None),
            ("b", 4, 4.0, "", None),
        ],
        columns=["specimen", "position", "score", "look", "um"],
    )
    medians = roll_up(graded, "specimen", JSSC).median_um.tolist()
    assert medians[0] == 200 and pd.isna(medians[1])


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 5)), max_size=30))
def test_every_photograph_is_counted_once(photographs):
    graded = pd.DataFrame(photographs, columns=["specimen", "position"]).astype({"position": int})
    graded["score"], graded["look"] = graded.position.astype(float), ""
    table = roll_up(graded, "specimen", JSSC)
    assert table.photographs.sum() == len(photographs)
    assert (table.act + table.watch + table.sound == table.photographs).all()
    assert set(table.specimen) == {specimen for specimen, _ in photographs}
