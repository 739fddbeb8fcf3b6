"""Every file of a folder is found once, and only names of photographs pass."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sabi.photographs.files import Unusable, check_name, find, printable
from tests.photographs.test_decoding import INTACT

AWKWARD = [
    "3_specimen 1.JPG",
    "3_橋梁・床版.jpeg",
    '5_it\'s "rust", really.png',
    "1_Upper and lower.Png",
    "2_.jpg",
    "2_#%&?*[x]{y}~.jpg",
    "4_\N{PILE OF POO}.JPEG",
    "3_phone.HEIC",
    "3_phone.heif",
    "3_scan.tif",
    "3_scan.TIFF",
    "3_web.webp",
    "3_pair.MPO",
]


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_names_are_found_and_usable(tmp_path, name):
    (tmp_path / "橋 1").mkdir()
    (tmp_path / "橋 1" / name).write_bytes(INTACT["PNG"])
    assert find(tmp_path) == [f"橋 1/{name}"]
    check_name(tmp_path / find(tmp_path)[0])


@settings(max_examples=50)
@given(
    st.sets(
        st.lists(st.sampled_from(["a", "b.png", "c.JPG", "é", ".x", "3_a.jpg"]), min_size=1, max_size=3).map(
            "/".join
        )
    )
)
def test_find_gives_every_file_once_in_the_order_of_code_points(paths):
    with tempfile.TemporaryDirectory() as folder:
        written, folders = set(), set()
        for path in sorted(paths):
            file = Path(folder) / path
            if file.exists() or any((Path(folder) / parent).is_file() for parent in Path(path).parents):
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"")
            written.add(path)
            folders |= {
                str(parent) for parent in Path(path).parents if parent.suffix.lower() in (".png", ".jpg")
            }
        found = find(Path(folder))
        assert found == sorted(found)
        assert len(found) == len(set(found))
        assert set(found) == written | folders


def test_a_folder_that_is_not_there_holds_nothing(tmp_path):
    assert find(tmp_path / "none") == []


def test_a_folder_named_like_a_photograph_is_refused_and_its_photographs_found(tmp_path):
    (tmp_path / "3_x.PNG").mkdir()
    (tmp_path / "3_x.PNG" / "3_y.png").write_bytes(INTACT["PNG"])
    assert find(tmp_path) == ["3_x.PNG", "3_x.PNG/3_y.png"]
    with pytest.raises(Unusable, match="folder with a photograph's name"):
        check_name(tmp_path / "3_x.PNG")
    check_name(tmp_path / "3_x.PNG/3_y.png")


def test_a_name_that_is_not_utf_8_is_refused_and_shown_as_text(tmp_path):
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/3_\xb2\x8c.jpg")).write_bytes(INTACT["PNG"])
    (path,) = find(tmp_path)
    with pytest.raises(Unusable, match="not UTF-8") as caught:
        check_name(tmp_path / path)
    assert printable(path) == "3_\\xb2\\x8c.jpg"
    (printable(path) + str(caught.value)).encode("utf-8")


@pytest.mark.parametrize("name", ["3_a.gif", "3_a", "3_a.jpg.txt", "3_ajpg", ".DS_Store", "3_a.ＪＰＧ"])
def test_other_suffixes_are_refused(tmp_path, name):
    (tmp_path / name).write_bytes(INTACT["PNG"])
    with pytest.raises(Unusable, match="must end in"):
        check_name(tmp_path / name)


def test_a_pipe_is_refused_before_it_is_read(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    with pytest.raises(Unusable, match="a pipe, socket or device with a photograph's name"):
        check_name(tmp_path / "a.jpg")
