"""Scores are shown on the scale of the grades' names, and code gets them back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sabi.grades import Grades

FIVE = Grades(tuple("12345"), 3)


@pytest.mark.parametrize(
    ("names", "scale"),
    [
        ("12345", (1, 2, 3, 4, 5)),
        ("2345", (2, 3, 4, 5)),
        (("0", "10", "20.5"), (0, 10, 20.5)),
        (("-1", "1"), (-1, 1)),
        (("defect", "good"), (1, 2)),
        (("1", "2", "good"), (1, 2, 3)),
        ("54321", (1, 2, 3, 4, 5)),
        (("1", "1.0", "2"), (1, 2, 3)),
        (("1_0", "2_0"), (1, 2)),
        (("1", "1e999"), (1, 2)),
        (("nan", "inf"), (1, 2)),
    ],
)
def test_names_are_the_scale_where_they_are_numbers_that_ascend(names, scale):
    assert Grades(tuple(names), 2).scale == scale


def test_scores_lie_straight_between_the_names():
    assert Grades(("0", "10", "40"), 2).shown([1, 1.5, 2, 2.5, 3]).tolist() == [0, 5, 10, 25, 40]
    assert Grades(tuple("2345"), 2).shown([1, 2.6, 4]) == pytest.approx([2, 3.6, 5])


@given(st.lists(st.floats(1, 5)))
def test_of_the_default_grades_not_a_bit_of_a_score_changes(scores):
    assert FIVE.shown(scores).tolist() == scores == FIVE.by_position(scores).tolist()


@given(
    st.lists(st.integers(-1000, 1000), min_size=2, max_size=9, unique=True).map(sorted),
    st.lists(st.floats(0, 1)),
)
def test_code_gets_back_the_scores_that_were_shown(names, shares):
    rating = Grades(tuple(map(str, names)), 2)
    scores = 1 + np.array(shares) * (len(names) - 1)
    assert rating.by_position(rating.shown(scores)) == pytest.approx(scores)
