"""Grades, specimens and scales are read from names, folders or a table; what does not fit has a reason.

How a table is written is tested in `test_label_table`.
"""

import re
import tempfile
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sabi.names import normal
from sabi.photographs.labels import Label, read, scales
from sabi.runtime.errors import InputError
from sabi.settings.labels import Labels

FILE = "labels.csv"
FIVE = ["1", "2", "3", "4", "5"]


def labels(source="name", grades=FIVE, sound=None) -> Labels:
    return Labels(source=source, grades=list(grades), sound=sound or grades[1])


def with_table(folder: Path, content: str | bytes) -> Path:
    data = content if isinstance(content, bytes) else content.encode()
    (folder / FILE).write_bytes(data)
    return folder


def reason_against(folder: Path, path: str, chosen: Labels) -> str:
    accepted, rejected = read(folder, [path], chosen)
    assert not accepted and list(rejected) == [path]
    assert len(rejected[path].splitlines()) == 1
    return rejected[path]


# From names.


@given(
    folder=st.sampled_from(["", "5_x/", "橋/1_/"]),
    name=st.text(st.characters(exclude_characters="/\0"), min_size=1),
)
@example("", "0_a.jpg")
@example("", "6_a.jpg")
@example("", "３_a.jpg")
@example("", "３_a.jpg".translate({ord("_"): "＿"}))
@example("", "3a.jpg")
@example("", "3-a.jpg")
@example("", "33_a.jpg")
@example("", " 3_a.jpg")
@example("", "²_a.jpg")
@example("5_x/", "3")
@example("5_x/", "3_")
def test_the_grade_is_what_the_file_s_own_name_begins_with_before_an_underscore(folder, name):
    path = folder + name
    accepted, rejected = read(Path("/nowhere"), [path], labels())
    if re.match("[1-5]_", normal(name)):
        assert accepted == {path: Label(int(normal(name)[0]))} and not rejected
    else:
        assert not accepted and "must begin with a grade (1, 2, 3, 4, 5) and '_'" in rejected[path]


@pytest.mark.parametrize(
    ("path", "grade"),
    [
        ("good_a.jpg", 2),
        ("good_but_old_a.jpg", 3),
        ("good_but_a.jpg", 2),
        ("bridge/10s_a.jpg", 4),
        ("1_a.jpg", 1),
        ("良_1.jpg", 5),
    ],
)
def test_the_longest_name_of_a_grade_that_fits_counts(path, grade):
    chosen = labels(grades=["1", "good", "good_but_old", "10s", "良"])
    assert read(Path("/nowhere"), [path], chosen) == ({path: Label(grade)}, {})


# From folders.


@pytest.mark.parametrize(
    ("path", "grade"),
    [("good/a.jpg", 2), ("defect/bridge/good_a.jpg", 1), ("10 s/1/2.png", 3), ("１０\u3000s /a.png", 3)],
)
def test_the_grade_is_the_first_folder(path, grade):
    chosen = labels("folder", ["defect", "good", "10 s"])
    assert read(Path("/nowhere"), [path], chosen) == ({path: Label(grade)}, {})


@pytest.mark.parametrize("path", ["a.jpg", "good", "better/a.jpg", "bridge/good/a.jpg", "Good/a.jpg"])
def test_what_lies_in_no_folder_of_a_grade_is_refused(tmp_path, path):
    assert "folder named like its grade: defect, good" in reason_against(
        tmp_path, path, labels("folder", ["defect", "good"])
    )


# From a table.

ROWS = "file,grade,specimen,mm_per_pixel\na.jpg,2,,\nbridge/b.png,5,007,0.25\n"
ROWS_READ = {"a.jpg": Label(2), "bridge/b.png": Label(5, "007", 0.25)}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(ROWS.encode(), id="UTF-8"),
        pytest.param(ROWS.encode("utf-8-sig"), id="byte order mark"),
        pytest.param(ROWS.replace("\n", "\r\n").encode(), id="Windows"),
        pytest.param(ROWS.rstrip().encode(), id="no end of line at the end"),
        pytest.param(ROWS.replace(",2,,", ", 2 , ,").encode(), id="spaces"),
        pytest.param((ROWS + "\n,,,\n").encode(), id="empty rows"),
        pytest.param(
            b'note,mm_per_pixel,file,grade,specimen\n"x, y",,a.jpg,2,\n"""",.25,bridge/b.png,5,007\n',
            id="other columns, other order",
        ),
    ],
)
def test_a_table_gives_grade_specimen_and_scale(tmp_path, content):
    with_table(tmp_path, content)
    assert read(tmp_path, [FILE, "a.jpg", "bridge/b.png"], labels("csv")) == (ROWS_READ, {})


