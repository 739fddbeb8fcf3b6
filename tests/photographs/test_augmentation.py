"""Augmented copies depend on pixels, number, seed and parameters, and show only the photograph."""

import colorsys
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sabi.photographs.augmentation import GEOMETRIC, OTHER, augmented, warped
from sabi.photographs.decoding import decode, prepared
from sabi.photographs.features import FEATURES, measure
from sabi.report import contact_sheet
from sabi.runtime.errors import InputError
from sabi.runtime.fingerprint import sha256_of
from sabi.runtime.threads import map_threads
from sabi.settings.augment import Augment
from sabi.settings.loading import load
from sabi.tables import MANIFEST, read_table, write_table
from stages import augment

ROOT = Path(__file__).parents[2]
SHIPPED = load(ROOT / "params.yaml")
FILLS = ("constant", "nearest", "reflect", "wrap")
ALL = (*GEOMETRIC, *OTHER, "mixup")
LARGEST = {"rotation": 180.0, "zoom": 0.9, "shift": 1.0, "shear": 60.0, "resized_crop": 0.95} | {
    "brightness": 0.9,
    "contrast": 0.9,
    "hue": 0.5,
    "grid_shuffle": 3,
    "cutout": 0.5,
    "mixup": 0.5,
}


SEEDS = st.integers(0, 2**32 - 2)
COPIES = st.integers(1, 99)


def params(*on, seed=29, fill="reflect", size=32, copies=1, probability=1.0, **strengths):
    """Parameters with the transforms `on` at a probability and all others off."""
    values = SHIPPED.augment.model_dump() | {"seed": seed, "fill": fill, "size": size, "copies": copies}
    for name in ALL:
        values[name]["probability"] = probability if name in on else 0.0
        if name in LARGEST:
            values[name]["strength"] = strengths.get(name, LARGEST[name])
    return Augment(**values)


def noise(size=32, seed=0):
    return np.random.default_rng(seed).integers(60, 180, (size, size, 3), np.uint8)


def album(count=12, size=32):
    return np.stack([noise(size, seed) for seed in range(count)]), np.linspace(1, 5, count)


def one(pixels, copy, chosen):
    """The copy of a single photograph."""
    return augmented(pixels[None], np.ones(1), [0], copy, chosen)[0][0]


def flips(pixels):
    """The four ways to lie, none of them equal for noise."""
    return [pixels, pixels[::-1], pixels[:, ::-1], pixels[::-1, ::-1]]


def test_the_names_are_those_of_the_parameters():
    chances = {name for name, value in SHIPPED.augment if hasattr(value, "probability")}
    assert chances == set(ALL)


# Every transform.


@pytest.mark.parametrize("name", ALL)
def test_on_it_changes_pixels_and_off_it_leaves_every_bit(name):
    pixels, scores = album()
    on, _ = augmented(pixels, scores, range(12), 1, params(name))
    off, aims = augmented(pixels, scores, range(12), 1, params(name, probability=0.0))
    # Of nine cells' or a partner's draws none is likely to change nothing.
    assert (on != pixels).any(axis=(1, 2, 3)).all()
    assert np.array_equal(off, pixels) and np.array_equal(aims, scores)


@settings(max_examples=30)
@given(
    on=st.sets(st.sampled_from(ALL), min_size=1),
    fill=st.sampled_from(FILLS),
    size=st.sampled_from([32, 64]),
    rows=st.lists(st.integers(0, 7), min_size=1, max_size=9),
    copy=COPIES,
    seed=SEEDS,
)
def test_a_copy_is_the_same_alone_and_in_any_company(on, fill, size, rows, copy, seed):
    pixels, scores = album(8, size)
    kept = pixels.copy()
    chosen = params(*on, fill=fill, seed=seed, size=size)
    copies, aims = augmented(pixels, scores, rows, copy, chosen)
    assert copies.shape == (len(rows), size, size, 3) and copies.dtype == np.uint8
    assert aims.shape == (len(rows),) and aims.dtype == np.float64
    for place, row in enumerate(rows):
        alone, aim = augmented(pixels, scores, [row], copy, chosen)
        assert np.array_equal(copies[place], alone[0]) and aims[place] == aim[0]
    assert np.array_equal(pixels, kept)


