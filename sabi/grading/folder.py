"""A folder of photographs: graded, and sorted into a folder for each grade."""

import shutil
from pathlib import Path

import pandas as pd

from sabi.grading.grader import Grader
from sabi.photographs import labels
from sabi.photographs.files import find, printable
from sabi.runtime.errors import InputError


def grade_folder(grader: Grader, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Path, score and grade of the photographs below `folder`; path and reason of the files that are none.

    Scales are those of the folder's `labels.csv`, if it has one; raises `InputError`
    for one that is no such table.
    """
    scales = labels.scales(folder)
    found = [path for path in find(folder) if path != labels.FILE]
    photographs, known = [folder / path for path in found], [scales.get(path) for path in found]
    rows = dict(zip(found, grader.grade(photographs, known, f"grade {folder.name}"), strict=True))
    graded = [(path, row.score, row.grade) for path, row in rows.items() if row.reason is None]
    rejected = [(printable(path), row.reason) for path, row in rows.items() if row.reason is not None]
    return (
        pd.DataFrame(graded, columns=["path", "score", "grade"]),
        pd.DataFrame(rejected, columns=["path", "reason"]),
    )


def check_graded(graded: pd.DataFrame, rejected: pd.DataFrame, folder: Path) -> None:
    """Raise `InputError` if no file of `folder` could be graded; hidden ones (`.gitkeep`) do not count."""
    files = rejected[~rejected.path.map(lambda path: Path(path).name.startswith("."))]
    if graded.empty and len(files):
        raise InputError(
            f"{folder}: none of its {len(files)} files can be graded, the first: "
            f"{files.path.iloc[0]}: {files.reason.iloc[0]}; replace them, or empty the folder"
        )


def sort_into_folders(folder: Path, graded: pd.DataFrame, names: list[str], out: Path) -> None:
    """Copy each photograph of `folder` into `out/score<grade>`; every grade has a folder."""
    for name in names:
        (out / f"score{name}").mkdir(parents=True, exist_ok=True)
    for path, grade in zip(graded.path, graded.grade, strict=True):
        target = out / f"score{names[grade - 1]}" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / path, target)
