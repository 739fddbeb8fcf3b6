"""How much a photograph weighs."""

import numpy as np
import pytest

from sabi.training.moments import photograph_weights


def test_balanced_weights_give_every_grade_the_same_say():
    grades = np.array([1, 1, 1, 3, 4, 4])
    weights = photograph_weights(grades, "balanced")
    assert weights.mean() == pytest.approx(1)
    assert {round(weights[grades == g].sum(), 9) for g in (1, 3, 4)} == {2.0}
    assert photograph_weights(grades, "equal").tolist() == [1.0] * 6