@settings(max_examples=20)
@given(copy=COPIES, seed=SEEDS, on=st.sets(st.sampled_from([n for n in ALL if n != "mixup"]), min_size=1))
def test_without_mixup_other_photographs_do_not_matter(copy, seed, on):
    pixels, scores = album(4)
    chosen = params(*on, seed=seed)
    assert np.array_equal(augmented(pixels, scores, [2], copy, chosen)[0][0], one(pixels[2], copy, chosen))


@pytest.mark.parametrize("name", ALL)
def test_the_probability_is_that_of_happening(name):
    """Of 400 photographs 120 are expected, with a deviation of 9.2."""
    pixels = np.random.default_rng(1).integers(0, 256, (400, 32, 32, 3), np.uint8)
    chosen = params(name, probability=0.3)
    copies, _ = augmented(pixels, np.ones(400), range(400), 1, chosen)
    changed = (copies != pixels).any(axis=(1, 2, 3))
    assert 85 < changed.sum() < 155
    # The next copy has other luck, and so has another seed.
    for other in ((2, chosen), (1, params(name, probability=0.3, seed=30))):
        again, _ = augmented(pixels, np.ones(400), range(60), *other)
        assert not np.array_equal((again != pixels[:60]).any(axis=(1, 2, 3)), changed[:60])


# Those of which two draws are hardly ever the same.
FINE = [name for name in ALL if name not in ("horizontal_flip", "vertical_flip", "grid_shuffle")]


@settings(max_examples=30)
@given(copy=COPIES, seed=SEEDS, name=st.sampled_from(FINE))
def test_another_number_or_seed_gives_another_copy(copy, seed, name):
    pixels, scores = album()
    copies, _ = augmented(pixels, scores, range(12), copy, params(name, seed=seed))
    for other in ((copy + 1, params(name, seed=seed)), (copy, params(name, seed=seed + 1))):
        assert not np.array_equal(copies, augmented(pixels, scores, range(12), *other)[0])


@settings(max_examples=40)
@given(copy=COPIES, seed=SEEDS)
def test_switching_the_flips_leaves_the_light_as_it_was(copy, seed):
    """A flip only moves pixels, light and hue change each alike: undone, the copies are equal."""
    light = ("brightness", "hue")
    plain = one(noise(), copy, params(*light, seed=seed, brightness=0.3))
    chosen = params(*light, "horizontal_flip", "vertical_flip", seed=seed, brightness=0.3)
    assert np.array_equal(one(noise(), copy, chosen), plain[::-1, ::-1])


@settings(max_examples=40)
@given(copy=COPIES, seed=SEEDS, light=st.floats(0.01, 0.3), tried=st.sampled_from(["brightness", "contrast"]))
def test_switching_the_light_leaves_the_flips_as_they_were(copy, seed, light, tried):
    def lying(*more):
        on = ("horizontal_flip", "vertical_flip", *more)
        switches = params(*on, probability=0.5, seed=seed, **{tried: light})
        result = one(noise(), copy, switches).astype(float)
        return int(np.argmax([np.corrcoef(result.ravel(), way.ravel())[0, 1] for way in flips(noise())]))

    assert lying() == lying(tried)


# Geometry.


def test_all_four_flips_occur_and_are_exact():
    chosen = params("horizontal_flip", "vertical_flip", probability=0.5)
    copies = [one(noise(), copy, chosen) for copy in range(1, 80)]
    counts = [sum(np.array_equal(copy, way) for copy in copies) for way in flips(noise())]
    assert sum(counts) == 79 and min(counts) > 4