def test_specimen_and_scale_are_optional(tmp_path):
    with_table(tmp_path, "file,grade\n橋 1/錆.jpg,good\n")
    chosen = labels("csv", ["defect", "good"])
    assert read(tmp_path, ["橋 1/錆.jpg"], chosen) == ({"橋 1/錆.jpg": Label(2)}, {})


@given(
    rows=st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from([*FIVE, "6", ""])), max_size=6),
    found=st.sets(st.sampled_from("abcd")),
)
def test_every_file_and_every_row_is_accepted_or_has_a_reason_and_order_does_not_matter(rows, found):
    with tempfile.TemporaryDirectory() as folder:
        with_table(Path(folder), "\n".join(["file,grade", *(f"{name},{grade}" for name, grade in rows)]))
        accepted, rejected = read(Path(folder), found, labels("csv"))
        with_table(Path(folder), "\n".join(["file,grade", *(f"{n},{g}" for n, g in reversed(rows))]))
        assert read(Path(folder), sorted(found, reverse=True), labels("csv")) == (accepted, rejected)
    assert not set(accepted) & set(rejected)
    assert set(accepted) | set(rejected) == found | {name for name, _ in rows}
    for name in found:
        mine = [grade for other, grade in rows if other == name]
        assert (name in accepted) == (len(mine) == 1 and mine[0] in FIVE)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("other.jpg,3,,", "has no row in labels.csv or labels.xlsx"),
        ("a.jpg,6,,", "is '6'; allowed (labels.grades): 1, 2, 3, 4, 5"),
        ("a.jpg,3.5,,", "is '3.5'"),
        ("a.jpg,1_0,,", "is '1_0'"),
        ("a.jpg,３ or 4,,", "is '３ or 4'"),
        ("a.jpg,,,", "is ''"),
        ("a.jpg,3,,1_0", "mm_per_pixel in the table of labels is '1_0'"),
        ("a.jpg,3,,0", "mm_per_pixel in the table of labels is '0'; allowed: a number such as 0.21"),
        ("a.jpg,3,,-0.2", "is '-0.2'"),
        ("a.jpg,3,,nan", "is 'nan'"),
        ("a.jpg,3,,inf", "is 'inf'"),
        ('a.jpg,3,,"1,234"', "is '1,234'; allowed: a number such as 0.21, 0.001 to 100, or nothing"),
        ("a.jpg,3,,0.2 mm", "is '0.2 mm'"),
        ('a.jpg,3,"two\nlines",', "control characters"),
        ("a.jpg,3,,\na.jpg,3,,", "has 2 rows in the table of labels; keep one"),
    ],
)
def test_a_row_that_cannot_be_used_is_told_with_what_is_allowed(tmp_path, row, said):
    with_table(tmp_path, f"file,grade,specimen,mm_per_pixel\n{row}\n")
    accepted, rejected = read(tmp_path, ["a.jpg"], labels("csv"))
    assert not accepted and said in rejected["a.jpg"]


@pytest.mark.parametrize(
    ("cell", "grade"), [("5", 5), ("５", 5), (" 5 ", 5), ("5.0", 5), ("５．０", 5), ("05", 5), ("5.", 5)]
)
def test_a_grade_is_read_as_a_reader_would(tmp_path, cell, grade):
    with_table(tmp_path, f"file,grade\na.jpg,{cell}\n")
    assert read(tmp_path, ["a.jpg"], labels("csv")) == ({"a.jpg": Label(grade)}, {})


def test_a_grade_with_two_readings_is_refused_and_its_own_name_goes_first(tmp_path):
    names = ["4", "5", "5.0", "good"]
    with_table(tmp_path, "file,grade\na.jpg,5.0\nb.jpg,05\nc.jpg,4.0\nd.jpg,\ufeffgood\n")
    accepted, rejected = read(tmp_path, ["a.jpg", "b.jpg", "c.jpg", "d.jpg"], labels("csv", names))
    assert accepted == {"a.jpg": Label(3), "c.jpg": Label(1), "d.jpg": Label(4)}
    assert "is '05'; allowed" in rejected["b.jpg"]


