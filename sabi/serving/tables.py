"""What was graded, as tables for people: spreadsheet programs open them as they are."""

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from PIL import Image

from sabi.grading.model import ModelSpec
from sabi.grading.specimens import action
from sabi.photographs.files import printable
from sabi.photographs.partition import specimen_of
from sabi.serving.batch import Graded
from sabi.serving.selection import Selected

GRADES, REJECTED = "grades.csv", "rejected.csv"
COLUMNS = ["path", "specimen", "bridge", "date", "grade", "position", "score", "action", "file"]
# Year, month and day of a survey in a name: 2026-11-25, 20261125, 2026_11_25.
DATE = re.compile(r"(?<!\d)((?:19|20)\d\d)([-_.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?!\d)")
TAKEN = 0x9003  # EXIF's DateTimeOriginal, 2026:11:25 10:00:00
EXIF = 0x8769


def graded_table(done: Sequence[Graded], spec: ModelSpec) -> pd.DataFrame:
    """Columns path, specimen, bridge, date, grade (its name), position, score, action and file, worst first.

    Specimen and bridge are what the model's patterns find in the path, the date
    stands in the path or in the file; each is empty if it is not known.
    """
    table = pd.DataFrame(
        [
            (
                printable(one.path),
                specimen_of(one.path, spec.specimen) or "",
                (spec.bridge and specimen_of(one.path, spec.bridge)) or "",
                date_of(one),
                row.name,
                row.position,
                row.score,
                action(row.position, spec.rating),
                one.file,
            )
            for one, row in done
            if row.position is not None
        ],
        columns=COLUMNS,
    )
    return worst_first(table)


def worst_first(table: pd.DataFrame) -> pd.DataFrame:
    """`table` as people read it: by grade, then by score, then by path."""
    return table.sort_values(["position", "score", "path"], kind="stable", ignore_index=True)


def rejected_table(done: Sequence[Graded]) -> pd.DataFrame:
    """Columns path and reason of what could not be graded."""
    told = [(printable(one.path), row.reason) for one, row in done if row.position is None]
    return pd.DataFrame(told, columns=["path", "reason"])


def date_of(one: Selected) -> str:
    """The day of a photograph, as in 2026-11-25: the last in its path, else the camera's; empty without."""
    if found := DATE.findall(one.path):
        year, _, month, day = found[-1]
        return f"{year}-{month}-{day}"
    try:
        with Image.open(one.file) as image:
            taken = str(image.getexif().get_ifd(EXIF).get(TAKEN, ""))
    except Exception:  # Pillow raises anything on damaged metadata, which is not what is graded.
        return ""
    day = re.match(r"(\d{4}):(\d\d):(\d\d)", taken)
    return "-".join(day.groups()) if day else ""


def write_csv(table: pd.DataFrame, file: Path) -> None:
    """Write a table for spreadsheet programs: UTF-8 with its mark, scores of two decimals, no formulas."""
    safe = table.copy()
    for column in safe.columns:
        if column == "path":
            safe[column] = [path_cell(value) for value in safe[column]]
        elif not pd.api.types.is_numeric_dtype(safe[column]):
            safe[column] = [text_cell(value) for value in safe[column]]
    safe.to_csv(file, index=False, lineterminator="\n", encoding="utf-8-sig", float_format="%.2f")


def path_cell(path: str) -> str:
    """`path` as a spreadsheet program takes it for text; it still names the file."""
    return f"./{path}" if path.startswith(tuple("=+-@\t\r")) else path


def text_cell(text: str) -> str:
    """`text` as a spreadsheet program takes it for text."""
    return f"'{text}" if text.startswith(tuple("=+-@\t\r")) else text