def matrix(name, side, strength, *draws):
    """A geometric transform whose numbers in [0, 1) are given: 1 is the most one way, 0 the other."""
    chance = getattr(params(name, **({name: strength} if name in LARGEST else {})), name)
    numbers = dict(zip(("area", 0, 1) if name == "resized_crop" else (0, 1), draws, strict=False))
    return GEOMETRIC[name](side, chance=chance, draw=numbers.__getitem__)


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("side", [32, 33, 128])
def test_right_angles_and_whole_pixels_are_exact(side, fill):
    pixels = noise(side)
    quarter = warped(pixels, matrix("rotation", side, 90.0, 1), fill)
    assert np.array_equal(quarter, np.rot90(pixels))
    assert np.array_equal(warped(pixels, matrix("rotation", side, 90.0, 0), fill), np.rot90(pixels, -1))
    half = matrix("rotation", side, 180.0, 1)
    assert np.array_equal(warped(pixels, half, fill), pixels[::-1, ::-1])
    both = matrix("horizontal_flip", side, None) @ matrix("vertical_flip", side, None)
    assert np.array_equal(warped(pixels, both @ half, fill), pixels)

    moved = warped(pixels, matrix("shift", side, 8 / side, 1, 0.5), fill)
    assert np.array_equal(moved[:, : side - 8], pixels[:, 8:])
    strip = {
        "constant": np.zeros_like(pixels[:, :8]),
        "nearest": np.repeat(pixels[:, -1:], 8, axis=1),
        "reflect": pixels[:, :-9:-1],
        "wrap": pixels[:, :8],
    }
    assert np.array_equal(moved[:, side - 8 :], strip[fill])


def test_a_shift_is_at_most_its_share_of_the_side():
    shifts = [matrix("shift", 100, 0.2, *draws)[:2, 2] for draws in ([0, 0], [0.5, 0.5], [1, 1])]
    assert np.allclose(shifts, [[-20, -20], [0, 0], [20, 20]])


def test_zoom_makes_a_square_larger_or_smaller_by_its_share_on_each_axis():
    """A bright square of 20 x 20 in 64 x 64."""
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[22:42, 22:42] = 200
    for x, y in ((0.0, 1.0), (1.0, 0.5)):
        bright = warped(pixels, matrix("zoom", 64, 0.5, x, y), "constant")[..., 0] / 200
        width, height = bright.max(axis=0).sum(), bright.max(axis=1).sum()
        assert width == pytest.approx(20 * (0.5 + x), abs=1) and height == pytest.approx(
            20 * (0.5 + y), abs=1
        )


def test_shear_slides_rows_by_the_tangent_of_its_angle():
    """A bright upright line leans over: over 40 rows by 40 times the tangent."""
    pixels = np.zeros((65, 65, 3), np.uint8)
    pixels[:, 32] = 240
    leaning = warped(pixels, matrix("shear", 65, 30.0, 1), "constant")[..., 0]
    places = (leaning * np.arange(65)).sum(axis=1) / leaning.sum(axis=1)
    assert places[52] - places[12] == pytest.approx(-40 * np.tan(np.radians(30)), abs=0.1)
    assert places[32] == pytest.approx(32, abs=0.01)


@settings(max_examples=60)
@given(draws=st.tuples(*[st.floats(0, 0.999)] * 3), strength=st.floats(0.01, 0.95), side=st.integers(32, 80))
def test_a_resized_crop_keeps_its_share_of_the_area_and_stays_inside(draws, strength, side):
    crop = matrix("resized_crop", side, strength, *draws)
    assert crop[0, 0] == crop[1, 1] and crop[0, 0] ** 2 == pytest.approx(1 - strength * draws[0])
    ends = np.array([[-1, 1], [-1, 1]]) * (side - 1) / 2
    assert np.abs(crop[:2, :2] @ ends + crop[:2, 2:]).max() <= (side - 1) / 2 + 1e-9
    inside = warped(np.full((side, side, 3), 200, np.uint8), crop, "constant")
    assert inside == pytest.approx(200, abs=0.01)


