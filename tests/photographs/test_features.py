"""Features measured in a photograph: right on shapes of known size, finite on anything."""

import colorsys
import math
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from sabi.photographs import features as measuring
from sabi.photographs.drawings import photograph
from sabi.photographs.features import FEATURES, describe, in_millimetres, measure


def discs(diameter: int, pitch: int, across: int = 5) -> Image.Image:
    """Bright discs of `diameter` pixels on a dark ground, their centres `pitch` apart."""
    side = across * pitch
    image = Image.new("RGB", (side, side), (40, 30, 30))
    pen = ImageDraw.Draw(image)
    for x in range(pitch // 2, side, pitch):
        for y in range(pitch // 2, side, pitch):
            corners = (x - diameter // 2, y - diameter // 2, x + diameter // 2, y + diameter // 2)
            pen.ellipse(corners, (190, 160, 150))
    return image


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    random = np.random.default_rng(seed)
    return Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize("diameter", [9, 15, 21])
def test_grains_have_the_diameter_they_are_drawn_with(diameter):
    assert measure(discs(diameter, 30))["grain_size"] == pytest.approx(diameter, rel=0.12)


def test_grains_that_touch_are_told_apart():
    # They overlap by three pixels: one connected component, 25 grains.
    assert measure(discs(33, 30))["grain_size"] == pytest.approx(33, rel=0.15)


def test_light_that_falls_off_across_the_photograph_makes_no_grain():
    image = discs(15, 30)
    falling = np.linspace(0.4, 1.2, image.width)[:, None]
    uneven = Image.fromarray(np.clip(np.asarray(image) * falling, 0, 255).astype(np.uint8))
    even, dimmed = measure(image)["grain_size"], measure(uneven)["grain_size"]
    assert dimmed == pytest.approx(even, rel=0.1)


@given(st.floats(0.001, 100), st.integers(0, 99))
@settings(max_examples=20)
def test_the_scale_changes_the_grain_size_alone(mm_per_pixel, seed):
    image = noise(64, 48, seed)
    pixels, scaled = measure(image), measure(image, mm_per_pixel)
    assert scaled.pop("grain_size") == pytest.approx(mm_per_pixel * pixels.pop("grain_size"))
    assert scaled == pixels


def test_a_photograph_with_more_pixels_has_the_same_grains_in_millimetres():
    image = discs(15, 30)
    finer = image.resize((4 * image.width, 4 * image.height), Image.Resampling.BICUBIC)
    coarse, fine = measure(image, 0.4)["grain_size"], measure(finer, 0.1)["grain_size"]
    assert fine == pytest.approx(coarse, rel=0.1)


@given(st.floats(0, 360), st.floats(0, 1), st.floats(0, 1))
def test_rust_colours_are_those_of_the_bounds(hue, saturation, value):
    # 8 bits a channel move dark and grey colours a little; the bounds themselves are left out.
    assume(abs(hue - 50) > 3 and abs(hue - 345) > 3)
    assume(abs(saturation - 0.4) > 0.1 and abs(value - 0.1) > 0.02)
    colour = tuple(round(255 * channel) for channel in colorsys.hsv_to_rgb(hue / 360, saturation, value))
    rust = (hue <= 50 or hue >= 345) and saturation >= 0.4 and value >= 0.1
    assert measure(Image.new("RGB", (32, 32), colour))["rust_area"] == float(rust)


def test_rust_area_is_a_share_of_the_area():
    image = Image.new("RGB", (100, 40), (120, 120, 125))
    image.paste((130, 70, 40), (0, 0, 25, 40))
    assert measure(image)["rust_area"] == pytest.approx(0.25)


def test_edge_energy_grows_with_the_square_of_contrast():
    random = np.random.default_rng(1).normal(0, 1, (64, 64, 1)).repeat(3, 2)
    faint, strong = (
        measure(Image.fromarray(np.clip(128 + s * random, 0, 255).astype(np.uint8))) for s in (8, 24)
    )
    assert strong["edge_energy"] == pytest.approx(9 * faint["edge_energy"], rel=0.1)


def two_colours(left: str, right: str) -> Image.Image:
    image = Image.new("RGB", (64, 64), left)
    image.paste(right, (32, 0, 64, 64))
    return image


def test_hue_spreads_most_between_opposite_colours():
    # r = 0 gives the largest angular deviation there is, sqrt(2) radians.
    opposite = measure(two_colours("red", "cyan"))["hue_spread"]
    assert opposite == pytest.approx(math.degrees(math.sqrt(2)), rel=0.01)
    near = measure(two_colours("red", "orange"))["hue_spread"]
    assert 10 < near < opposite / 2


def test_a_colour_without_hue_does_not_spread_it():
    assert measure(two_colours("red", "grey"))["hue_spread"] == pytest.approx(0, abs=1e-6)


def sierpinski(side: int) -> np.ndarray:
    """Pascal's triangle modulo 2, a fractal of dimension log2(3)."""
    row, column = np.mgrid[:side, :side]
    return (row & column) == 0


def test_box_counting_finds_the_dimension_of_known_sets():
    square, line, point = np.ones((64, 64), bool), np.zeros((64, 64), bool), np.zeros((64, 64), bool)
    line[20], point[33, 7] = True, True
    found = [measuring._box_dimension(a) for a in (square, line, point, sierpinski(256))]
    assert found == pytest.approx([2, 1, 0, math.log2(3)], abs=1e-9)


def test_a_ragged_outline_has_a_higher_dimension_than_a_straight_one():
    straight = measure(two_colours("black", "white"))["fractal_dimension"]
    assert straight == pytest.approx(1, abs=0.05)
    assert measure(noise(256, 192))["fractal_dimension"] > straight + 0.5


def test_features_follow_the_rust_of_the_drawings():
    peeling, sound = (
        pd.DataFrame([measure(photograph(state, np.random.default_rng([9, i])), 0.3) for i in range(3)])
        for state in (1.0, 5.0)
    )
    for higher_when_peeling in ("grain_size", "edge_energy", "hue_spread"):
        assert peeling[higher_when_peeling].min() > sound[higher_when_peeling].max()
    assert peeling.fractal_dimension.max() < sound.fractal_dimension.min()


@given(
    st.integers(1, 70),
    st.integers(1, 70),
    st.sampled_from(["black", "white", "brown", "noise", "point", "halves"]),
)
def test_any_photograph_has_finite_features_without_a_warning(width, height, kind):
    if kind == "noise":
        image = noise(width, height)
    else:
        image = Image.new("RGB", (width, height), kind if kind in ("black", "white", "brown") else "grey")
        if kind == "point":
            image.putpixel((width // 2, height // 2), (255, 255, 255))
        elif kind == "halves":
            image.paste("white", (0, 0, width // 2, height))
    with warnings.catch_warnings(action="error"):
        features = measure(image)
    assert tuple(features) == FEATURES
    for value in features.values():
        assert type(value) is float and math.isfinite(value)
    assert 0 <= features["rust_area"] <= 1 and 0 <= features["fractal_dimension"] <= 2
    assert 0 <= features["grain_size"] <= 2 * math.hypot(width, height)


@pytest.mark.parametrize("size", [(4000, 3000), (50000, 3), (2, 9000)])
def test_large_and_long_photographs_are_measured_on_a_small_copy(size):
    image = Image.new("RGB", size, "brown")
    small = measuring._reduced(image)
    assert small.width * small.height <= measuring.WORKING_PIXELS
    assert measure(image)["rust_area"] == 1


def test_any_number_of_threads_measures_the_same():
    images = [noise(200 + i, 150, seed=i) for i in range(8)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda image: measure(image, 0.3), images)) == [measure(i, 0.3) for i in images]


def test_grains_are_in_millimetres_only_if_every_scale_is_known():
    known = pd.DataFrame({"mm_per_pixel": [0.3, 0.1]})
    assert in_millimetres(known)
    assert not in_millimetres(pd.DataFrame({"mm_per_pixel": [0.3, np.nan]}))
    assert not in_millimetres(pd.DataFrame({"mm_per_pixel": [np.nan, np.nan]}))


def test_every_feature_has_a_title_and_grains_the_unit_they_are_in():
    for millimetres, unit in ((True, "mm"), (False, "pixels")):
        titles = describe(millimetres)
        assert tuple(titles) == FEATURES
        assert titles["grain_size"][1] == unit
        assert all(title for title, _ in titles.values())
