"""Tables that spreadsheet programs open."""

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from sabi.serving.selection import Selected
from sabi.serving.tables import date_of, write_csv


@pytest.mark.parametrize(
    ("path", "day"),
    [
        ("2026-11-25/a.jpg", "2026-11-25"),
        ("G1_20261125.jpg", "2026-11-25"),
        ("20250101/2026.11.25 a.jpg", "2026-11-25"),
        ("IMG_120261125.jpg", ""),
        ("2026-13-25.jpg", ""),
        ("2026-1125.jpg", ""),
    ],
)
def test_the_day_of_a_survey_stands_in_the_name(path, day):
    assert date_of(Selected(path, Path("/nowhere"), None)) == day


def test_else_the_camera_tells_it(tmp_path):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2026:11:24 10:20:30"
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", exif=exif)
    assert date_of(Selected("a.jpg", tmp_path / "a.jpg", None)) == "2026-11-24"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
def test_no_name_becomes_a_formula(tmp_path, start):
    table = pd.DataFrame({"path": [f"{start}1+1.jpg"], "specimen": [f"{start}G1"], "score": [-1.005]})
    write_csv(table, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    read = pd.read_csv(tmp_path / "t.csv", encoding="utf-8-sig", dtype=str)
    assert read.path[0] == f"./{start}1+1.jpg" and read.specimen[0] == f"'{start}G1"
    assert read.score[0] in ("-1.00", "-1.01")


def test_what_is_not_known_is_an_empty_cell(tmp_path):
    write_csv(pd.DataFrame({"path": ["橋.jpg", "b.jpg"], "specimen": ["", "007"]}), tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text(encoding="utf-8-sig") == "path,specimen\n橋.jpg,\nb.jpg,007\n"