def test_a_rotation_turns_about_the_centre_by_at_most_its_degrees():
    """A bright spot at half the radius moves along its circle."""
    pixels = np.zeros((65, 65, 3), np.uint8)
    pixels[30:35, 46:51] = 255
    down, right = np.mgrid[-32:33, -32:33]
    angles = []
    for copy in range(1, 40):
        weight = one(pixels, copy, params("rotation", rotation=50.0))[..., 0].astype(float)
        y, x = (weight * down).sum() / weight.sum(), (weight * right).sum() / weight.sum()
        assert np.hypot(x, y) == pytest.approx(16, abs=0.5)
        angles.append(np.degrees(np.arctan2(y, x)))
    assert max(np.abs(angles)) < 51
    assert min(angles) < -30 and max(angles) > 30


def test_several_at_once_are_done_in_their_order():
    """A flip, then a quarter turn: not the same the other way round."""
    side = 32
    turn, flip = matrix("rotation", side, 90.0, 1), matrix("horizontal_flip", side, None)
    assert np.array_equal(warped(noise(), flip @ turn, "reflect"), np.rot90(noise()[:, ::-1]))
    once = one(noise(), 1, params("rotation", rotation=20.0))
    mirrored = one(noise(), 1, params("rotation", "horizontal_flip", rotation=20.0))
    back = one(noise(), 1, params("rotation", "horizontal_flip", "vertical_flip", rotation=20.0))
    # Mirrored first it is turned the other way, upside down as well the same way.
    assert np.abs(back.astype(int) - once[::-1, ::-1]).max() <= 1
    assert np.abs(mirrored.astype(int) - once[:, ::-1]).max() > 20


@settings(max_examples=60)
@given(
    size=st.integers(32, 70),
    colour=st.tuples(*[st.integers(0, 255)] * 3),
    on=st.sets(st.sampled_from(list(GEOMETRIC)), min_size=1),
    fill=st.sampled_from(["nearest", "reflect", "wrap"]),
    copy=COPIES,
    seed=SEEDS,
)
def test_corners_are_filled_from_the_photograph(size, colour, on, fill, copy, seed):
    plain = np.full((size, size, 3), colour, np.uint8)
    assert np.array_equal(one(plain, copy, params(*on, seed=seed, fill=fill)), plain)


# Light and colour.


def test_brightness_and_contrast_are_over_their_whole_range_and_within_it():
    factors = {"brightness": [], "contrast": []}
    for seed in range(60):
        pixels = noise(seed=seed)
        for name, found in factors.items():
            result = one(pixels, 1, params(name, **{name: 0.3}))
            spread = result.std() / pixels.std()
            found.append(spread)
            if name == "brightness":
                assert result.mean() / pixels.mean() == pytest.approx(spread, abs=0.01)
            else:
                assert result.mean(axis=(0, 1)) == pytest.approx(pixels.mean(axis=(0, 1)), abs=0.3)
    for found in factors.values():
        assert 0.69 < min(found) < 0.76 and 1.24 < max(found) < 1.31
    assert np.corrcoef(*factors.values())[0, 1] < 0.5


@settings(max_examples=30)
@given(copy=COPIES, seed=SEEDS, strength=st.floats(0.01, 0.5))
def test_hue_turns_every_pixel_alike_as_the_reference_does(copy, seed, strength):
    pixels = noise(8, seed=3)
    result = one(pixels, copy, params("hue", seed=seed, hue=strength))
    reference = np.array([colorsys.rgb_to_hsv(*pixel) for pixel in pixels.reshape(-1, 3).tolist()])
    hues = np.array([colorsys.rgb_to_hsv(*pixel)[0] for pixel in result.reshape(-1, 3).tolist()])
    vivid = reference[:, 1] > 0.4
    turns = (hues - reference[:, 0] + 0.5)[vivid] % 1 - 0.5
    if strength < 0.45:  # beyond, a turn may come out as one the other way
        assert np.abs(np.median(turns)) <= strength + 0.005
    turn = np.median(turns)
    turned = [colorsys.hsv_to_rgb((h + turn) % 1, s, v) for h, s, v in reference]
    assert np.abs(np.reshape(turned, pixels.shape) - result).max() < 2
    grey = np.repeat(pixels[..., :1], 3, axis=2)
    assert np.array_equal(one(grey, copy, params("hue", seed=seed, hue=strength)), grey)


