"""A folder of photographs: graded, and sorted into a folder for each grade."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from sabi.grading.grader import Grader
from sabi.photographs import labels
from sabi.photographs.files import find, printable


def grade_folder(grader: Grader, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Path, score and grade of the photographs below `folder`; path and reason of the files that are none.

    A grade is its name, a score on the scale of the names.
    Scales are those of the folder's `labels.csv`, if it has one; raises `InputError`
    for one that is no such table.
    """
    scales = labels.scales(folder)
    found = [path for path in find(folder) if path != labels.FILE]
    photographs, known = [folder / path for path in found], [scales.get(path) for path in found]
    rows = dict(zip(found, grader.grade(photographs, known, f"grade {folder.name}"), strict=True))
    graded = [(path, row.score, row.name) for path, row in rows.items() if row.reason is None]
    rejected = [(printable(path), row.reason) for path, row in rows.items() if row.reason is not None]
    return (
        pd.DataFrame(graded, columns=["path", "score", "grade"]),
        pd.DataFrame(rejected, columns=["path", "reason"]),
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