@pytest.mark.parametrize(
    "specimen", ["ブリッジ 1", "ﾌﾞﾘｯｼﾞ １", " ブリッジ\u3000 1 ", unicodedata.normalize("NFD", "ブリッジ 1")]
)
def test_a_specimen_has_one_spelling(tmp_path, specimen):
    with_table(tmp_path, f"file,grade,specimen\na.jpg,1,{specimen}\n")
    assert read(tmp_path, ["a.jpg"], labels("csv"))[0]["a.jpg"].specimen == "ブリッジ 1"


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("a.jpg", ["a.jpg", "A.JPG"]),
        ("A.JPG", ["a.jpg"]),
        ("a.JPG", ["a.jpg", "b.jpg"]),
        ("bridge\\a.jpg", ["bridge/a.jpg"]),
        (".\\bridge\\a.jpg", ["bridge/a.jpg"]),
        ("Bridge\\A.jpg", ["bridge/a.jpg"]),
        ("bridge\\a.jpg", ["bridge\\a.jpg", "bridge/a.jpg"]),
        ("ブリッジ.jpg", [unicodedata.normalize("NFD", "ブリッジ.jpg")]),
        (unicodedata.normalize("NFD", "ブリッジ.jpg"), ["ブリッジ.jpg"]),
        ("橋１.jpg", ["橋1.jpg", "橋2.jpg"]),
        ("橋1～2.jpg", ["橋1〜2.jpg"]),
        (" a.jpg ", ["a.jpg"]),
        ("\ufeffa.jpg", ["a.jpg"]),
        ("C:a.jpg", ["C:a.jpg"]),
    ],
)
def test_a_row_is_of_the_one_file_that_its_path_can_mean(tmp_path, written, found):
    with_table(tmp_path, f"file,grade\n{written},3\n")
    accepted, rejected = read(tmp_path, found, labels("csv"))
    assert accepted == {found[0]: Label(3)} and set(rejected) == set(found[1:])


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("a.JPG", ["a.jpg", "A.jpg"]),
        ("ブ.jpg", [unicodedata.normalize("NFD", "ブ.jpg"), "ﾌﾞ.jpg"]),
    ],
)
def test_a_row_that_several_files_fit_is_of_none_and_names_them(tmp_path, written, found):
    with_table(tmp_path, f"file,grade\n{written},3\n")
    accepted, rejected = read(tmp_path, found, labels("csv"))
    assert not accepted and set(rejected) == {written, *found}
    assert rejected[written].startswith("its row in the table of labels fits several files (")
    assert all(name in rejected[written] for name in found)


def test_two_spellings_of_one_file_are_two_rows(tmp_path):
    with_table(tmp_path, "file,grade\na.jpg,3\nA.jpg,4\n")
    assert "has 2 rows" in reason_against(tmp_path, "a.jpg", labels("csv"))


def test_a_row_whose_file_is_missing_is_told(tmp_path):
    with_table(tmp_path, "file,grade\nbridge\\b.jpg,3\n")
    accepted, rejected = read(tmp_path, ["bridge/a.jpg"], labels("csv"))
    assert not accepted and list(rejected) == ["bridge\\b.jpg", "bridge/a.jpg"]
    assert "no such file; correct or remove the row" in rejected["bridge\\b.jpg"]


@pytest.mark.parametrize(
    "path",
    ["../a.jpg", "b/../../a.jpg", "..\\a.jpg", "/a.jpg", "\\\\server\\a.jpg", "C:\\a.jpg", "c:/a.jpg"],
)
def test_a_path_that_leads_out_of_the_folder_is_refused(tmp_path, path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "a.jpg").touch()
    with_table(tmp_path / "raw", f"file,grade\n{path},3\n")
    accepted, rejected = read(tmp_path / "raw", [FILE], labels("csv"))
    assert not accepted and "leads out of the folder; write the path below it" in rejected[path]


