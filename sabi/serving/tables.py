"""What was graded, as tables for people: spreadsheet programs open them as they are."""

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from sabi.grading.model import ModelSpec
from sabi.grading.specimens import action
from sabi.photographs import measurements
from sabi.photographs.dates import date_of
from sabi.photographs.files import printable
from sabi.photographs.partition import specimen_of
from sabi.serving.batch import Graded
from sabi.words.texts import reasons, texts

GRADES, REJECTED = "grades.csv", "rejected.csv"
COLUMNS = ["path", "specimen", "bridge", "date", "grade", "position", "score", "low", "high", "look"]
COLUMNS += ["action", "file"]
FOR_PEOPLE = ["path", "specimen", "bridge", "date", "grade", "score", "low", "high", "look"]


def graded_table(done: Sequence[Graded], spec: ModelSpec) -> pd.DataFrame:
    """`COLUMNS`, then what the survey measured, worst first.

    Grade, low and high are names, look is `sabi.grading.doubt.REASONS`.

    Specimen and bridge are what the model's patterns find in the path, the date
    stands in the path or in the file; each is empty if it is not known.
    """
    table = pd.DataFrame(
        [
            (
                printable(one.path),
                *specimen_and_bridge(one.path, spec),
                date_of(one.path, one.file),
                row.name,
                row.position,
                row.score,
                row.low,
                row.high,
                row.look,
                action(row.position, spec.rating),
                one.file,
            )
            for one, row in done
            if row.position is not None
        ],
        columns=COLUMNS,
    )
    names = {name: None for one, _ in done for name in one.measured}  # in order, each once
    measured = [one.measured for one, row in done if row.position is not None]
    numbers = {name: [own.get(name, math.nan) for own in measured] for name in names}
    return worst_first(table.assign(**numbers))


def specimen_and_bridge(path: str, spec: ModelSpec) -> tuple[str, str]:
    """What the model's patterns find in a path, printable; each empty if it is not known."""
    specimen = specimen_of(path, spec.specimen)
    bridge = specimen_of(path, spec.bridge) if spec.bridge else None
    return printable(specimen or ""), printable(bridge or "")


def worst_first(table: pd.DataFrame) -> pd.DataFrame:
    """`table` as people read it: by grade, then by score, then by path."""
    return table.sort_values(["position", "score", "path"], kind="stable", ignore_index=True)


def rejected_table(done: Sequence[Graded]) -> pd.DataFrame:
    """Columns path and reason of what could not be graded."""
    told = [(printable(one.path), row.reason) for one, row in done if row.position is None]
    return pd.DataFrame(told, columns=["path", "reason"])


def for_people(graded: pd.DataFrame) -> pd.DataFrame:
    """What people need of the table that `graded_table` gives, in words."""
    said = texts("en")
    shown = graded[FOR_PEOPLE + measurements.names(graded)]
    return shown.assign(look=[reasons(look, said) for look in graded["look"]])


def write_csv(table: pd.DataFrame, file: Path, exact: Sequence[str] = ()) -> None:
    """Write a table for spreadsheet programs: UTF-8 with its mark, scores of two decimals, no formulas.

    The columns of floats `exact` keep their digits.
    """
    safe = table.copy()
    for column in safe.columns:
        if column in ("path", "file"):
            safe[column] = [path_cell(value) for value in safe[column]]
        elif not pd.api.types.is_numeric_dtype(safe[column]):
            safe[column] = [text_cell(value) for value in safe[column]]
    for column in exact:
        safe[column] = ["" if math.isnan(value) else f"{value:.12g}" for value in table[column]]
    safe.columns = [text_cell(name) for name in safe.columns]  # what the survey measured has any name
    safe.to_csv(file, index=False, lineterminator="\n", encoding="utf-8-sig", float_format="%.2f")


def path_cell(path: str) -> str:
    """`path` as a spreadsheet program takes it for text; it still names the file."""
    return f"./{path}" if path.startswith(tuple("=+-@\t\r")) else path


def text_cell(text: str) -> str:
    """`text` as a spreadsheet program takes it for text."""
    return f"'{text}" if text.startswith(tuple("=+-@\t\r")) else text
