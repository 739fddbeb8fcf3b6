"""The sample's drawings: the same bytes again, honestly marked, and grades that look like grades."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sabi.photographs.decoding import DRAWING_MARK, decode
from sabi.photographs.drawings import _state_near, draw_graded, draw_sample, draw_ungraded, photograph
from sabi.photographs.reading import Decoded, Wanted, read_all

WANTED = Wanted(32, None, min_side=32, max_megapixels=1)
SMALL = {"specimens": 1, "photographs": 2}


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def look_at(file: Path) -> Decoded:
    [reading] = read_all([file], [None], WANTED, None)
    return reading.decoded


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample") / "new" / "raw"
    draw_graded(folder, **SMALL)
    return folder


def test_a_graded_sample_has_specimens_of_every_grade_each_under_one_number(graded):
    files = [re.fullmatch(r"([1-5])_specimen(\d{3})-(\d)\.jpg", name).groups() for name in contents(graded)]
    assert sorted(files) == [(str(g), f"{g:03d}", str(shot)) for g in range(1, 6) for shot in (1, 2)]


def test_drawings_are_marked_as_such_and_all_different(graded):
    looks = [look_at(file) for file in graded.iterdir()]
    assert all(look.drawing for look in looks)
    assert len({look.pixel_sha256 for look in looks}) == len(looks) == 10
    for data in contents(graded).values():
        assert data.count(DRAWING_MARK) == 1
    assert {decode(file).size for file in graded.iterdir()} == {(320, 240)}


@pytest.mark.slow
def test_drawing_again_over_an_interrupted_one_gives_the_same_bytes(graded, tmp_path):
    partial = tmp_path / "raw.partial"
    partial.mkdir()
    (partial / "3_specimen003-1.jpg").write_bytes(b"half a drawing")
    (partial / "3_specimen999-1.jpg").write_bytes(b"of other settings")
    draw_graded(tmp_path / "raw", **SMALL)
    assert contents(tmp_path / "raw") == contents(graded)
    assert not partial.exists()


def test_ungraded_drawings_carry_no_grade_and_follow_the_seed(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        draw_ungraded(tmp_path / name, count=1, seed=seed)
    a, b, c = (contents(tmp_path / name) for name in "abc")
    assert list(a) == ["drawing01.jpg"] == list(c)
    assert a == b != c
    assert look_at(tmp_path / "a" / "drawing01.jpg").drawing


def test_a_user_s_own_photographs_are_left_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data" / "raw").mkdir(parents=True)
    (tmp_path / "data" / "raw" / "3_mine.jpg").write_bytes(b"mine")
    draw_sample(Path("data/raw"), Path("data/unlabelled"))
    assert contents(tmp_path / "data" / "raw") == {"3_mine.jpg": b"mine"}
    assert contents(tmp_path / "data" / "unlabelled") == {}


def test_a_photograph_is_pure_in_its_state_and_draws():
    def shot(state, seed):
        return photograph(state, np.random.default_rng(seed))

    first = shot(3.0, 1)
    assert (first.mode, first.size) == ("RGB", (320, 240))
    assert first == shot(3.0, 1)
    assert first != shot(3.0, 2)
    # Nothing of the tilted frame lies beyond the steel, which would be black.
    border = Image.fromarray(np.asarray(first)).resize((32, 24), Image.Resampling.BOX)
    assert (
        np.asarray(border)[[0, -1]].max(-1).min() > 20 and np.asarray(border)[:, [0, -1]].max(-1).min() > 20
    )


def test_about_one_specimen_in_twenty_lies_beyond_its_grade_s_border():
    rng = np.random.default_rng(1)
    off = np.array([_state_near(grade, rng) - grade for grade in range(1, 6) for _ in range(1000)])
    assert np.abs(off).max() == pytest.approx(0.65)
    assert 0.03 < (np.abs(off) > 0.5).mean() < 0.065
