"""What `sabi grade` does: photographs in, a folder of tables and pages out."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from sabi.evaluation.metrics import HEADLINE
from sabi.grading.card import Card, card_of
from sabi.grading.folder import sort_into_folders
from sabi.grading.model import ModelSpec, identity
from sabi.photographs import measurements
from sabi.photographs.files import Unusable
from sabi.report import pictures
from sabi.report.colours import grade_colours
from sabi.runtime.errors import InputError, system_refusals_told
from sabi.serving import batch, overview, tables, workbook
from sabi.serving.closer import Look, look_closer
from sabi.serving.loading import load
from sabi.serving.selection import RECORD, below_common_folder, select
from sabi.tables import write_json
from sabi.words.texts import Language, texts

TABLE, WORKBOOK, PAGE = "grades.csv", "grades.xlsx", "index.html"


PLAIN = Look()


@dataclass(frozen=True)
class Survey:
    """What was made of the photographs."""

    graded: pd.DataFrame  # that of `sabi.serving.tables.graded_table`
    rejected: pd.DataFrame
    finished: bool  # nothing is left to grade
    colours: dict[str, str]  # of the grades' names, worst first
    notes: list[str]  # what of the tables of labels is not used


def grade_into(
    out: Path,
    given: Sequence[str],
    model: Path,
    language: Language = "en",
    sort: bool = False,
    look: Look = PLAIN,
) -> Survey:
    """Grade the photographs that `given` names with the model in a folder; tables and pages lie in `out`.

    Raises `InputError` for a folder that is no model, photographs that are not there and an
    `out` that holds something else.
    """
    grader = load(model)
    selected = select(given)
    with system_refusals_told(out), batch.alone(out):
        done, finished = batch.grade_all(grader, identity(model), selected, out)
        graded = tables.graded_table(done, grader.spec)
        rejected = tables.rejected_table(done)
        tables.write_csv(tables.for_people(graded), out / TABLE, measurements.names(graded))
        tables.write_csv(rejected, out / "rejected.csv")
        scales = {one.file: one.mm_per_pixel for one in selected}
        with _photographs_stay():
            shown = pictures.thumbnails(graded.file[: pictures.MOST])
            closer = look_closer(grader, graded, scales, look, out)
        card = card_of(model)
        facts = facts_of(model, grader.spec, card, language)
        said = texts(language)
        workbook.write_workbook(out / WORKBOOK, graded, shown, facts, grader.spec.rating, said)
        about = {
            "facts": facts,
            "drawings": card is not None and card.drawings > 0,
            "unfinished": None if finished else len(selected),
            "closer": closer,
        }
        page = overview.render(graded, rejected, shown, about, grader.spec.rating, language)
        (out / PAGE).write_text(page, encoding="utf-8")
        write_json(
            {"model": identity(model), "grades": grader.spec.grades, "sound": grader.spec.worst_sound},
            out / RECORD,
        )
        if sort:
            with _photographs_stay():
                sort_into_folders(copies_of(graded), grader.spec.grades, out)
        if finished:
            batch.finish(out)
        colours = dict(zip(grader.spec.grades, grade_colours(len(grader.spec.grades)), strict=True))
        return Survey(graded, rejected, finished, colours, _unread(given))


def _unread(given: Sequence[str]) -> list[str]:
    folders = [Path(text) for text in given if Path(text).is_dir()]
    others = [measurements.read(folder, [])[1] for folder in folders]  # by the tables alone
    return [line for one in others for line in measurements.told(one)]


@contextmanager
def _photographs_stay() -> Iterator[None]:
    """In the block it is told that a photograph has gone of which a picture or copy is wanted."""
    try:
        yield
    except (Unusable, FileNotFoundError) as reason:
        raise InputError(
            f"a photograph changed or went away after it was graded ({reason}); the same command goes on"
        ) from reason


def copies_of(graded: pd.DataFrame) -> list[tuple[str, str, Path]]:
    """The grade of each photograph, its path below the folder that all lie in, and the file."""
    files = list(graded.file)
    return list(zip(graded.grade, below_common_folder(files), files, strict=True))


def facts_of(model: Path, spec: ModelSpec, card: Card | None, language: Language) -> list[tuple[str, str]]:
    """What is to be said of the model, a name and a text each."""
    said = texts(language)
    facts = [
        (
            said["model"],
            model.resolve().name if card is None else f"{model.resolve().name} ({card.commit}, {card.date})",
        ),
        (said["networks"], ", ".join(spec.weights)),
        (said["grades"], ", ".join(spec.grades)),
        (said["identity"], identity(model)[:12]),
        ("sabi", version("sabi")),
    ]
    if card is not None:
        facts.append(
            (said["learnt_from"], said["learnt"].format(photographs=card.photographs, tested=card.tested))
        )
        for name in HEADLINE:
            value, low, high = card.metrics[name]
            if value is not None:
                facts.append(
                    (
                        said[f"metric_{name}"],
                        said["interval"].format(value=value, low=low, high=high),
                    )
                )
    return facts
