"""Several members' scores into one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sabi.grading import ensembling

METHODS = ("mean", "median", "weighted")
score = st.floats(1, 5)


@st.composite
def ensembles(draw, most_members: int = 3):
    """Scores (members, n), grades (n,), a method."""
    n = draw(st.integers(1, 20))
    scores = draw(arrays(float, (draw(st.integers(1, most_members)), n), elements=score))
    grades = draw(arrays(int, n, elements=st.integers(1, 5)))
    return scores, grades, draw(st.sampled_from(METHODS))


@pytest.mark.parametrize(
    ("method", "weights", "expected"),
    [
        ("mean", [1 / 3, 1 / 3, 1 / 3], [2, 3]),
        ("median", [1 / 3, 1 / 3, 1 / 3], [1, 4]),
        ("weighted", [0.25, 0.25, 0.5], [2.5, 3.25]),
    ],
)
def test_each_method_by_hand(method, weights, expected):
    scores = np.array([[1.0, 4.0], [1.0, 1.0], [4.0, 4.0]])
    assert ensembling.combine(scores, method, weights) == pytest.approx(expected, abs=1e-12)


def test_weights_are_the_inverse_mean_squared_errors():
    grades = np.array([2, 3, 4, 5])
    scores = np.stack([grades + 0.5, grades - 0.25])  # mean squared errors 1/4 and 1/16
    assert ensembling.weights(scores, grades, "weighted") == pytest.approx([0.2, 0.8], abs=1e-12)


@given(ensembles())
def test_weights_are_one_plain_positive_number_a_member_and_sum_to_one(ensemble):
    scores, grades, method = ensemble
    weights = ensembling.weights(scores, grades, method)
    assert len(weights) == len(scores)
    assert all(type(weight) is float and weight > 0 for weight in weights)
    assert sum(weights) == pytest.approx(1, abs=1e-12)
    if method != "weighted":
        assert len(set(weights)) == 1


@given(ensembles())
def test_weighted_prefers_the_better_member(ensemble):
    scores, grades, _ = ensemble
    weights = ensembling.weights(scores, grades, "weighted")
    errors = ((scores - grades) ** 2).mean(axis=1)
    for a, b in np.ndindex(len(scores), len(scores)):
        if errors[a] < errors[b]:
            assert weights[a] >= weights[b]
        if 1e-9 < errors[a] * 1.001 < errors[b]:
            assert weights[a] > weights[b]


@given(ensembles(most_members=1))
def test_one_member_alone_keeps_its_scores_exactly(ensemble):
    scores, grades, method = ensemble
    combined = ensembling.combine(scores, method, ensembling.weights(scores, grades, method))
    assert combined.tobytes() == scores[0].tobytes()


@given(ensembles())
def test_the_score_lies_between_the_lowest_and_the_highest_member(ensemble):
    scores, grades, method = ensemble
    combined = ensembling.combine(scores, method, ensembling.weights(scores, grades, method))
    assert combined.shape == grades.shape
    assert np.all(combined >= scores.min(axis=0) - 1e-12)
    assert np.all(combined <= scores.max(axis=0) + 1e-12)


@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 300), st.sampled_from(METHODS))
def test_a_photographs_score_does_not_depend_on_the_others_by_a_bit(seed, members, n, method):
    random = np.random.default_rng(seed)
    scores, grades = random.uniform(1, 5, (members, n)), random.integers(1, 6, n)
    weights = ensembling.weights(scores, grades, method)
    rows = random.choice(n, random.integers(1, n + 1))
    some = ensembling.combine(scores[:, rows], method, weights)
    assert some.tobytes() == ensembling.combine(scores, method, weights)[rows].tobytes()