def test_hue_of_light_beyond_the_range_is_the_reference_s():
    """It is clipped only at the end: until then pixels may be above 255 or below 0."""
    pixels = np.random.default_rng(0).uniform(-60, 320, (16, 16, 3))
    chance = params("hue", hue=0.5).hue
    for draw in (0.0, 0.1, 0.52, 0.9):
        result = OTHER["hue"](pixels, chance=chance, draw=lambda what, draw=draw: draw)
        for before, after in zip(pixels.reshape(-1, 3).tolist(), result.reshape(-1, 3), strict=True):
            h, s, v = colorsys.rgb_to_hsv(*before)
            assert after == pytest.approx(colorsys.hsv_to_rgb((h + draw - 0.5) % 1, s, v), abs=0.01)


def test_light_is_clipped_once_at_the_end():
    """Twice as bright, then half the contrast: what was beyond white in between is back."""
    pixels = np.full((32, 32, 3), 100, np.uint8)
    pixels[:, :16] = 180
    bright = OTHER["brightness"](
        pixels.astype(float), chance=params("brightness").brightness, draw=lambda what: 1.0
    )
    calm = OTHER["contrast"](bright, chance=params("contrast", contrast=0.5).contrast, draw=lambda what: 0.0)
    assert np.allclose(np.unique(calm), [228, 304])


@pytest.mark.parametrize("size, cells", [(32, 2), (32, 3), (64, 3)])
def test_grid_shuffle_permutes_cells_and_keeps_what_is_left_over(size, cells):
    pixels = noise(size)
    cell = size // cells
    corners = [(y * cell, x * cell) for y in range(cells) for x in range(cells)]
    cut = lambda image: [image[y : y + cell, x : x + cell].tobytes() for y, x in corners]  # noqa: E731
    seen = set()
    for copy in range(1, 30):
        result = one(pixels, copy, params("grid_shuffle", grid_shuffle=cells))
        assert sorted(cut(result)) == sorted(cut(pixels))
        assert np.array_equal(result[cells * cell :], pixels[cells * cell :])
        assert np.array_equal(result[:, cells * cell :], pixels[:, cells * cell :])
        seen.add(result.tobytes())
    assert len(seen) > 12


@settings(max_examples=40)
@given(copy=COPIES, seed=SEEDS, strength=st.floats(0.05, 0.5), size=st.sampled_from([32, 64]))
def test_cutout_blanks_four_squares_with_the_mean_colour(copy, seed, strength, size):
    # No pixel has the mean colour by itself.
    pixels = np.where(noise(size) > 120, 220, 20).astype(np.uint8)
    result = one(pixels, copy, params("cutout", seed=seed, cutout=strength))
    blank = (result != pixels).all(axis=2)
    square = round(strength * size) ** 2
    assert square <= blank.sum() <= 4 * square
    assert np.array_equal(np.unique(result[blank], axis=0), [np.rint(pixels.mean(axis=(0, 1)))])
    assert np.array_equal(result[~blank], pixels[~blank])


def test_cutout_mostly_blanks_the_area_of_four_squares():
    pixels = np.where(noise(64) > 120, 220, 20).astype(np.uint8)
    areas = [
        (one(pixels, copy, params("cutout", cutout=0.125)) != pixels).any(2).mean() for copy in range(1, 60)
    ]
    assert max(areas) == pytest.approx(4 * 0.125**2) and np.mean(areas) > 0.85 * max(areas)


