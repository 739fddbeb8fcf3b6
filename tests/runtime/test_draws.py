"""Draws are uniform, pure, and the same for ever."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from sabi.runtime.draws import uniform

SPECIMENS = [f"specimen{number:03d}" for number in range(1, 401)]


@given(st.lists(st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.integers())))
def test_uniform_is_in_0_to_1_and_pure(parts):
    assert 0 <= uniform(*parts) < 1
    assert uniform(*parts) == uniform(*parts)


def test_uniform_is_uniform_and_independent_from_seed_to_seed():
    drawn = np.array([[uniform("partition", seed, name) for name in SPECIMENS] for seed in range(10)])
    assert kstest(drawn.ravel(), "uniform").pvalue > 0.01
    assert np.abs(np.corrcoef(drawn) - np.eye(10)).max() < 0.2


def test_uniform_keeps_its_parts_apart_and_its_value_for_ever():
    """Another value would move specimens out of the test part of a user who updates."""
    assert uniform("ab", "c") != uniform("a", "bc")
    # The first 8 bytes of SHA-256 of "partition\x1f102\x1fspecimen001", shifted right by 11, over 2**53.
    assert uniform("partition", 102, "specimen001") == 0.5397283914581054