def test_a_link_out_of_the_folder_is_refused_but_not_one_into_dvc_s_cache(tmp_path):
    """DVC set to use links (`cache.type symlink`) leaves such in place of what it tracks."""
    raw = tmp_path / "raw"
    raw.mkdir()
    cached = tmp_path / "shared/files/md5/0a" / ("1" * 30)
    cached.parent.mkdir(parents=True)
    for file in (cached, tmp_path / "secret.jpg", raw / "own.jpg"):
        file.touch()
    for name, target in [("out", tmp_path / "secret.jpg"), ("dvc", cached), ("in", raw / "own.jpg")]:
        (raw / f"{name}.jpg").symlink_to(target)
    names = ["dvc.jpg", "in.jpg", "out.jpg", "own.jpg"]
    with_table(raw, "file,grade\n" + "".join(f"{name},3\n" for name in names))
    accepted, rejected = read(raw, [FILE, *names], labels("csv"))
    assert set(accepted) == {"dvc.jpg", "in.jpg", "own.jpg"}
    assert rejected == {"out.jpg": "a link that leads out of the folder; copy the photograph itself"}


def test_a_missing_table_is_told_with_both_ways_out(tmp_path):
    with pytest.raises(InputError, match=r"labels.csv: no such file, nor labels.xlsx; write it.*or change"):
        read(tmp_path, ["a.jpg"], labels("csv"))
    with pytest.raises(InputError, match=r"nor labels.xlsx; rename Labels.CSV, or write it"):
        read(tmp_path, ["Labels.CSV", "a.jpg"], labels("csv"))


@pytest.mark.parametrize("column", ["specimens", "Specimen ID", "specimen_no", "mm_per_px", "mm/pixel"])
def test_a_column_that_is_nearly_one_of_ours_is_not_left_unread(tmp_path, column):
    with_table(tmp_path, f"file,grade,{column}\na.jpg,3,1\n")
    with pytest.raises(InputError, match=f"has a column {column.lower()}, which is not read; call it "):
        read(tmp_path, [FILE, "a.jpg"], labels("csv"))
    others = "species,inspected,specimen_w,um_per_pixel"
    with_table(tmp_path, f"file,grade,{others}\na.jpg,3,1,2,3,4\n")
    assert read(tmp_path, [FILE, "a.jpg"], labels("csv"))[0]["a.jpg"].mm_per_pixel is None
    with_table(tmp_path, f"file,grade,specimen,mm_per_pixel,{column}\na.jpg,3,x,1,1\n")
    assert read(tmp_path, [FILE, "a.jpg"], labels("csv"))[0]["a.jpg"].specimen == "x"


def test_a_table_without_grades_is_told(tmp_path):
    with_table(tmp_path, "file,mm_per_pixel\na.jpg,1\n")
    with pytest.raises(InputError, match="column grade, once"):
        read(tmp_path, ["a.jpg"], labels("csv"))


# The scale alone.


@pytest.mark.parametrize(("source", "path"), [("name", "2_a.jpg"), ("folder", "2/a.jpg")])
def test_where_names_give_the_grade_a_table_may_give_the_scale(tmp_path, source, path):
    with_table(tmp_path, f"file,mm_per_pixel\n{path},0.5\ngone.jpg,1\n")
    accepted, rejected = read(tmp_path, [FILE, path], labels(source))
    assert accepted == {path: Label(2, None, 0.5)}
    assert list(rejected) == ["gone.jpg"]


@pytest.mark.parametrize("columns", ["file,mm_per_pixel,grade", "file,specimen,mm_per_pixel", "file,grade"])
def test_a_table_whose_grades_would_be_ignored_is_refused(tmp_path, columns):
    with_table(tmp_path, f"{columns}\n")
    with pytest.raises(InputError, match=r"but labels\.source is not csv; set it so, or remove the column"):
        read(tmp_path, ["3_a.jpg"], labels())


@pytest.mark.parametrize("source", ["name", "folder"])
def test_where_names_give_the_grade_a_table_may_give_measurements_alone(tmp_path, source):
    path = "2_a.jpg" if source == "name" else "2/a.jpg"
    with_table(tmp_path, f"file,thickness_um\n{path},312\n")
    assert read(tmp_path, [FILE, path], labels(source)) == ({path: Label(2)}, {})
    assert scales(tmp_path, [FILE, path]) == ({}, {})


@pytest.mark.parametrize("column", ["mm_per_px", "mm_pro_pixel", "mm/pixel"])
def test_a_scale_under_another_name_is_told_and_not_taken_for_a_measurement(tmp_path, column):
    with_table(tmp_path, f"file,{column}\n2_a.jpg,0.5\n")
    for reading in (
        lambda: read(tmp_path, [FILE, "2_a.jpg"], labels()),
        lambda: scales(tmp_path, [FILE, "2_a.jpg"]),
    ):
        with pytest.raises(
            InputError, match=r"(has a column mm.*, .*call it|must name a column) mm_per_pixel"
        ):
            reading()


