"""What the pipeline came to in a revision: read from git and DVC's cache, without checking it out."""

import io
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd

from sabi.grades import Grades
from sabi.names import normal
from sabi.runtime.errors import InputError
from sabi.settings.reading import read_parameters
from sabi.tables import PREDICTION_COLUMNS, PREDICTIONS, TRAINED, by_position, read_table
from sabi.tracking.trainings import training_seconds

if TYPE_CHECKING:
    from dvc.api import DVCFileSystem

Parsed = TypeVar("Parsed")

METRICS = "metrics/ensemble.json"
VALIDATION = "metrics/validation.json"


@dataclass(frozen=True)
class Result:
    """What a revision's `dvc repro` came to. Parameters are as written there, unchecked."""

    revision: str
    params: dict[str, Any]
    metrics: dict[str, Any]  # of the ensemble on test
    validation: dict[str, dict[str, float]]  # errors of the scores on validation, by ensemble and member
    predictions: pd.DataFrame  # `PREDICTION_COLUMNS` by position, a row a test photograph

    @property
    def members(self) -> list[str]:
        """The networks of the ensemble."""
        return self.params["ensemble"]["members"]

    @property
    def grades(self) -> Grades:
        """The grades and where soundness begins."""
        names = tuple(normal(str(name)) for name in self.params["labels"]["grades"])
        return Grades(names, names.index(normal(str(self.params["labels"]["sound"]))) + 1)


def read(revision: str) -> Result:
    """The result of a git revision or DVC experiment, from what is in git alone.

    Raises `InputError` for a revision that does not exist and for one without
    metrics or predictions, or with damaged ones.
    """
    metrics = _parsed(json.loads, revision, METRICS)
    validation = _parsed(json.loads, revision, VALIDATION)
    predictions = _parsed(lambda table: read_table(io.StringIO(table)), revision, str(PREDICTIONS))
    missing = [name for name in PREDICTION_COLUMNS if name not in predictions]
    if missing or predictions.empty:
        raise InputError(
            f"{revision}: {PREDICTIONS} has no {', '.join(missing) or 'rows'}; run `dvc repro` there"
        )
    result = Result(
        revision, _parsed(read_parameters, revision, "params.yaml"), metrics, validation, predictions
    )
    try:
        return replace(result, predictions=by_position(predictions, result.grades))
    except InputError as error:
        raise InputError(f"{revision}: {PREDICTIONS}: {error} there") from None


def _parsed(parse: Callable[[str], Parsed], revision: str, file: str) -> Parsed:
    try:
        return parse(text(revision, file))
    except ValueError as error:  # a merge's conflict marks, say
        detail = " ".join(str(error).split())[:200]
        raise InputError(f"{revision}: {file} cannot be read ({detail}); run `dvc repro` there") from None


def truth_grades_scores(predictions: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The inspector's grades (n,) int, the predicted ones (n,) int and the scores (n,) float of a table."""
    return tuple(predictions[column].to_numpy() for column in ("actual", "predicted", "score"))


def seconds_of(keys: Iterable[str]) -> float | None:
    """How long the trainings with these keys took together; None if this machine does not know of one."""
    seconds = [training_seconds(key) for key in keys]
    known = [taken for taken in seconds if taken is not None]
    return round(sum(known), 1) if len(known) == len(seconds) else None


def models(result: Result) -> dict[str, dict[str, Any]]:
    """Every member's `model.json` by name; raises `InputError` if DVC's cache has not all of them."""
    return {
        name: json.loads(text(result.revision, f"{TRAINED}/{name}/model.json")) for name in result.members
    }


def text(revision: str, file: str) -> str:
    """A file as it is in a revision, in git or in DVC's cache; raises `InputError` if it is not there."""
    from dvc.scm import SCMError
    from dvc_data.index import DataIndexDirError

    try:
        return _files(revision).read_text(file, encoding="utf-8")
    except SCMError:
        raise InputError(
            f"{revision}: no such revision; `git branch -a` and `dvc exp list` show them"
        ) from None
    except (FileNotFoundError, DataIndexDirError):
        # DVC says the same of a file the revision lacks and of one its cache lacks; the latter of a folder.
        raise InputError(
            f"{revision}: no {file}; run `dvc repro` there and commit, or `dvc fetch` if it is only not here"
        ) from None


@cache
def _files(revision: str) -> "DVCFileSystem":
    from dvc.api import DVCFileSystem

    return DVCFileSystem(rev=revision)
