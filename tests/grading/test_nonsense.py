"""What is no rust is not called sound without a word: the model of `dvc repro` on other pictures."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from sabi.grading.grader import Grader
from sabi.photographs.drawings import draw_ungraded
from tests.conftest import ROOT

MODEL = ROOT / "data/model"
LEAVES = ROOT.parent / "shared/real/leaf-rust"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not MODEL.exists(), reason="no data/model; `dvc repro` makes it"),
]
EACH = 10


def lens_cap(random: np.random.Generator) -> Image.Image:
    return Image.fromarray(random.integers(0, 14, (240, 320, 3), np.uint8))


def white(random: np.random.Generator) -> Image.Image:
    return Image.fromarray(random.integers(246, 256, (240, 320, 3), np.uint8))


def document(random: np.random.Generator) -> Image.Image:
    page = Image.new("RGB", (240, 320), (244, 242, 236))
    draw = ImageDraw.Draw(page)
    for y in range(20, 300, 12):
        x = 20
        while (end := x + int(random.integers(6, 40))) < 220:
            draw.rectangle((x, y, end, y + 5), fill=(40, 40, 45))
            x = end + 5
    return page


def sky(random: np.random.Generator) -> Image.Image:
    blue = np.linspace((90, 150, 230), (200, 220, 250), 240)[:, None].repeat(320, axis=1)
    specks = Image.fromarray(np.uint8(random.normal(0, 1, (240, 320)).clip(0, 1) * 255))
    clouds = np.asarray(specks.filter(ImageFilter.GaussianBlur(20)))[..., None]
    return Image.fromarray(np.uint8((blue + clouds * 0.5).clip(0, 255)))


def noise(random: np.random.Generator) -> Image.Image:
    return Image.fromarray(random.integers(0, 256, (240, 320, 3), np.uint8))


@pytest.fixture(scope="module")
def grader() -> Grader:
    return Grader.load(MODEL)


def caught(grader: Grader, photographs: list) -> float:
    """The share that deserves a look for what it shows, not for its grade."""
    own = {"dark", "bright", "plain", "blurred", "unlike"}
    return float(np.mean([bool(own & set(row.look.split())) for row in grader.grade(photographs)]))


@pytest.mark.parametrize("drawn", [lens_cap, white, document, sky, noise])
def test_nonsense_is_caught(grader, drawn):
    random = np.random.default_rng(15)
    assert caught(grader, [np.asarray(drawn(random)) for _ in range(EACH)]) > 0.95


def test_what_is_out_of_focus_is_caught_and_what_is_sharp_is_not(grader, tmp_path):
    draw_ungraded(tmp_path, count=20)
    files = sorted(tmp_path.iterdir())
    blurred = [np.asarray(Image.open(file).filter(ImageFilter.GaussianBlur(8))) for file in files]
    assert caught(grader, blurred) > 0.95
    assert caught(grader, files) <= 0.1  # at 5 % false alarms, 20 drawings


@pytest.mark.skipif(not LEAVES.exists(), reason="no ../shared with photographs of leaves")
def test_leaves_are_unlike_drawings(grader):
    leaves = sorted(path for path in LEAVES.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    some: list[Path] = leaves[:: max(1, len(leaves) // 40)]
    assert len(some) >= 40 and caught(grader, some) > 0.95
