"""Photographs are chosen that are in doubt, unlike what is known, and unlike each other."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sabi.grading.active_learning import choose


def test_one_of_each_group_comes_before_a_second_of_any():
    centres = np.array([[0, 0], [10, 0], [0, 10], [10, 10]], float)
    random = np.random.default_rng(1)
    group = np.repeat(np.arange(4), 5)
    features = centres[group] + random.normal(0, 0.1, (20, 2))
    chosen = choose(features, np.ones(20), np.full(20, 50.0), 4)
    assert {group[row] for row in chosen} == {0, 1, 2, 3}


def test_of_two_equally_far_the_more_doubtful_is_first_and_what_is_known_is_last():
    features = np.array([[0.0], [10.0], [20.0]])
    assert choose(features, np.array([1.0, 1.0, 2.0]), np.array([5.0, 5.0, 5.0]), 3)[0] == 2
    assert choose(features, np.ones(3), np.array([0.0, 5.0, 6.0]), 3)[-1] == 0


@given(st.integers(0, 30), st.integers(0, 40), st.integers(0, 2**32 - 1))
def test_each_is_chosen_once_and_never_more_than_there_are(number, count, seed):
    random = np.random.default_rng(seed)
    features, doubt = random.normal(size=(number, 3)), random.integers(0, 3, number).astype(float)
    chosen = choose(features, doubt, random.random(number), count)
    assert len(chosen) == len(set(chosen)) == min(number, count)
    # The first ones do not depend on how many are wanted.
    assert (
        choose(features, doubt, random.random(number) * 0 + 1, 1)
        == choose(features, doubt, np.ones(number), count or 1)[:1]
    )
