"""`sabi next`: a list to fill in and a page, of photographs that can be graded."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sabi.runtime.errors import InputError
from sabi.serving.next_labels import choose_into

pytestmark = pytest.mark.slow


@pytest.fixture
def here(folder: Path, tmp_path: Path, monkeypatch) -> Path:
    """A folder with four drawings and a picture that shows nothing; the path of the model."""
    monkeypatch.chdir(tmp_path)
    for number, file in enumerate(sorted((folder / "photographs").iterdir()), start=1):
        (tmp_path / f"new/drawing0{number}.jpg").parent.mkdir(exist_ok=True)
        (tmp_path / f"new/drawing0{number}.jpg").write_bytes(file.read_bytes())
    Image.fromarray(np.zeros((60, 60, 3), np.uint8)).save(tmp_path / "new/black.png")
    (tmp_path / "new/notes.txt").write_text("no photograph")
    return folder / "model"


def test_the_list_is_to_be_filled_in_and_the_page_shows_each_without_a_grade(here):
    table = choose_into(Path("out"), 3, ["new"], here)
    written = pd.read_csv("out/labels.csv", encoding="utf-8-sig", dtype=str, keep_default_na=False)
    assert list(written) == ["file", "grade", "specimen"]
    assert written.file.tolist() == table.file.tolist() and len(set(table.file)) == 3
    assert set(written.grade) == {""} and written.specimen.tolist() == [
        Path(file).stem for file in written.file
    ]
    assert all((Path("new") / file).is_file() for file in table.file)  # as they will lie in data/raw
    page = Path("out/index.html").read_text(encoding="utf-8")
    assert re.findall('alt="([^"]*)"', page) == table.file.tolist() and "score" not in page


def test_what_shows_nothing_is_never_chosen_and_fewer_are_all(here):
    table = choose_into(Path("out"), 100, ["new"], here, language="ja")
    assert len(table) == 4 and "black.png" not in set(table.file)
    assert choose_into(Path("first"), 2, ["new"], here).file.tolist() == table.file[:2].tolist()


def test_an_old_list_stays_and_a_folder_of_nothing_is_one_line(here):
    Path("out").mkdir()
    with pytest.raises(InputError, match="out: is there already"):
        choose_into(Path("out"), 3, ["new"], here)
    with pytest.raises(InputError, match="none of its 1 files is a photograph"):
        choose_into(Path("other"), 3, ["new/black.png"], here)
    assert not Path("other").exists()
