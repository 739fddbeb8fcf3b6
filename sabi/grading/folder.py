"""A folder of photographs: graded, and sorted into a folder for each grade."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from sabi.grading.grader import Grader
from sabi.photographs import label_table, labels, measurements
from sabi.photographs.decoding import DRAWING_MARK
from sabi.photographs.files import find, printable
from sabi.runtime.errors import InputError
from sabi.tables import write_table

COLUMNS = ["path", "score", "grade", "low", "high", "look", "nearest", "distance"]


def grade_unlabelled(grader: Grader, folder: Path, out: Path) -> None:
    """Grade the photographs below `folder`; the tables of the stage `binning` and sorted copies lie in `out`.

    Raises `InputError` as `grade_folder` and `check_graded` do.
    """
    graded, rejected = grade_folder(grader, folder)
    write_table(graded, out / "unlabelled.csv")
    write_table(rejected, out / "unlabelled_rejected.csv")
    measured, _ = measurements.read(folder, find(folder))
    write_table(measured[measured.path.isin(graded.path)], out / "unlabelled_measurements.csv")
    copies = [(row.grade, row.path, folder / row.path) for row in graded.itertuples()]
    sort_into_folders(copies, grader.spec.grades, out / "unlabelled")
    print(f"unlabelled: {len(graded)} photographs graded, {len(rejected)} files rejected")
    check_graded(graded, rejected, folder)


def grade_folder(grader: Grader, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`COLUMNS` of the photographs below `folder`; path and reason of the files that are none.

    A grade is its name, a score on the scale of the names. Scales are those of the
    folder's table of labels, if it has one, and rows of it that name no file have a
    reason too; raises `InputError` for one that is no such table.
    """
    there = find(folder)
    scales, unmatched = labels.scales(folder, there)
    found = [path for path in there if path not in label_table.FILES]
    photographs, known = [folder / path for path in found], [scales.get(path) for path in found]
    rows = dict(zip(found, grader.grade(photographs, known, f"grade {folder.name}"), strict=True))
    graded = [
        (path, row.score, row.name, row.low, row.high, row.look, row.nearest, row.distance)
        for path, row in rows.items()
        if row.reason is None
    ]
    reasons = {path: row.reason for path, row in rows.items() if row.reason is not None} | unmatched
    rejected = [(printable(path), reason) for path, reason in sorted(reasons.items())]
    return (
        pd.DataFrame(graded, columns=COLUMNS),
        pd.DataFrame(rejected, columns=["path", "reason"]),
    )


def strangers(files: list[Path], summary: dict[str, Any]) -> list[str]:
    """A line if photographs among `files` were graded by what has learnt from drawings, or the reverse.

    `summary` is that of the stage `split`.
    """
    drawings = sum(_is_drawing(file) for file in files)
    if summary["drawings"] and drawings < len(files):
        return [
            f"{len(files) - drawings} of the {len(files)} pictures graded in data/unlabelled are no drawings "
            "of sabi's sample, but the networks have learnt from those alone: their grades say nothing of "
            "steel; put graded photographs into data/raw in place of the drawings"
        ]
    if drawings and not summary["drawings"]:
        return [
            f"{drawings} of the {len(files)} pictures graded in data/unlabelled are drawings of sabi's "
            "sample, not photographs of steel; remove them"
        ]
    return []


def _is_drawing(file: Path) -> bool:
    with file.open("rb") as stream:
        return DRAWING_MARK in stream.read(1024)


def check_graded(graded: pd.DataFrame, rejected: pd.DataFrame, folder: Path) -> None:
    """Raise `InputError` if no file of `folder` could be graded; hidden ones (`.gitkeep`) do not count."""
    files = rejected[~rejected.path.map(lambda path: Path(path).name.startswith("."))]
    if graded.empty and len(files):
        raise InputError(
            f"{folder}: none of its {len(files)} files can be graded, the first: "
            f"{files.path.iloc[0]}: {files.reason.iloc[0]}; replace them, or empty the folder"
        )


def sort_into_folders(copies: Iterable[tuple[str, str, Path]], names: list[str], out: Path) -> None:
    """Copy photographs into `out/score<grade>`; every grade has a folder.

    `copies` are of each the grade, the path in the grade's folder and the file.
    """
    for name in names:
        (out / f"score{name}").mkdir(parents=True, exist_ok=True)
    for grade, path, file in copies:
        target = out / f"score{grade}" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
