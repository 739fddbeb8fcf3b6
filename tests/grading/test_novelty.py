"""What a photograph is held against, and how far is far."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from sabi.grading.novelty import MOST, Neighbours, farthest, spread


def some(count: int, features: int = 40, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, features)).astype(np.float32)


def test_it_finds_what_scikit_learn_finds():
    training, new = some(60), some(30, seed=1)
    distances, paths = Neighbours([f"{i}.jpg" for i in range(60)], training).nearest(new)
    expected, places = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(training).kneighbors(new)
    assert distances == pytest.approx(expected[:, 0], rel=1e-5)
    assert paths == [f"{place}.jpg" for place in places[:, 0]]


def test_a_photograph_has_the_same_bits_in_any_company():
    neighbours, new = Neighbours([str(i) for i in range(60)], some(60)), some(33, seed=1)
    whole, paths = neighbours.nearest(new)
    for row in range(len(new)):
        alone, [path] = neighbours.nearest(new[row : row + 1])
        assert alone[0] == whole[row] and path == paths[row]


def test_what_was_saved_is_what_is_loaded_and_the_same_bytes(tmp_path):
    kept = Neighbours(["a/1_橋.jpg", "b.jpg"], some(2))
    kept.save(tmp_path / "training.npz")
    kept.save(tmp_path / "again.npz")
    loaded = Neighbours.load(tmp_path / "training.npz")
    assert loaded.paths == kept.paths and (loaded.features == kept.features).all()
    assert (tmp_path / "training.npz").read_bytes() == (tmp_path / "again.npz").read_bytes()


@given(st.integers(1, 5 * MOST))
def test_those_kept_are_spread_over_all(count):
    kept = spread(count)
    assert len(kept) == min(count, MOST) == len(set(kept))
    assert kept[0] == 0 and kept[-1] == count - 1
    assert np.diff(kept).max(initial=1) <= max(1, -(-count // MOST) + 1)


def test_false_alarms_are_as_rare_as_promised_by_specimen():
    """Over many surveys of photographs that resemble each other within a specimen."""
    random = np.random.default_rng(2)
    alarms = []
    for _ in range(400):
        base = random.gamma(4, 1, 61)
        specimens = np.repeat(np.arange(60), 3)
        limit = farthest(base[specimens] + random.normal(0, 0.1, 180), specimens, 0.05)
        alarms.append(base[60] + random.normal(0, 0.1) > limit)
    assert np.mean(alarms) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def test_of_too_few_specimens_the_farthest_is_the_limit():
    assert farthest(np.array([1.0, 3.0, 2.0]), np.array(["a", "b", "c"]), 0.05) == 3.0
