"""Where the inspector's grade of a photograph comes from: its name, its folder or a table.

The table, `labels.csv` or `labels.xlsx`, lies directly in the folder of the
photographs and has a row per photograph: `file`, its path below that folder;
`grade`, a name of `labels.grades`; and, if known, `specimen` and
`mm_per_pixel`. With a column `inspector` it has a row for each inspector's
grade of a photograph, whose grade is their median. Other columns of numbers
are kept (`sabi.photographs.measurements`). With grades from names or folders,
and where there are no grades, it may give scales or measurements alone.

Names are compared as a reader sees them: `sabi.names.normal`.
"""

import difflib
import re
import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sabi.names import as_number, normal, normal_path
from sabi.photographs.files import Unusable, printable
from sabi.photographs.label_table import FILES, Row, find_table, measured_columns, read_rows
from sabi.runtime.errors import InputError
from sabi.settings.labels import Labels
from sabi.settings.scale import LARGEST_MM, SMALLEST_MM

# What a folder of photographs holds, by labels.source.
LAYOUT = {
    "name": "photographs named <grade>_<anything>.jpg",
    "folder": "photographs in folders, <grade>/<anything>.jpg",
    "csv": f"photographs and {FILES[0]} with columns file, grade",
}
# Where DVC keeps what it tracks; set to use links, it leaves links to there in place of the files.
IN_CACHE = re.compile(r"/files/md5/[0-9a-f]{2}/[0-9a-f]{30}$")


@dataclass(frozen=True)
class Label:
    """What is known of a photograph beside its pixels."""

    grade: int  # 1, the worst, to the number of grades
    specimen: str | None = None  # in one spelling; None: no table says
    mm_per_pixel: float | None = None  # None: no table says
    given: tuple[tuple[str, int], ...] = ()  # inspectors by name, and their grades, where a table names them

    @property
    def mean(self) -> float:
        """The inspectors' mean, which training aims at; the grade where there is one alone."""
        return statistics.fmean(grade for _, grade in self.given) if self.given else float(self.grade)


def read(folder: Path, found: Iterable[str], labels: Labels) -> tuple[dict[str, Label], dict[str, str]]:
    """Labels of the files `found` below `folder`, and reasons against the others, both by path.

    Rows of the table that no file belongs to have a reason too, by what they
    name; the table itself is in neither. Raises `InputError` for a table that
    is missing though `labels.source` asks for it, or is none.
    """
    table = find_table(folder)
    rows: list[Row] = []
    if labels.source == "csv":
        if table is None:
            like = [printable(path) for path in sorted(found) if path.casefold() in FILES]
            raise InputError(
                f"{folder / FILES[0]}: no such file, nor {FILES[1]}; "
                + "".join(f"rename {path}, or " for path in like[:1])
                + "write it, columns file, grade, or change labels.source"
            )
        rows = read_rows(table, "grade")
    elif table is not None:
        rows = _ungraded_rows(table, unwanted=("grade", "specimen"))
    there = sorted(set(found))
    rows_of, rejected = matched(rows, there)
    accepted = {}
    for path in there:
        if path in FILES:
            continue
        try:
            if labels.source == "csv":
                _check_inside(folder, path)
            accepted[path] = _label(path, rows_of.get(path, []), labels)
        except Unusable as reason:
            rejected[path] = str(reason)
    return accepted, rejected


def scales(folder: Path, found: Iterable[str]) -> tuple[dict[str, float], dict[str, str]]:
    """Millimetres a pixel of the files `found` below `folder`, from its table; empty if it has none.

    And reasons against rows that no file belongs to, by what they name. Raises
    `InputError` for a table that is none, or says neither scales nor measurements.
    """
    table = find_table(folder)
    if table is None:
        return {}, {}
    rows_of, unmatched = matched(_ungraded_rows(table), sorted(set(found)))
    known = {}
    for path, rows in rows_of.items():
        try:
            # Of several inspectors there is a row each.
            scale = _scale(_agreed(rows) if rows[0].get("inspector") else _only(rows))
        except Unusable as reason:
            raise InputError(f"{table}: {printable(path)}: {reason}") from None
        if scale is not None:
            known[path] = scale
    return known, unmatched


def _ungraded_rows(table: Path, unwanted: tuple[str, ...] = ()) -> list[Row]:
    """The rows of a table that gives no grades, but scales or measurements."""
    rows = read_rows(table, "file", unwanted)
    columns = list(rows[0]) if rows else []
    if "grade" in columns and "mm_per_pixel" not in columns:  # a table of grades says nothing here
        return rows
    # A scale under another name would not be used, without a word.
    meant = "mm_per_pixel" in columns or difflib.get_close_matches("mm_per_pixel", columns)
    return rows if measured_columns(rows) and not meant else read_rows(table, "mm_per_pixel", unwanted)


