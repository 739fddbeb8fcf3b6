"""Augmented copies depend on pixels, number, seed and parameters, and show only the photograph."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sabi.augmentation import augmented
from sabi.handover import MANIFEST, write_table
from sabi.params import Augment, load
from sabi.photographs import decode, resized
from stages.augment import OUT, RAW, main

OFF = {"flip": False, "rotation": 0.0, "brightness": 0.0, "contrast": 0.0, "hue": 0.0}
ON = {"flip": True, "rotation": 180.0, "brightness": 0.4, "contrast": 0.4, "hue": 0.5}

SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.sampled_from([32, 33, 47])


def params(switches, **changes):
    return Augment(**{"seed": 29, "size": 32, "copies": 1} | switches | changes)


def noise(size=32, seed=0):
    return np.random.default_rng(seed).integers(60, 180, (size, size, 3), np.uint8)


def flips(pixels):
    """The four ways to lie, none of them equal for noise."""
    return [pixels, pixels[::-1], pixels[:, ::-1], pixels[::-1, ::-1]]


@settings(deadline=None)
@given(size=SIZES, picture=st.integers(0, 9), copy=st.integers(1, 99), seed=SEEDS)
def test_a_copy_is_pure_of_the_same_shape_and_leaves_its_source_alone(size, picture, copy, seed):
    pixels = noise(size, picture)
    kept = pixels.copy()
    once, twice = (augmented(pixels, copy, params(ON, seed=seed)) for _ in range(2))
    assert once.shape == (size, size, 3) and once.dtype == np.uint8
    assert np.array_equal(once, twice)
    assert np.array_equal(pixels, kept)


@settings(deadline=None, max_examples=30)
@given(copy=st.integers(1, 99), seed=st.integers(0, 2**32 - 2))
def test_another_number_or_seed_gives_another_copy(copy, seed):
    switches = ON | {"hue": 0.0}
    first = augmented(noise(), copy, params(switches, seed=seed))
    assert not np.array_equal(first, augmented(noise(), copy + 1, params(switches, seed=seed)))
    assert not np.array_equal(first, augmented(noise(), copy, params(switches, seed=seed + 1)))


def test_other_pixels_are_moved_otherwise():
    """Two photographs of one grade do not get the same angle and light."""
    only_light = params(OFF, brightness=0.9)
    change = [augmented(noise(seed=k), 1, only_light).mean() / noise(seed=k).mean() for k in range(12)]
    assert len(np.unique(np.round(change, 2))) > 8
    # Draws are over the whole range, darker and brighter (where 8 bits allow it).
    assert min(change) < 0.6 and max(change) > 1.2


@settings(deadline=None, max_examples=30)
@given(size=SIZES, copy=st.integers(1, 9), seed=SEEDS)
def test_all_switched_off_is_the_photograph_itself(size, copy, seed):
    assert np.array_equal(augmented(noise(size), copy, params(OFF, seed=seed)), noise(size))


@settings(deadline=None, max_examples=40)
@given(copy=st.integers(1, 9), seed=SEEDS)
def test_switching_the_flip_leaves_the_light_as_it_was(copy, seed):
    """A flip only moves pixels, light and hue change each alike: undone, the copies are equal."""
    light = ON | {"rotation": 0.0}
    plain = augmented(noise(), copy, params(light, seed=seed, flip=False))
    flipped = augmented(noise(), copy, params(light, seed=seed))
    assert sum(np.array_equal(flipped, way) for way in flips(plain)) == 1
    assert not np.array_equal(plain, noise())


@settings(deadline=None, max_examples=40)
@given(copy=st.integers(1, 9), seed=SEEDS, light=st.floats(0.01, 0.9))
def test_switching_the_light_leaves_the_flip_as_it_was(copy, seed, light):
    def lying(brightness):
        result = augmented(noise(), copy, params(OFF, seed=seed, flip=True, brightness=brightness))
        return int(np.argmax([np.corrcoef(result.ravel(), way.ravel())[0, 1] for way in flips(noise())]))

    assert lying(0.0) == lying(light)


def test_all_four_flips_occur():
    copies = [augmented(noise(), copy, params(OFF, flip=True)) for copy in range(1, 60)]
    counts = [sum(np.array_equal(copy, way) for copy in copies) for way in flips(noise())]
    assert sum(counts) == 59 and min(counts) > 4


@settings(deadline=None, max_examples=60)
@given(
    size=st.integers(32, 70),
    colour=st.tuples(*[st.integers(0, 255)] * 3),
    copy=st.integers(1, 9),
    seed=SEEDS,
    degrees=st.floats(0.1, 180),
)
def test_a_rotation_fills_its_corners_from_the_photograph(size, colour, copy, seed, degrees):
    constant = np.full((size, size, 3), colour, np.uint8)
    assert np.array_equal(augmented(constant, copy, params(OFF, seed=seed, rotation=degrees)), constant)


def test_a_rotation_turns_about_the_centre_by_at_most_its_degrees():
    """A bright spot at half the radius moves along its circle."""
    pixels = np.zeros((65, 65, 3), np.uint8)
    pixels[30:35, 46:51] = 255
    down, right = np.mgrid[-32:33, -32:33]
    angles = []
    for copy in range(1, 40):
        weight = augmented(pixels, copy, params(OFF, rotation=50.0))[..., 0].astype(float)
        y, x = (weight * down).sum() / weight.sum(), (weight * right).sum() / weight.sum()
        assert np.hypot(x, y) == pytest.approx(16, abs=0.5)
        angles.append(np.degrees(np.arctan2(y, x)))
    assert max(np.abs(angles)) < 51
    assert min(angles) < -30 and max(angles) > 30


def test_hue_alone_keeps_greys_and_brightness():
    grey = np.repeat(noise()[..., :1], 3, axis=2)
    colours = noise(seed=3)
    for copy in range(1, 9):
        assert np.array_equal(augmented(grey, copy, params(OFF, hue=0.5)), grey)
        turned = augmented(colours, copy, params(OFF, hue=0.5))
        # The greatest channel is HSV's value; 8-bit HSV may round the others only.
        assert np.abs(turned.max(-1).astype(int) - colours.max(-1)).max() <= 1
        assert not np.array_equal(turned, colours)


def test_the_stage_writes_each_partition_in_the_manifest_s_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    RAW.mkdir(parents=True)
    parts = ["test", "train", "validation", "train", "train"]
    paths = [f"{grade}_{part}.png" for grade, part in enumerate(parts, 1)]
    for seed, path in enumerate(paths):
        Image.fromarray(noise(50, seed)[:40]).save(RAW / path)
    write_table(pd.DataFrame({"path": paths, "partition": parts}), MANIFEST)
    wanted = params(ON, copies=2)
    shipped = load(Path(__file__).parents[1] / "params.yaml")

    main(shipped.model_copy(update={"augment": wanted}))
    arrays = {part: np.load(OUT / f"{part}.npy") for part in set(parts)}
    assert {part: array.shape[:2] for part, array in arrays.items()} == {
        "train": (3, 3),
        "validation": (1, 1),
        "test": (1, 1),
    }
    for part, array in arrays.items():
        for row, path in enumerate(path for path, its in zip(paths, parts, strict=True) if its == part):
            plain = resized(decode(RAW / path), 32)
            assert np.array_equal(array[0, row], plain)
            for copy in range(1, len(array)):
                assert np.array_equal(array[copy, row], augmented(plain, copy, wanted))
