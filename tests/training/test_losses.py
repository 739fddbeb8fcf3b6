"""Losses are their formulas, of scores and of ordinal outputs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sabi.models.head import HeadSpec, to_score
from sabi.settings.train import Loss
from sabi.training.losses import above, loss

pytestmark = pytest.mark.slow


def spec_of(output: str, grades: int) -> HeadSpec:
    return HeadSpec(features=1, grades=grades, units=[], dropout=0.0, output=output)


def of_loss(true, outputs, output="linear", grades=5, **values):
    settings = {"name": "penalised", "margin": 0.5, "penalty": 2.0, "asymmetry": 0.0} | values
    function = loss(Loss(**settings), spec_of(output, grades), worst_sound=3)
    return np.asarray(function(np.float32(true)[:, None], np.float32(outputs)))


@pytest.mark.parametrize(
    ("name", "factor"), [("mse", (0, 0)), ("penalised", (1, 2.25)), ("strong", (1, 3.375))]
)
def test_losses_are_their_formulas(name, factor):
    got = of_loss([3, 3, 3], [[3.4], [4.5], [1.0]], name=name)
    by_hand = [0.4**2, 1.5**2 + 2 * factor[0], 2.0**2 + 2 * factor[1]]
    assert np.allclose(got, by_hand, rtol=1e-5)


@pytest.mark.parametrize("output", ["linear", "coral", "corn"])
def test_asymmetry_makes_only_calling_bad_rust_good_dearer(output):
    true = [1, 2, 2, 3, 4]
    given = [[2.0], [3.0], [1.5], [4.0], [5.0]]  # the first two: worse than 3, given too good a score
    if output != "linear":
        given = [[9.0, -9.0 + 18 * (g[0] > 2), -9.0 + 18 * (g[0] > 3), -9.0 + 18 * (g[0] > 4)] for g in given]
        given[2] = [-9.0] * 4
    ratio = of_loss(true, given, output, asymmetry=3.0) / of_loss(true, given, output)
    assert np.allclose(ratio, [4, 4, 1, 1, 1])


@given(st.lists(st.floats(1, 5), min_size=1, max_size=8))
def test_ordinal_targets_add_up_to_the_score(scores):
    targets = np.asarray(above(np.float32(scores), 4))
    assert targets.min() >= 0 and targets.max() <= 1
    assert np.allclose(1 + targets.sum(axis=1), scores, atol=1e-5)


@pytest.mark.parametrize("output", ["coral", "corn"])
@pytest.mark.parametrize("grade", [1, 2, 3, 4])
def test_an_ordinal_output_sure_of_a_grade_scores_it_and_costs_nothing(output, grade):
    # Of 4 grades; CORN's borders beyond the grade are conditional and may say anything.
    logits = np.where(np.arange(1, 4) < grade, 30.0, -30.0)[None]
    assert to_score(np.float32(logits), spec_of(output, 4), np) == pytest.approx(grade)
    assert of_loss([grade], logits, output, grades=4) == pytest.approx(0, abs=1e-6)
    assert of_loss([grade % 4 + 1], logits, output, grades=4) > 10


def test_corn_multiplies_conditional_probabilities():
    logits = np.log(np.array([[0.8, 0.5, 0.25]]) / (1 - np.array([[0.8, 0.5, 0.25]])))
    score = to_score(np.float32(logits), spec_of("corn", 4), np)
    assert score == pytest.approx(1 + 0.8 + 0.8 * 0.5 + 0.8 * 0.5 * 0.25)
    # Photographs not above grade 1 say nothing of the borders beyond.
    other = logits.copy()
    other[0, 1:] = 7.0
    assert of_loss([1], logits, "corn", grades=4) == pytest.approx(of_loss([1], other, "corn", grades=4))
