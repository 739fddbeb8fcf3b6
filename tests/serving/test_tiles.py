"""Windows over a photograph: all of it is seen, each window as if it came alone, and the areas add up."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sabi.grading.grader import Grader
from sabi.photographs.files import Unusable
from sabi.serving import tiles
from sabi.serving.closer import Look
from sabi.serving.grading import grade_into
from sabi.serving.tiles import tile, windows


@given(st.integers(8, 400), st.integers(8, 400), st.integers(1, 8))
def test_every_place_is_in_a_window_and_none_sticks_out(width, height, side):
    seen = np.zeros((height, width), int)
    for left, top, right, lower in windows(width, height, side):
        assert 0 <= left < right <= width and 0 <= top < lower <= height
        assert right - left == lower - top == side
        seen[top:lower, left:right] += 1
    assert seen.min() >= 1


@pytest.fixture(scope="module")
def grader(folder: Path) -> Grader:
    return Grader.load(folder / "model")


@pytest.fixture
def photograph(folder: Path, tmp_path: Path) -> Path:
    """Two drawings side by side."""
    first, second = (Image.open(file) for file in sorted((folder / "photographs").iterdir())[::3])
    both = Image.new("RGB", (first.width + second.width, first.height))
    both.paste(first)
    both.paste(second, (first.width, 0))
    both.save(tmp_path / "both.png")
    return tmp_path / "both.png"


@pytest.mark.slow
def test_windows_are_graded_as_photographs_and_shares_add_up(grader, photograph, monkeypatch):
    tiled = tile(grader, photograph, None, 100)
    whole = Image.open(photograph)
    rows = grader.grade([np.asarray(whole.crop(box)) for box in tiled.boxes])
    assert tiled.scores.tolist() == grader.spec.rating.by_position([row.score for row in rows]).tolist()
    assert sum(tiled.shares.values()) == pytest.approx(1)
    assert tiled.worst == tiled.boxes[int(np.argmin(tiled.scores))]
    assert tiled.map.size == whole.size
    monkeypatch.setattr(tiles, "AT_ONCE", 3)
    monkeypatch.setattr(tiles, "SHOWN", 50)
    small = tile(grader, photograph, None, 100)
    assert small.scores.tolist() == tiled.scores.tolist() and max(small.map.size) == 50


@pytest.mark.slow
def test_with_scales_a_window_shows_what_the_model_was_trained_on(grader, photograph):
    spec = grader.spec.model_copy(update={"target_mm_per_pixel": 2.0})
    scaled = Grader(spec, grader._scorers, grader._training)
    tiled = tile(scaled, photograph, 1.0, None)
    assert {right - left for left, _, right, _ in tiled.boxes} == {2 * spec.size}
    alone = scaled.grade([np.asarray(Image.open(photograph).crop(tiled.boxes[1]))], [1.0])
    assert tiled.scores[1] == pytest.approx(spec.rating.by_position([alone[0].score])[0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scale", "window", "said"),
    [(None, None, "say with --window"), (None, 5000, "one window of 5000")],
)
def test_without_a_scale_or_with_too_large_a_window_it_says_so(grader, photograph, scale, window, said):
    found = tile(grader, photograph, scale, window)
    assert isinstance(found, Unusable) and said in str(found)


@pytest.mark.slow
def test_the_page_has_the_pictures_and_the_table_the_shares(folder, photograph, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "tiny.png").write_bytes(photograph.read_bytes())
    with Image.open(photograph) as image:
        image.resize((60, 40)).save(tmp_path / "tiny.png")
    out, given_files = tmp_path / "out", [str(photograph), str(tmp_path / "tiny.png")]
    made = grade_into(out, given_files, folder / "model", look=Look(why=True, tiles=True, window=100))
    assert sorted(path.name for path in (out / "why").iterdir()) == ["0001.jpg", "0002.jpg"]
    table = pd.read_csv(out / "tiles.csv", encoding="utf-8-sig")
    assert table.path.tolist() == [str(photograph)] and (out / "tiles").is_dir()
    shares = [name for name in table if name.startswith("share_")]
    assert len(shares) == 5 and table[shares].sum(axis=1)[0] == pytest.approx(1, abs=0.03)
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "What pulls the score down" in page and "Where on the photograph" in page
    assert "tiny.png: no map (60 x 40 pixels are less than one window of 100)" in page
    assert page.count("data:image/jpeg") == 2 + 2 + 1 and len(made.graded) == 2
    plain = grade_into(tmp_path / "plain", given_files, folder / "model")
    assert plain.graded.score.tolist() == made.graded.score.tolist()
    assert "What pulls" not in (tmp_path / "plain/index.html").read_text(encoding="utf-8")
