"""What a survey measured beside grades: other columns of numbers in the table of labels.

Such as the thickness of the rust, or its ion transfer resistance. They decide no grade;
they stand beside grades in tables and in the report.
"""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from sabi.names import as_number
from sabi.photographs.label_table import COLUMNS, find_table, measured_columns, read_rows
from sabi.photographs.labels import matched

# Columns of sabi's own tables, beside those of the table of labels.
OWN = {"path", "score", "position", "low", "high", "look", "nearest", "distance", "action", "bridge", "date"}


def names(graded: pd.DataFrame) -> list[str]:
    """The columns of one of sabi's tables of photographs that a survey measured, in order."""
    return [name for name in graded.columns if name not in OWN and name not in COLUMNS]


def read(folder: Path, found: Iterable[str]) -> tuple[pd.DataFrame, dict[str, str]]:
    """The measurements of the files `found` below `folder`, all there are, and by column a cell that is none.

    A row for each that has any: its path, then a column of floats for each of the table's,
    NaN where the cell is empty or no number. Of several inspectors' rows it is their mean. A column that
    one of sabi's tables has too is called `survey_...`. Raises `InputError` for a table that is none.
    """
    table = find_table(folder)
    rows = [] if table is None else read_rows(table, "file")
    columns = measured_columns(rows)
    rows_of, _ = matched(rows, sorted(set(found)))
    cells = [
        {"path": path} | {name: as_number(row[name]) for name in columns}
        for path, own in sorted(rows_of.items())
        for row in own
    ]
    numbers = pd.DataFrame(cells, columns=["path", *columns]).astype(dict.fromkeys(columns, float))
    means = numbers.groupby("path", sort=True).mean().dropna(how="all").reset_index()
    others = {}
    for name in columns:
        texts = [row[name] for row in rows if row[name] and as_number(row[name]) is None]
        if texts:
            others[name] = texts[0]
    others_named = {name: _free(f"survey_{name}", columns) for name in OWN & {*columns}}
    return means.rename(columns=others_named), others


def told(others: dict[str, str]) -> list[str]:
    """A line for each column of `read` with a cell that is no number, by such a cell."""
    return [
        f"labels: the column {name} has cells that are no numbers, such as {text!r}, which count as empty"
        for name, text in others.items()
    ]


def _free(name: str, columns: list[str]) -> str:
    return _free(f"{name}_", columns) if name in columns else name
