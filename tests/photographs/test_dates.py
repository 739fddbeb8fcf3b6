"""The day on which a photograph was taken."""

from pathlib import Path

import pytest
from PIL import Image

from sabi.photographs.dates import date_of


@pytest.mark.parametrize(
    ("path", "day"),
    [
        ("2026-11-25/a.jpg", "2026-11-25"),
        ("G1_20261125.jpg", "2026-11-25"),
        ("20250101/2026.11.25 a.jpg", "2026-11-25"),
        ("IMG_120261125.jpg", ""),
        ("2026-13-25.jpg", ""),
        ("2026-1125.jpg", ""),
        ("IMG_20260231.jpg", ""),
        ("20261125/20260231.jpg", "2026-11-25"),
    ],
)
def test_the_day_of_a_survey_stands_in_the_name(path, day):
    assert date_of(path, Path("/nowhere")) == day


@pytest.mark.parametrize(
    ("taken", "day"),
    [
        ("2026:11:24 10:20:30", "2026-11-24"),
        ("0000:00:00 00:00:00", ""),  # the camera's clock was never set
        ("2026:13:45 10:20:30", ""),
    ],
)
def test_else_the_camera_tells_it(tmp_path, taken, day):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = taken
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", exif=exif)
    assert date_of("a.jpg", tmp_path / "a.jpg") == day
