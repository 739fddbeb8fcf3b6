"""One survey against an earlier one: `sabi diff`."""

from pathlib import Path

import pandas as pd

from sabi.runtime.errors import InputError
from sabi.serving.grading import RECORD, TABLE
from sabi.tables import read_json


def changes(old: Path, new: Path) -> tuple[pd.DataFrame, list[str]]:
    """What became of each specimen, the most worsened first, and notes on what cannot be compared.

    A specimen is a piece of steel by the model's pattern of names; where that finds none in either
    survey, photographs are compared by their file's name. Columns: specimen, before and after (the
    worst grades' names), score_before and score_after (medians) and change (in grades, negative where
    it became worse, then by the score). Raises `InputError` for a folder that `sabi grade` did not
    write, and for surveys of other grades.
    """
    records = [_record(folder) for folder in (old, new)]
    names = records[0]["grades"]
    if names != records[1]["grades"]:
        raise InputError(
            f"{new}: its grades are {', '.join(records[1]['grades'])}, those of {old} {', '.join(names)}"
        )
    notes = []
    if records[0]["model"] != records[1]["model"]:
        notes.append(
            "the surveys were graded by two models: a change may be the model's; grade both with one"
        )
    tables = [_by_specimen(folder, names) for folder in (old, new)]
    both = tables[0].join(tables[1], how="inner", lsuffix="_before", rsuffix="_after")
    for table, folder in zip(tables, (old, new), strict=True):
        if alone := sorted(set(table.index) - set(both.index)):
            notes.append(f"only in {folder}: {len(alone)} specimens, the first {alone[0]}")
    both["change"] = both.position_after - both.position_before
    both["moved"] = both.score_after - both.score_before
    both = both.sort_values(["change", "moved"], kind="stable")
    compared = pd.DataFrame(
        {
            "specimen": both.index,
            "before": [names[position - 1] for position in both.position_before],
            "after": [names[position - 1] for position in both.position_after],
            "score_before": both.score_before.to_numpy(),
            "score_after": both.score_after.to_numpy(),
            "change": both.change.to_numpy(),
        }
    )
    return compared, notes


def _record(folder: Path) -> dict:
    try:
        return read_json(folder / RECORD)
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: not a folder that `sabi grade` wrote ({error})") from None


def _by_specimen(folder: Path, names: list[str]) -> pd.DataFrame:
    """Worst position and median score by specimen, or by name of the file."""
    table = pd.read_csv(folder / TABLE, encoding="utf-8-sig", dtype={"grade": str, "specimen": str})
    place = table.specimen.fillna(table.path.str.rsplit("/").str[-1])
    table = table.assign(specimen=place, position=[names.index(grade) + 1 for grade in table.grade])
    return table.groupby("specimen").agg(position=("position", "min"), score=("score", "median"))
