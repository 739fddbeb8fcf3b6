"""Surfaces follow the visual rating: grains in millimetres, brighter the sounder."""

import numpy as np
import pytest

from sabi.photographs.surface import draw


def grain(state: float, seed: int, mm: float) -> float:
    """Millimetres over which the brightness of a surface stays alike (its correlation is over one half)."""
    surface = draw(state, np.random.default_rng([seed]), 128, 128, mm).mean(-1)
    power = np.abs(np.fft.fft2(surface - surface.mean())) ** 2
    correlation = np.fft.ifft2(power).real
    along = (correlation[0, :64] + correlation[:64, 0]) / (2 * correlation[0, 0])
    below = np.argmax(along < 0.5)
    fraction = (along[below - 1] - 0.5) / (along[below - 1] - along[below])
    return (below - 1 + fraction) * mm


def test_grains_grow_from_grade_4_to_1_as_the_rating_says():
    """Fine grains, coarse grains, scales, layers: each state's texture is wider than the next."""
    widths = [np.median([grain(state, seed, 0.3) for seed in range(7)]) for state in (4, 3, 2, 1)]
    assert widths == sorted(widths)
    assert widths[1] > 1.15 * widths[0] and widths[2] > 1.5 * widths[1] and widths[3] > 1.5 * widths[2]


@pytest.mark.parametrize("state", [2.0, 3.0])
def test_grains_are_in_millimetres_not_in_pixels(state):
    near, far = (np.median([grain(state, seed, mm) for seed in range(7)]) for mm in (0.3, 0.6))
    assert 0.7 < near / far < 1.4


def test_rust_is_brighter_the_sounder_the_steel():
    means = [
        np.mean([draw(state, np.random.default_rng([seed]), 48, 48, 1.2).mean() for seed in range(40)])
        for state in range(1, 6)
    ]
    assert means == sorted(means)
    assert means[4] > 1.2 * means[3]


@pytest.mark.parametrize("state", [0.35, 1, 2, 2.9, 3, 4.2, 5, 5.65])
def test_a_surface_is_finite_and_reddish_at_every_state(state):
    surface = draw(state, np.random.default_rng(2), 40, 60, 0.9)
    assert surface.shape == (40, 60, 3)
    assert np.isfinite(surface).all() and surface.min() >= 0
    red, green, blue = surface.mean(axis=(0, 1))
    assert red > green > blue
