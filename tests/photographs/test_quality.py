"""Pictures that show nothing are named; those that show rust are not."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from sabi.photographs.drawings import draw_ungraded
from sabi.photographs.quality import fault, least_sharp, sharpness


@pytest.fixture(scope="module")
def drawings(tmp_path_factory) -> list[Image.Image]:
    folder = tmp_path_factory.mktemp("drawings")
    draw_ungraded(folder, count=5)
    return [Image.open(file).convert("RGB").resize((128, 128)) for file in sorted(folder.iterdir())]


def found(pixels: np.ndarray, least: float) -> str | None:
    return fault(pixels, sharpness(pixels), least)


def sharp(drawings) -> float:
    return least_sharp(np.array([sharpness(np.asarray(drawing)) for drawing in drawings]))


def test_drawings_of_every_grade_have_no_fault(drawings):
    assert [found(np.asarray(drawing), sharp(drawings)) for drawing in drawings] == [None] * 5


def test_what_is_out_of_focus_is_blurred(drawings):
    blurred = [drawing.filter(ImageFilter.GaussianBlur(6)) for drawing in drawings]
    assert [found(np.asarray(drawing), sharp(drawings)) for drawing in blurred] == ["blurred"] * 5


@pytest.mark.parametrize(
    ("value", "name"), [(0, "dark"), (19, "dark"), (236, "bright"), (255, "bright"), (128, "plain")]
)
def test_a_single_colour_is_named_for_what_it_is(value, name):
    assert found(np.full((128, 128, 3), value, np.uint8), 0.0) == name


def test_a_lens_cap_with_the_sensors_noise_is_dark():
    noise = np.random.default_rng(0).integers(0, 12, (128, 128, 3), np.uint8)
    assert found(noise, 0.0) == "dark"


def test_sharpness_does_not_hang_on_the_light(drawings):
    for drawing in drawings:
        pixels = np.asarray(drawing)
        assert sharpness(pixels // 2) == pytest.approx(sharpness(pixels), rel=0.1)
    assert sharpness(np.zeros((8, 8, 3), np.uint8)) == 0
