"""Where the inspector's grade of a photograph comes from: its name, its folder or a table.

The table, `labels.csv`, lies directly in the folder of the photographs and has
a row per photograph: `file`, its path below that folder, with `/`; `grade`, a
name of `labels.grades`; and, if known, `specimen` and `mm_per_pixel`. With
grades from names or folders, and where there are no grades, it may give the
scale alone.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sabi.photographs.files import Unusable, printable
from sabi.runtime.errors import InputError
from sabi.settings.labels import Labels
from sabi.settings.scale import LARGEST_MM, SMALLEST_MM

FILE = "labels.csv"
# What a folder of photographs holds, by labels.source.
LAYOUT = {
    "name": "photographs named <grade>_<anything>.jpg",
    "folder": "photographs in folders, <grade>/<anything>.jpg",
    "csv": f"photographs and {FILE} with columns file, grade",
}

Row = dict[str, str]


@dataclass(frozen=True)
class Label:
    """What is known of a photograph beside its pixels."""

    grade: int  # 1, the worst, to the number of grades
    specimen: str | None = None  # None: labels.csv does not say
    mm_per_pixel: float | None = None  # None: labels.csv does not say


def read(folder: Path, found: Iterable[str], labels: Labels) -> tuple[dict[str, Label], dict[str, str]]:
    """Labels of the files `found` below `folder`, and reasons against the others, both by path.

    Rows of `labels.csv` that no file belongs to have a reason too; `labels.csv`
    itself is in neither. Raises `InputError` for a `labels.csv` that is
    missing though `labels.source` asks for it, or is no such table.
    """
    if labels.source == "csv":
        rows = _rows(folder, "grade")
    elif (folder / FILE).exists():
        rows = _rows(folder, "mm_per_pixel", unwanted=("grade", "specimen"))
    else:
        rows = {}
    there = set(found)
    accepted, rejected = {}, {}
    for path in sorted((there | set(rows)) - {FILE}):
        try:
            if path not in there:
                raise Unusable(f"is in {FILE}, but there is no such file; correct or remove the row")
            accepted[path] = _label(path, rows.get(path, []), labels)
        except Unusable as reason:
            rejected[path] = str(reason)
    return accepted, rejected


def scales(folder: Path) -> dict[str, float]:
    """Millimetres a pixel by path below `folder`, from its `labels.csv`; empty if it has none.

    Raises `InputError` for one that is no such table.
    """
    if not (folder / FILE).exists():
        return {}
    known = {}
    for path, rows in _rows(folder, "mm_per_pixel").items():
        try:
            scale = _scale(_only(rows))
        except Unusable as reason:
            raise InputError(f"{folder / FILE}: {printable(path)}: {reason}") from None
        if scale is not None:
            known[path] = scale
    return known


def _label(path: str, rows: list[Row], labels: Labels) -> Label:
    names = labels.grades
    if labels.source == "csv" and not rows:
        raise Unusable(f"has no row in {FILE}")
    row = _only(rows) if rows else {}
    scale, specimen = _scale(row), row.get("specimen") or None
    if labels.source == "csv":
        name = row["grade"]
        if name not in names:
            raise Unusable(f"its grade in {FILE} is {name!r}; allowed (labels.grades): {', '.join(names)}")
    elif labels.source == "folder":
        name = path.partition("/")[0] if "/" in path else ""
        if name not in names:
            raise Unusable(f"must lie in a folder named like its grade: {', '.join(names)} (labels.grades)")
    else:
        file = path.rpartition("/")[2]
        # Longest first: a grade's name may begin with another's and "_".
        fitting = [name for name in names if file.startswith(f"{name}_")]
        if not fitting:
            raise Unusable(f"its name must begin with a grade ({', '.join(names)}) and '_'")
        name = max(fitting, key=len)
    if specimen and printable(specimen) != specimen:
        raise Unusable(f"its specimen in {FILE} has control characters")
    return Label(names.index(name) + 1, specimen, scale)


def _only(rows: list[Row]) -> Row:
    if len(rows) > 1:
        raise Unusable(f"has {len(rows)} rows in {FILE}; keep one")
    return rows[0]


def _scale(row: Row) -> float | None:
    text = row.get("mm_per_pixel", "")
    if not text:
        return None
    try:
        scale = float(text)
    except ValueError:
        scale = float("nan")
    if not SMALLEST_MM <= scale <= LARGEST_MM:
        raise Unusable(
            f"its mm_per_pixel in {FILE} is {text!r}; allowed: {SMALLEST_MM:g} to {LARGEST_MM:g}, or nothing"
        )
    return scale


def _rows(folder: Path, needed: str, unwanted: tuple[str, ...] = ()) -> dict[str, list[Row]]:
    """The rows of `labels.csv` by their `file`; columns `file` and `needed` are there, `unwanted` not."""
    file = folder / FILE
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            lines = list(csv.reader(stream, strict=True))
    except FileNotFoundError:
        raise InputError(
            f"{file}: no such file; write it, columns file, grade, or change labels.source"
        ) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        problem = "not UTF-8" if isinstance(error, UnicodeDecodeError) else f"cannot be read ({error})"
        raise InputError(f"{file}: {problem}; save it as CSV in UTF-8") from None
    columns = [name.strip() for name in lines[0]] if lines else []
    for name in unwanted:
        if name in columns:  # grades that would be ignored without a word
            raise InputError(
                f"{file}: has a column {name}, but labels.source is not csv; set it so, or remove the column"
            )
    for name in ("file", needed):
        if columns.count(name) != 1:
            raise InputError(
                f"{file}: the first line must name a column {name}, once; it has: {', '.join(columns)!r}"
            )
    rows: dict[str, list[Row]] = {}
    for number, cells in enumerate(lines[1:], start=2):
        if not any(cells):
            continue
        if len(cells) != len(columns):
            raise InputError(
                f"{file}: row {number} has {len(cells)} cells, the first {len(columns)}; "
                "put a text that has a comma in double quotes"
            )
        row = {name: cell.strip() for name, cell in zip(columns, cells, strict=True)}
        rows.setdefault(cells[columns.index("file")], []).append(row)
    return rows
