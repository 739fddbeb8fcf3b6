"""What is covered, and what is said of it."""

import numpy as np
import pytest

from sabi.grading.occlusion import PATCHES, effects, occluded, picture


def noise(size: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (size, size, 3), np.uint8)


@pytest.mark.parametrize("size", [32, 50, 128])
def test_each_place_is_covered_in_one_copy_alone_and_with_the_mean_colour(size):
    pixels = noise(size)
    whole, *copies = occluded(pixels)
    assert (whole == pixels).all() and len(copies) == PATCHES**2
    mean = pixels.reshape(-1, 3).mean(axis=0).round()
    covered = np.stack([(copy == mean).all(axis=-1) & (copy != pixels).any(axis=-1) for copy in copies])
    assert (covered.sum(axis=0) == 1).all()
    assert all(((copy == pixels).all(axis=-1) | (copy == mean).all(axis=-1)).all() for copy in copies)


def test_the_patch_that_pulls_the_score_down_is_found():
    """A score that falls with the red in one corner."""
    pixels = np.full((64, 64, 3), 120, np.uint8)
    pixels[:8, 56:, 0] = 255
    pulls = effects(pixels, lambda photographs: 5 - photographs[..., 0].mean(axis=(1, 2)) / 255)
    assert pulls.argmin() == 7 and pulls[0, 7] < 0 < pulls[1, 1] + 1e-2
    shown = np.asarray(picture(pixels, pulls)).astype(int)
    assert shown[4, 60, 0] - shown[4, 60, 2] > 100  # red
    assert np.asarray(picture(pixels, np.zeros((8, 8)))).tolist() == pixels.tolist()