# Mixup.


def test_mixup_mixes_pixels_and_score_by_the_same_share():
    pixels = np.stack([np.full((32, 32, 3), 10 * k, np.uint8) for k in range(20)])
    scores = 1 + np.arange(20) / 5
    copies, aims = augmented(pixels, scores, range(20), 1, params("mixup", mixup=0.4))
    # Of both, grey tells the score.
    assert copies[:, 0, 0, 0] / 50 + 1 == pytest.approx(aims, abs=0.011)
    moved = np.abs(aims - scores)
    assert (moved > 0).sum() > 15 and len(np.unique(aims)) == 20
    assert np.all(moved <= 0.4 * (scores.max() - scores.min()))


def test_mixup_s_partners_are_others_as_they_are_and_within_the_share():
    """White photographs and black ones: what a black one takes of a white one is the share."""
    pixels = np.zeros((40, 32, 32, 3), np.uint8)
    pixels[:, 0, 0, 0] = np.arange(40)  # else they were all one photograph
    pixels[::2] += 200
    copies, _ = augmented(pixels, np.arange(40.0), range(40), 3, params("mixup", mixup=0.3))
    dark = copies[1::2, 5, 5, 0] / 200
    assert 0.2 < dark.max() <= 0.3 and (dark > 0).sum() > 5 and (dark == 0).sum() > 5
    light = copies[::2, 5, 5, 0] / 200
    assert 0.7 <= light.min() < 0.8
    lit = params("mixup", "brightness", mixup=0.3)
    lit_copies, _ = augmented(pixels, np.arange(40.0), range(40), 3, lit)
    # Black stays black in any light; the white it takes is not lit either.
    assert np.array_equal(lit_copies[1::2, ..., 1], copies[1::2, ..., 1])
    assert not np.array_equal(lit_copies[::2], copies[::2])


def test_mixup_of_a_single_photograph_is_itself():
    copies, aims = augmented(noise()[None], np.array([2.5]), [0], 1, params("mixup"))
    assert np.array_equal(copies[0], noise()) and aims == pytest.approx([2.5])


# The stage.

PARTS = ["test", "train", "validation", "train", "train", "train"]
GRADES = [3, 1, 4, 1, 5, 1]


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """Runs the stage on six photographs with the parameters given; returns its manifest."""
    monkeypatch.chdir(tmp_path)
    augment.RAW.mkdir(parents=True)
    paths = [f"{grade}_{number}.png" for number, grade in enumerate(GRADES)]
    for seed, path in enumerate(paths):
        Image.fromarray(noise(80, seed)[:60]).save(augment.RAW / path)
    soft = np.array(GRADES) + 0.25 - np.arange(6) / 10
    scale = [0.5, 0.25, np.nan, 0.5, 0.5, 0.5]
    columns = {"path": paths, "grade": GRADES, "partition": PARTS, "soft_score": soft, "mm_per_pixel": scale}
    columns["sha256"] = [sha256_of(augment.RAW / path) for path in paths]

    def ran(chosen, scales=scale):
        write_table(pd.DataFrame(columns | {"mm_per_pixel": scales}), MANIFEST)
        augment.main(SHIPPED.model_copy(update={"augment": chosen}))
        return read_table(MANIFEST)

    return ran


def test_a_photograph_that_changed_since_split_is_told(stage):
    manifest = stage(params())
    file = augment.RAW / manifest.path[2]
    Image.fromarray(noise(80, 99)[:60]).save(file)
    with pytest.raises(InputError, match=f"{file}: has changed since `split`; run `dvc repro` again"):
        augment.main(SHIPPED.model_copy(update={"augment": params()}))


