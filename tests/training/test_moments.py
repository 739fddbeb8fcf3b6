"""How much a photograph and a feature weigh."""

import numpy as np
import pytest

from sabi.training.moments import moments, photograph_weights


def test_balanced_weights_give_every_grade_the_same_say():
    grades = np.array([1, 1, 1, 3, 4, 4])
    weights = photograph_weights(grades, "balanced")
    assert weights.mean() == pytest.approx(1)
    assert {round(weights[grades == g].sum(), 9) for g in (1, 3, 4)} == {2.0}
    assert photograph_weights(grades, "equal").tolist() == [1.0] * 6


def test_measured_features_weigh_what_is_asked_beside_the_networks():
    rows = np.random.default_rng(0).normal(size=(50, 8))
    channels = [1, 2]  # means and deviations: six features, then two measured ones
    spread = {}
    for weight in (1.0, 10.0):
        mean, variance = moments(rows, channels, 0.5, weight)
        spread[weight] = ((rows - mean) / np.sqrt(variance)).std(axis=0)
    assert spread[10.0][:6] == pytest.approx(spread[1.0][:6])
    assert spread[1.0][6:] == pytest.approx([1, 1]) and spread[10.0][6:] == pytest.approx([10, 10])
