"""What `sabi grade` does: photographs in, a folder of tables and pages out."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from sabi.grades import LOWEST
from sabi.grading.card import Card, card_of
from sabi.grading.folder import sort_into_folders
from sabi.grading.grader import Grader
from sabi.grading.model import SPEC, ModelSpec
from sabi.serving import batch, overview, pictures, tables, workbook
from sabi.serving.selection import select
from sabi.words import Language, words

TABLE, WORKBOOK, PAGE = "grades.csv", "grades.xlsx", "index.html"
FOR_PEOPLE = ["path", "specimen", "bridge", "date", "grade", "score"]


@dataclass(frozen=True)
class Survey:
    """What was made of the photographs."""

    graded: pd.DataFrame  # that of `sabi.serving.tables.graded_table`
    rejected: pd.DataFrame
    finished: bool  # nothing is left to grade


def grade_into(
    out: Path, given: Sequence[str], model: Path, language: Language = "en", sort: bool = False
) -> Survey:
    """Grade the photographs that `given` names with the model in a folder; tables and pages lie in `out`.

    Raises `InputError` for a folder that is no model, photographs that are not there and an
    `out` that holds something else.
    """
    grader = Grader.load(model)
    selected = select(given)
    rows, finished = batch.grade_all(grader, identity(model), selected, out)
    done = selected[: len(rows)]
    graded = tables.graded_table(done, rows, grader.spec)
    rejected = tables.rejected_table(done, rows)
    tables.write_csv(graded[FOR_PEOPLE], out / TABLE)
    tables.write_csv(rejected, out / "rejected.csv")
    shown = pictures.thumbnails(graded.file[: pictures.MOST])
    card = card_of(model)
    facts = facts_of(model, grader.spec, card, language)
    texts = words(language)
    workbook.write_workbook(out / WORKBOOK, graded, shown, facts, grader.spec.rating, texts)
    about = {
        "facts": facts,
        "drawings": card is not None and card.drawings > 0,
        "unfinished": None if finished else len(selected),
    }
    page = overview.render(graded, rejected, shown, about, grader.spec.rating, language)
    (out / PAGE).write_text(page, encoding="utf-8")
    if sort:
        sort_into_folders(graded, grader.spec.grades, out)
    if finished:
        batch.finish(out)
    return Survey(graded, rejected, finished)


def identity(model: Path) -> str:
    """SHA-256 of what a model's folder says, which names the bytes of all its files."""
    return hashlib.sha256((model / SPEC).read_bytes()).hexdigest()
