"""A table of labels is read as spreadsheets write it where it has one reading; else one line says why not."""

import codecs
import io
import tempfile
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sabi.photographs.label_table import find_table, read_rows
from sabi.runtime.errors import InputError

ROWS = "file,grade,specimen\r\n橋\\錆 １.jpg,3,ｷﾞﾘﾝｶﾞ\r\nb.jpg,5,\r\n"
READ = [
    {"file": "橋\\錆 １.jpg", "grade": "3", "specimen": "ｷﾞﾘﾝｶﾞ"},
    {"file": "b.jpg", "grade": "5", "specimen": ""},
]


def table(folder: Path, content: bytes, name: str = "labels.csv") -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def workbook(*rows: list, more: dict[str, list] | None = None) -> bytes:
    """An Excel file with the rows on a sheet, and those of `more` on others."""
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for title, others in (more or {}).items():
        sheet = book.create_sheet(title)
        for row in others:
            sheet.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp932"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_what_excel_writes_is_read(tmp_path, encoding, separator, end):
    written = ROWS.replace(",", separator).replace("\r\n", end)
    assert read_rows(table(tmp_path, written.encode(encoding)), "grade") == READ


def test_utf_16_of_the_other_order_is_read(tmp_path):
    content = codecs.BOM_UTF16_BE + ROWS.encode("utf-16-be")
    assert read_rows(table(tmp_path, content), "grade") == READ


@given(
    st.lists(
        st.lists(
            st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1).filter(str.strip),
            min_size=2,
            max_size=2,
        ),
        min_size=1,
    ),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["utf-8", "utf-16"]),
)
def test_a_text_with_separators_comes_back_where_it_is_quoted(rows, separator, encoding):
    quoted = [separator.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    content = "\n".join([f"file{separator}grade", *quoted]).encode(encoding)
    with tempfile.TemporaryDirectory() as folder:
        read = read_rows(table(Path(folder), content), "grade")
    assert [[row["file"], row["grade"]] for row in read] == [[file, grade.strip()] for file, grade in rows]


def test_names_of_columns_are_read_in_any_spelling(tmp_path):
    content = "\ufeffＦile , GRADE,note\na.jpg,1,x\n".encode()
    assert read_rows(table(tmp_path, content), "grade") == [{"file": "a.jpg", "grade": "1", "note": "x"}]


def test_an_excel_file_is_read_by_its_values(tmp_path):
    content = workbook(
        ["file", "grade", "specimen", "mm_per_pixel"],
        ["橋\\a.jpg", 5.0, 7, 0.25],
        [],
        ["b.jpg", "５", None],
        [None, None, None, None, None],
    )
    assert read_rows(table(tmp_path, content, "labels.xlsx"), "grade") == [
        {"file": "橋\\a.jpg", "grade": "5", "specimen": "7", "mm_per_pixel": "0.25"},
        {"file": "b.jpg", "grade": "５", "specimen": "", "mm_per_pixel": ""},
    ]


def test_empty_sheets_beside_the_table_do_not_matter(tmp_path):
    content = workbook(["file", "grade"], ["a.jpg", 1], more={"Sheet2": []})
    assert len(read_rows(table(tmp_path, content, "labels.xlsx"), "grade")) == 1


MALFORMED = [
    pytest.param(b"", "column file, once; it has: ''", id="empty"),
    pytest.param(b"a.jpg,3\n", "column file, once; it has: 'a.jpg, 3'", id="no heading"),
    pytest.param(b"file,file,grade\n", "column file, once", id="a column twice"),
    pytest.param(b"file,grade,specimen,Specimen\n", "column specimen, once", id="an optional column twice"),
    pytest.param(b"file,mm_per_pixel\n", "column grade, once", id="no grades"),
    pytest.param("file,grade\né.jpg,3\n".encode("latin-1"), "neither UTF-8 nor Shift-JIS", id="Latin-1"),
    pytest.param(b"\xff\xfef", "neither UTF-8 nor", id="half of a character"),
    pytest.param(
        b"file,grade\na, b.jpg,3\n", "has 3 cells, the first 2; put a text that has a comma", id="comma"
    ),
    pytest.param(b"file;grade\na; b.jpg;3\n", "put a text that has a semicolon", id="semicolon"),
    pytest.param(b"file,grade\na.jpg\n", "row 2 has 1 cells, the first 2", id="short"),
    pytest.param(b'file,grade\n"a.jpg,3\n', "cannot be read", id="unclosed quote"),
    pytest.param(b"file,grade\n ,3\n", "row 2 names no file; write its name, or", id="no file"),
]
EXCEL = [
    pytest.param(b"", "cannot be read (", id="empty"),
    pytest.param(b"file,grade\n", "save it as an Excel workbook without a password, or as CSV", id="a CSV"),
    pytest.param(workbook(), "column file, once; it has: ''", id="no cells"),
    pytest.param(workbook(["file", "grade"], ["a.jpg"], ["", 3]), "row 3 names no file", id="no file"),
    pytest.param(
        workbook(["file", "grade"], more={"Old": [["file", "grade"]]}),
        "more than one sheet has cells (Sheet, Old); keep one",
        id="two sheets",
    ),
    pytest.param(workbook(["file", "grade"])[:-200], "cannot be read (", id="cut"),
]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        *(pytest.param("labels.csv", *case.values, id=f"csv, {case.id}") for case in MALFORMED),
        *(pytest.param("labels.xlsx", *case.values, id=f"xlsx, {case.id}") for case in EXCEL),
    ],
)
def test_what_is_no_such_table_is_one_line_that_names_it(tmp_path, name, content, said):
    file = table(tmp_path, content, name)
    with pytest.raises(InputError) as caught:
        read_rows(file, "grade")
    message = str(caught.value)
    assert message.startswith(f"{file}: ") and said in message
    assert len(message.splitlines()) == 1


def test_the_table_is_the_one_that_is_there(tmp_path):
    assert find_table(tmp_path) is None
    for name in ("labels.csv", "labels.xlsx"):
        (tmp_path / name).touch()
        assert find_table(tmp_path) == tmp_path / name
        (tmp_path / name).rename(tmp_path / "other")
    for name in ("labels.csv", "labels.xlsx"):
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=r"has labels.csv and labels.xlsx; keep the one that is right$"):
        find_table(tmp_path)
