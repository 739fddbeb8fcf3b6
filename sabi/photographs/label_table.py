"""The table of labels as spreadsheets write it: `labels.csv`, or `labels.xlsx` itself.

Read is what has one reading only: CSV with commas, semicolons or tabs in
UTF-8, UTF-16 with its mark or, as Excel in Japan writes it, cp932 (Shift-JIS).
"""

import codecs
import csv
import io
import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sabi.names import THOUSANDS, as_number, normal
from sabi.runtime.errors import InputError

FILES = ("labels.csv", "labels.xlsx")
COLUMNS = ("file", "grade", "specimen", "mm_per_pixel", "inspector")
# Letters of names of columns that mean one of ours. Left unread they would let test photographs be known
# from training, or photographs have no scale.
MEANT = {
    "specimen": ("specimens", "specimenid", "specimenno", "specimennr", "specimenname", "specimennumber"),
    "mm_per_pixel": ("mmperpixel", "mmperpixels", "mmperpx", "mmpixel", "mmpx"),
}
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}
MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}

Row = dict[str, str]


def find_table(folder: Path) -> Path | None:
    """The table of labels that lies in `folder`, if one does; raises `InputError` for both kinds."""
    there = [folder / name for name in FILES if (folder / name).exists()]
    if len(there) > 1:
        raise InputError(f"{folder}: has {' and '.join(FILES)}; keep the one that is right")
    return there[0] if there else None


def read_rows(file: Path, needed: str, unwanted: tuple[str, ...] = ()) -> list[Row]:
    """The rows of a table by column; columns `file` and `needed` are there, `unwanted` ones not.

    Values have no space at either end, but `file`, which is as it was written.
    Raises `InputError`, one line, for what is no such table.
    """
    lines, separator = (_sheet(file), "cell") if file.suffix == ".xlsx" else _csv(file)
    columns = [normal(name).casefold() for name in lines[0]] if lines else []
    for name in unwanted:
        if name in columns:  # grades that would be ignored without a word
            raise InputError(
                f"{file}: has a column {name}, but labels.source is not csv; set it so, or remove the column"
            )
    for name in COLUMNS:
        if columns.count(name) > 1 or (name in ("file", needed) and name not in columns):
            shown = ", ".join(lines[0]) if lines else ""
            raise InputError(f"{file}: the first line must name a column {name}, once; it has: {shown!r}")
    for name, spelled in MEANT.items():
        near = [column for column in columns if re.sub("[^a-z]", "", column) in spelled]
        # With grades from elsewhere the table gives no specimens.
        if near and name not in columns and (name != "specimen" or needed == "grade"):
            raise InputError(f"{file}: has a column {near[0]}, which is not read; call it {name}")
    # Of what a survey measured two columns may have one name.
    times = [columns[: at + 1].count(name) for at, name in enumerate(columns)]
    columns = [name if time == 1 else f"{name}_{time}" for name, time in zip(columns, times, strict=True)]
    rows = []
    for number, cells in enumerate(lines[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(columns):
            raise InputError(
                f"{file}: row {number} has {len(cells)} cells, the first {len(columns)}; "
                f"put a text that has a {separator} in double quotes"
            )
        row = dict(zip(columns, cells, strict=True))
        if not row["file"].strip():
            raise InputError(f"{file}: row {number} names no file; write its name, or remove the row")
        rows.append({name: cell if name == "file" else cell.strip() for name, cell in row.items()})
    return rows


def measured_columns(rows: list[Row]) -> list[str]:
    """The other columns of numbers, in order: more than half of the cells that are filled are numbers.

    `1,234` is meant to be one, although it has two readings.
    """
    columns = []
    for name in rows[0] if rows else ():
        filled = [row[name] for row in rows if row[name]]
        numbers = sum(
            as_number(cell) is not None or bool(THOUSANDS.fullmatch(normal(cell))) for cell in filled
        )
        if name and name not in COLUMNS and 2 * numbers > len(filled):
            columns.append(name)
    return columns


def _csv(file: Path) -> tuple[list[list[str]], str]:
    """The cells of a CSV file, and what its separator is called."""
    try:
        text = _decoded(file.read_bytes())
        separator = next((s for s in SEPARATORS if "file" in _heading(text, s)), ",")
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except UnicodeDecodeError:
        raise InputError(
            f"{file}: neither UTF-8 nor Shift-JIS (cp932); save it as CSV in UTF-8, or as {FILES[1]}"
        ) from None
    except (OSError, csv.Error) as error:
        raise InputError(f"{file}: cannot be read ({error}); save it as CSV in UTF-8") from None
    return lines, SEPARATORS[separator]


def _decoded(content: bytes) -> str:
    for mark, encoding in MARKS.items():
        if content.startswith(mark):
            return content.decode(encoding)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("cp932")


def _heading(text: str, separator: str) -> list[str]:
    """The names of the columns if `separator` parts them; none if it cannot."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        return [normal(name).casefold() for name in next(reader, [])]
    except csv.Error:
        return []


def _sheet(file: Path) -> list[list[str]]:
    """The cells of the one sheet of an Excel file that has any, formulas by their values."""
    import openpyxl

    try:
        with warnings.catch_warnings(action="ignore"):  # of styles and menus that are not read
            book = openpyxl.load_workbook(file, read_only=True, data_only=True)
            sheets = {}
            for sheet in book.worksheets:
                sheet.reset_dimensions()  # what a file says of its size may be wrong
                sheets[sheet.title] = _filled(sheet.iter_rows(values_only=True))
            book.close()
    except Exception as error:  # openpyxl raises anything on damaged files.
        detail = " ".join(str(error).split())
        raise InputError(
            f"{file}: cannot be read ({detail}); save it as an Excel workbook without a password, or as CSV"
        ) from None
    filled = {title: lines for title, lines in sheets.items() if lines}
    if len(filled) > 1:
        raise InputError(f"{file}: more than one sheet has cells ({', '.join(filled)}); keep one")
    return next(iter(filled.values()), [])


def _filled(rows: Iterable[tuple[Any, ...]]) -> list[list[str]]:
    """The rows as text, down to the last with a cell that is not empty, all as wide as the widest."""
    lines = [[_as_text(value) for value in row] for row in rows]
    while lines and not any(lines[-1]):
        lines.pop()
    width = max((max(k for k, cell in enumerate(line, 1) if cell) for line in lines if any(line)), default=0)
    return [[*line[:width], *[""] * (width - len(line))] for line in lines]


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    # Excel has no whole numbers: 7 is stored as 7.0.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
