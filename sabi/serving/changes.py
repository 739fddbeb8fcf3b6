"""One survey against an earlier one: `sabi diff`."""

from pathlib import Path

import pandas as pd

from sabi.runtime.errors import InputError, in_a_line
from sabi.serving.grading import TABLE
from sabi.serving.selection import RECORD, UNFINISHED
from sabi.tables import read_json


def changes(old: Path, new: Path) -> tuple[pd.DataFrame, list[str]]:
    """What became of each specimen, the most worsened first, and notes on what cannot be compared.

    A specimen is a piece of steel by the model's pattern of names; where that finds none in either
    survey, photographs are compared by their file's name, with its folders where names repeat. Columns:
    specimen, before and after (the worst grades' names), score_before and score_after (medians) and
    change (in grades, negative where it became worse, then by the score). Raises `InputError` for a
    folder that `sabi grade` did not write, and for surveys of other grades.
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
    notes += [
        f"{folder}: is not finished; give its `sabi grade` again, so that all of it is compared"
        for folder in (old, new)
        if (folder / UNFINISHED).exists()
    ]
    read = [_read(folder) for folder in (old, new)]
    places = _place_names(read)
    tables = [_by_specimen(table, place, names) for table, place in zip(read, places, strict=True)]
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


def _read(folder: Path) -> pd.DataFrame:
    try:
        # A specimen may be called NA.
        table = pd.read_csv(folder / TABLE, encoding="utf-8-sig", dtype=str, keep_default_na=False)
        return table[["path", "specimen", "grade", "score"]].astype({"score": float})
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{folder / TABLE}: not as `sabi grade` wrote it ({in_a_line(error)}); grade into a new folder"
        ) from None


def _place_names(tables: list[pd.DataFrame]) -> list[pd.Series]:
    """What tells a photograph without a specimen in each survey from its others.

    That is the end of its path: the file's name, and of the folders above as many as it takes, in both
    surveys alike.
    """
    parts = [table.path.str.split("/") for table in tables]
    deepest = max((len(path) for survey in parts for path in survey), default=1)
    for depth in range(1, deepest + 1):
        named = [survey.str[-depth:].str.join("/") for survey in parts]
        if all(names[table.specimen == ""].is_unique for names, table in zip(named, tables, strict=True)):
            break
    return named


def _by_specimen(table: pd.DataFrame, names: pd.Series, grades: list[str]) -> pd.DataFrame:
    """Worst position and median score by specimen, or by what stands for it in `names`."""
    table = table.assign(
        specimen=table.specimen.where(table.specimen != "", names),
        position=[grades.index(grade) + 1 for grade in table.grade],
    )
    return table.groupby("specimen").agg(position=("position", "min"), score=("score", "median"))