def test_a_table_that_says_nothing_is_told(tmp_path):
    with_table(tmp_path, "file,remark\n2_a.jpg,wet\n")
    with pytest.raises(InputError, match="must name a column mm_per_pixel, once"):
        read(tmp_path, [FILE, "2_a.jpg"], labels())


def test_scales_are_those_given(tmp_path):
    assert scales(tmp_path, ["a.jpg"]) == ({}, {})
    with_table(
        tmp_path, "\ufefffile,mm_per_pixel,grade\na.jpg,0.001,?\nb\\c.jpg,,3\nD.jpg,１００,\ne.jpg,1,\n"
    )
    known, unmatched = scales(tmp_path, [FILE, "a.jpg", "b/c.jpg", "d.jpg"])
    assert known == {"a.jpg": 0.001, "d.jpg": 100.0}
    assert list(unmatched) == ["e.jpg"] and "there is no such file" in unmatched["e.jpg"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [("a.jpg,0", "'0'; allowed: a number such as 0.21, 0.001 to 100"), ("a.jpg,1\na.jpg,2", "has 2 rows")],
)
def test_a_scale_that_cannot_be_used_stops_with_the_file_s_name(tmp_path, rows, said):
    with_table(tmp_path, f"file,mm_per_pixel\n{rows}\n")
    with pytest.raises(InputError, match=f"labels.csv: a.jpg: .*{said}"):
        scales(tmp_path, ["a.jpg"])


# Several inspectors.

BY_THREE = """file,grade,specimen,inspector
a.jpg,3,G1,mori
a.jpg,4,G1,sato
a.jpg,4,,ueda
b.jpg,2,G2,mori
b.jpg,3,G2,sato
c.jpg,5,G3,ueda
"""


def test_the_grade_is_the_median_and_training_aims_at_the_mean(tmp_path):
    known, rejected = read(with_table(tmp_path, BY_THREE), ["a.jpg", "b.jpg", "c.jpg"], labels("csv"))
    assert rejected == {}
    assert known["a.jpg"] == Label(4, "G1", None, (("mori", 3), ("sato", 4), ("ueda", 4)))
    assert known["a.jpg"].mean == pytest.approx(11 / 3)
    # Of an even number the worse of the two in the middle.
    assert (known["b.jpg"].grade, known["b.jpg"].mean) == (2, 2.5)
    assert (known["c.jpg"].grade, known["c.jpg"].mean) == (5, 5.0)
    assert Label(3).mean == 3.0


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("a.jpg,3,,mori\na.jpg,4,,mori\n", "has two grades by mori"),
        ("a.jpg,3,,mori\na.jpg,4,,\n", "has a row without an inspector"),
        ("a.jpg,3,G1,mori\na.jpg,4,G2,sato\n", r"differ in specimen (G1, G2)"),
        ("a.jpg,9,,mori\n", "its grade in the table of labels is '9'"),
        ("a.jpg,3,,\na.jpg,4,,\n", "has 2 rows in the table of labels; keep one"),
    ],
)
def test_what_inspectors_rows_cannot_say_is_told(tmp_path, rows, said):
    folder = with_table(tmp_path, f"file,grade,specimen,inspector\n{rows}")
    assert said in reason_against(folder, "a.jpg", labels("csv"))


def test_a_table_of_scales_alone_may_name_inspectors(tmp_path):
    folder = with_table(tmp_path, "file,mm_per_pixel,inspector\n3_a.jpg,0.1,mori\n")
    assert read(folder, ["3_a.jpg"], labels())[0] == {"3_a.jpg": Label(3, None, 0.1)}


def test_a_table_of_grades_beside_photographs_to_grade_says_no_scale(tmp_path):
    with_table(tmp_path, "file,grade\na.jpg,3\n")
    assert scales(tmp_path, [FILE, "a.jpg"]) == ({}, {})
    with_table(tmp_path, "file,grade,mm_per_px\na.jpg,3,1\n")
    with pytest.raises(InputError, match="call it mm_per_pixel"):
        scales(tmp_path, [FILE, "a.jpg"])