def test_the_stage_writes_each_partition_in_the_manifest_s_order(stage):
    wanted = params(*ALL, copies=2, probability=0.6)
    manifest = stage(wanted)
    arrays = {part: np.load(augment.OUT / f"{part}.npy") for part in set(PARTS)}
    assert {part: array.shape[:2] for part, array in arrays.items()} == {
        "train": (3, 4),
        "validation": (1, 1),
        "test": (1, 1),
    }
    for part, array in arrays.items():
        for row, path in enumerate(manifest.path[manifest.partition == part]):
            assert np.array_equal(array[0, row], prepared(decode(augment.RAW / path), 32, None, None))
    train, scores = arrays["train"], np.load(augment.OUT / "train_scores.npy")
    assert scores.shape == (3, 4) and scores.dtype == np.float64
    assert np.array_equal(scores[0], manifest.soft_score[manifest.partition == "train"])
    for copy in (1, 2):
        copies, aims = augmented(train[0], scores[0], range(4), copy, wanted)
        assert np.array_equal(train[copy], copies) and np.array_equal(scores[copy], aims)
    assert not np.array_equal(scores[0], scores[1])


def test_the_stage_measures_every_photograph_as_it_is(stage):
    manifest = stage(params())
    table = read_table(augment.OUT / "measured.csv")
    assert list(table.columns) == ["path", *FEATURES]
    assert table.path.tolist() == manifest.path.tolist()
    # One scale is unknown: all sizes are in pixels.
    for row in table.itertuples():
        found = measure(decode(augment.RAW / row.path))
        assert [getattr(row, name) for name in FEATURES] == [found[name] for name in FEATURES]

    stage(params(), scales=[0.5] * 6)
    millimetres = read_table(augment.OUT / "measured.csv")
    assert millimetres.grain_size.to_numpy() == pytest.approx(table.grain_size.to_numpy() / 2)


def test_the_contact_sheet_has_first_and_last_training_photograph_of_each_grade(stage):
    wanted = params(*ALL, copies=0)
    manifest = stage(wanted)
    file = augment.OUT / "copies.png"
    sheet, written = np.asarray(Image.open(file)), file.read_bytes()
    train = np.load(augment.OUT / "train.npy")[0]
    scores = manifest.soft_score[manifest.partition == "train"].to_numpy()
    # Of grade 1 rows 0 and 3, of grade 5 row 2; of the others none is for training.
    top, step = 24, 32 + 4
    assert sheet.shape[0] == top + 3 * step
    for line, row in enumerate((0, 3, 2)):
        shown = [train[row]] + [augmented(train, scores, [row], copy, wanted)[0][0] for copy in range(1, 7)]
        y = top + line * step
        for column, photograph in enumerate(shown):
            x = sheet.shape[1] - (7 - column) * step
            assert np.array_equal(sheet[y : y + 32, x : x + 32], photograph)
        assert (sheet[y : y + 32, : sheet.shape[1] - 7 * step] < 128).any()  # its name
    stage(wanted)
    assert file.read_bytes() == written


def test_a_sheet_of_large_photographs_is_reduced_and_one_of_none_is_empty():
    large = contact_sheet.paste([("bad", [np.zeros((512, 512, 3), np.uint8)] * 2)], ["original", "copy 1"])
    assert large.height < 200 and large.width < 450
    assert contact_sheet.paste([], ["original"]).size[0] > 0


def test_threads_that_make_copies_at_once_change_no_bit():
    together = augmented(*album(8, 64), range(8), 1, params(*ALL))[0]
    one_by_one = map_threads(lambda row: augmented(*album(8, 64), [row], 1, params(*ALL))[0][0], range(8))
    assert np.array_equal(one_by_one, together)


@pytest.mark.slow
def test_copies_need_no_tensorflow():
    code = (
        "import sys; from stages import augment;"
        "from sabi.photographs.augmentation import augmented;"
        "from tests.photographs.test_augmentation import *;"
        "augmented(*album(2), [0, 1], 1, params(*ALL)); sys.exit('tensorflow' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