def matched(rows: list[Row], found: list[str]) -> tuple[dict[str, list[Row]], dict[str, str]]:
    """The rows by the file they name, of those `found`, and reasons against the rest by what they name.

    A row is of the file with exactly its path; else of the one whose path reads
    the same (with `\\` for `/`, as Windows writes); else of the one that differs
    by upper and lower case alone. Where several fit, it is of none.
    """
    exact = {path: [path] for path in found}
    same, any_case = defaultdict(list), defaultdict(list)
    for path in found:
        same[_path(path)].append(path)
        any_case[_path(path).casefold()].append(path)
    rows_of, reasons = defaultdict(list), {}
    for row in rows:
        written = row["file"]
        plain = _path(written)
        fitting = exact.get(written) or same.get(plain) or any_case.get(plain.casefold()) or []
        if len(fitting) == 1:
            rows_of[fitting[0]].append(row)
        elif fitting:
            files = ", ".join(map(printable, fitting))
            reasons[written] = (
                f"its row in the table of labels fits several files ({files}); write the path of one exactly"
            )
        elif ".." in plain.split("/") or re.match("/|[A-Za-z]:", plain):
            reasons[written] = (
                "its row in the table of labels leads out of the folder; "
                "write the path below it, without '..' and drive"
            )
        else:
            reasons[written] = (
                "is in the table of labels, but there is no such file; correct or remove the row"
            )
    return rows_of, reasons


def _path(written: str) -> str:
    """A path as it reads, with `/`."""
    return normal_path(written.replace("\\", "/")).removeprefix("./")


def _check_inside(folder: Path, path: str) -> None:
    target = (folder / path).resolve()
    if not target.is_relative_to(folder.resolve()) and not IN_CACHE.search(target.as_posix()):
        raise Unusable("a link that leads out of the folder; copy the photograph itself")


def _label(path: str, rows: list[Row], labels: Labels) -> Label:
    names = labels.grades
    if labels.source == "csv" and not rows:
        raise Unusable(f"has no row in {' or '.join(FILES)}")
    given = _given(rows, names) if labels.source == "csv" else ()
    row = _agreed(rows) if given else _only(rows) if rows else {}
    scale, specimen = _scale(row), row.get("specimen") or ""
    if given:
        # Of an even number the worse of the two in the middle.
        name = names[statistics.median_low([grade for _, grade in given]) - 1]
    elif labels.source == "csv":
        name = _grade(row["grade"], names)
    elif labels.source == "folder":
        name = normal(path.partition("/")[0]) if "/" in path else ""
        if name not in names:
            raise Unusable(f"must lie in a folder named like its grade: {', '.join(names)} (labels.grades)")
    else:
        file = normal(path.rpartition("/")[2])
        # Longest first: a grade's name may begin with another's and "_".
        fitting = [name for name in names if file.startswith(f"{name}_")]
        if not fitting:
            raise Unusable(f"its name must begin with a grade ({', '.join(names)}) and '_'")
        name = max(fitting, key=len)
    if printable(specimen) != specimen:
        raise Unusable("its specimen in the table of labels has control characters")
    return Label(names.index(name) + 1, normal(specimen) or None, scale, given)


def _given(rows: list[Row], names: list[str]) -> tuple[tuple[str, int], ...]:
    """Each inspector's grade by position, sorted; none if the table names no inspector."""
    if not any(row.get("inspector") for row in rows):
        return ()
    grades: dict[str, int] = {}
    for row in rows:
        inspector = normal(row["inspector"])
        if not inspector:
            raise Unusable("has a row without an inspector in the table of labels; name who graded it")
        if inspector in grades:
            raise Unusable(f"has two grades by {inspector} in the table of labels; keep one")
        grades[inspector] = names.index(_grade(row["grade"], names)) + 1
    return tuple(sorted(grades.items()))


def _agreed(rows: list[Row]) -> Row:
    """What the rows of a photograph say beside grades; raises `Unusable` where they differ."""
    row = dict(rows[0])
    for name in ("specimen", "mm_per_pixel"):
        said = sorted({other[name] for other in rows if other.get(name)})
        if len(said) > 1:
            raise Unusable(
                f"its rows in the table of labels differ in {name} ({', '.join(said)}); make them one"
            )
        row[name] = said[0] if said else ""
    return row


def _grade(text: str, names: list[str]) -> str:
    """The name of the grade in a cell: as it reads, or by its value, because Excel may write 5 as 5.0."""
    plain, number = normal(text), as_number(text)
    fitting = [name for name in names if number is not None and as_number(name) == number]
    if plain in names:
        return plain
    if len(fitting) != 1:
        raise Unusable(
            f"its grade in the table of labels is {text!r}; allowed (labels.grades): {', '.join(names)}"
        )
    return fitting[0]


def _only(rows: list[Row]) -> Row:
    if len(rows) > 1:
        raise Unusable(f"has {len(rows)} rows in the table of labels; keep one")
    return rows[0]


def _scale(row: Row) -> float | None:
    text = row.get("mm_per_pixel", "")
    if not text:
        return None
    scale = as_number(text)
    if scale is None or not SMALLEST_MM <= scale <= LARGEST_MM:
        raise Unusable(
            f"its mm_per_pixel in the table of labels is {text!r}; "
            f"allowed: a number such as 0.21, {SMALLEST_MM:g} to {LARGEST_MM:g}, or nothing"
        )
    return scale
