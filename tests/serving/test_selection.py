"""Which files a command line means."""

import pytest

from sabi.runtime.errors import InputError
from sabi.serving.selection import below_common_folder, select


@pytest.fixture
def bridge(tmp_path, monkeypatch):
    (tmp_path / "bridge/deep").mkdir(parents=True)
    for name in ("a.jpg", "b.png", "deck/c.jpg", "deck/deep/d.jpg"):
        (tmp_path / "bridge" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "bridge" / name).write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["bridge"], ["bridge/a.jpg", "bridge/b.png", "bridge/deck/c.jpg", "bridge/deck/deep/d.jpg"]),
        (["bridge/deck/", "bridge/a.jpg"], ["bridge/deck/c.jpg", "bridge/deck/deep/d.jpg", "bridge/a.jpg"]),
        (["bridge/*.jpg"], ["bridge/a.jpg"]),
        (["bridge/**/*.jpg"], ["bridge/a.jpg", "bridge/deck/c.jpg", "bridge/deck/deep/d.jpg"]),
        (["bridge/a.jpg", "./bridge/a.jpg", "bridge/a.*"], ["bridge/a.jpg"]),
        (["bridge/deck/../a.jpg"], ["bridge/deck/../a.jpg"]),
        (["bridge/deck", "bridge/deep/../deck"], ["bridge/deck/c.jpg", "bridge/deck/deep/d.jpg"]),
    ],
)
def test_files_folders_and_patterns_each_file_once(bridge, given, expected):
    assert [one.path for one in select(given)] == expected


def test_a_pattern_from_the_root(bridge):
    assert [one.file for one in select([f"{bridge}/bridge/*.png"])] == [bridge / "bridge/b.png"]


@pytest.mark.parametrize("missing", ["bridg", "bridge/*.tif", "bridge/a.jpeg", "", " "])
def test_what_stands_for_no_file_is_told(bridge, missing):
    with pytest.raises(InputError, match="no such file or folder"):
        select(["bridge", missing])


def test_a_folder_of_nothing_is_told(bridge):
    (bridge / "empty").mkdir()
    with pytest.raises(InputError, match=r"^empty: no such file"):
        select(["empty"])


def test_scales_are_those_of_the_folders_labels(bridge):
    (bridge / "bridge/labels.csv").write_text("file,mm_per_pixel\na.jpg,0.25\n")
    known = {one.path: one.mm_per_pixel for one in select(["bridge"])}
    assert known["bridge/a.jpg"] == 0.25 and known["bridge/b.png"] is None
    assert "bridge/labels.csv" not in known


def test_a_pattern_that_is_none_is_told(bridge):
    with pytest.raises(InputError, match=r"^bridge/a\*\*b: no such file, and no pattern"):
        select(["bridge/a**b"])


MODEL = "0" * 64


@pytest.mark.parametrize(
    ("mark", "text"),
    [("survey.json", f'{{"model": "{MODEL}", "grades": ["1"]}}'), ("unfinished.jsonl", f'"{MODEL}"\n["a')],
)
def test_what_an_earlier_grading_wrote_below_a_folder_is_no_photograph_of_it(bridge, mark, text):
    (bridge / "bridge/deck" / mark).write_text("{}")  # another program's
    assert "bridge/deck/c.jpg" in [one.path for one in select(["bridge"])]
    (bridge / "bridge/deck" / mark).write_text(text)
    assert [one.path for one in select(["bridge"])] == ["bridge/a.jpg", "bridge/b.png"]
    assert "bridge/deck/c.jpg" in [one.path for one in select(["bridge/deck"])]  # named itself


def test_a_row_of_the_table_adds_no_file_from_elsewhere(bridge):
    (bridge / "other.jpg").write_bytes(b"")
    table = "file,mm_per_pixel\na.jpg,1\n../other.jpg,1\nB.png,1\ngone.jpg,1\n"
    (bridge / "bridge/labels.csv").write_text(table)
    (bridge / "bridge/b.PNG").write_bytes(b"")
    reasons = {one.path: one.reason for one in select(["bridge"]) if one.reason}
    assert [*reasons] == ["bridge/../other.jpg", "bridge/B.png", "bridge/gone.jpg"]
    said = ["leads out of the folder", "fits several files", "there is no such file"]
    assert all(part in reason for part, reason in zip(said, reasons.values(), strict=True))
    named = select(["bridge", "other.jpg"])[-1]  # itself, beside the row that must not add it
    assert (named.path, named.reason) == ("other.jpg", None)


def test_a_table_of_several_inspectors_grades_does_not_matter(bridge):
    (bridge / "bridge/labels.csv").write_text("file,grade,inspector\na.jpg,3,x\na.jpg,4,y\n")
    assert [one.reason for one in select(["bridge"])] == [None] * 4


def test_paths_below_the_common_folder_lead_never_out_of_it(bridge, monkeypatch):
    monkeypatch.chdir(bridge / "bridge/deck")
    files = [one.file for one in select(["deep", "../a.jpg"])]
    assert below_common_folder(files) == ["deck/deep/d.jpg", "a.jpg"]


def test_a_name_that_the_system_refuses_is_told(bridge):
    with pytest.raises(InputError, match="a: File name too long"):
        select(["a" * 300])
