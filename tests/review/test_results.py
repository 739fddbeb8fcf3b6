"""A revision's result is read from git; what is missing or damaged is named."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml

from sabi.evaluation.metrics import measure
from sabi.grades import Grades
from sabi.review import results
from sabi.runtime.errors import InputError
from sabi.tables import PREDICTIONS, write_graded, write_json, write_table
from tests.conftest import ROOT, commit, shell

PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
NAMED = "  - 2\n  - 3\n  - 4\n  - 5\n  - 6\n"
RATING = Grades(("1", "2", "3", "4", "5"), 3)


def predictions(seed: int, right: float, photographs=range(120)) -> pd.DataFrame:
    """Predictions of the `photographs` numbered, right with a probability, else a grade off.

    A photograph's true grade depends on its number only.
    """
    rng = np.random.default_rng(seed)
    number = np.array(photographs)
    actual = 1 + number % 5
    off = np.where(actual == 5, -1, 1)
    predicted = np.where(rng.random(len(number)) < right, actual, actual + off)
    return pd.DataFrame(
        {
            "path": [f"{n}.jpg" for n in number],
            "sha256": [f"{n:064x}" for n in number],
            "specimen": [f"s{n // 4}" for n in number],
            "actual": actual,
            "predicted": predicted,
            "score": predicted + 0.1,
        }
    )


def write_result(folder, seed: int, right: float, rmse: float) -> None:
    """What a run leaves in git."""
    graded = predictions(seed, right)
    write_table(graded, folder / PREDICTIONS)
    judged = [graded[column].to_numpy() for column in ("actual", "predicted", "score")]
    write_json(measure(*judged, RATING), folder / results.METRICS)
    write_json({"ensemble": {"mae": rmse, "rmse": rmse}}, folder / results.VALIDATION)
    (folder / "params.yaml").write_text((ROOT / "params.yaml").read_text(encoding="utf-8"), encoding="utf-8")


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A git and DVC repository with one result committed; the working directory."""
    shell("git init -q && git config user.name sabi && git config user.email sabi@example.org", tmp_path)
    shell("dvc init -q", tmp_path)
    write_result(tmp_path, seed=1, right=0.8, rmse=0.4)
    commit(tmp_path, "result")
    monkeypatch.chdir(tmp_path)
    results._files.cache_clear()
    return tmp_path


def test_a_result_is_what_was_committed_whatever_lies_in_the_folder(repository):
    (repository / PREDICTIONS).write_text("changed")
    read = results.read("HEAD")
    pd.testing.assert_frame_equal(read.predictions, predictions(1, 0.8))
    assert read.metrics["photographs"] == 120 and read.validation["ensemble"]["rmse"] == 0.4
    assert read.members == PARAMS["ensemble"]["members"] and read.grades == RATING


def test_a_revision_that_is_not_there_is_named(repository):
    with pytest.raises(InputError, match=r"^nowhere: no such revision; "):
        results.read("nowhere")


@pytest.mark.parametrize("file", [results.METRICS, str(PREDICTIONS), results.VALIDATION])
def test_a_file_that_is_missing_or_damaged_is_named(repository, file):
    content = (repository / file).read_text()
    half = content[: len(content) // 2] if file.endswith("json") else content.replace("sha256", "sha1", 1)
    (repository / file).write_text(half)
    commit(repository, "damaged")
    with pytest.raises(InputError, match=f"^HEAD: {file} .*run `dvc repro` there"):
        results.read("HEAD")
    (repository / file).unlink()
    commit(repository, "gone")
    results._files.cache_clear()
    with pytest.raises(InputError, match=f"^HEAD: no {file}; run `dvc repro` there"):
        results.read("HEAD")


def test_a_model_that_is_not_in_the_cache_is_named(repository):
    with pytest.raises(InputError, match=r"no data/networks/efficientnet/model\.json"):
        results.models(results.read("HEAD"))


def test_a_model_in_git_is_read(repository):
    for name in PARAMS["ensemble"]["members"]:
        write_json({"key": name}, repository / f"data/networks/{name}/model.json")
    commit(repository, "models")
    assert json.dumps(results.models(results.read("HEAD"))["densenet"]) == '{"key": "densenet"}'


def test_predictions_of_other_names_of_grades_are_counted_and_those_of_a_former_rating_refused(repository):
    shown = (repository / "params.yaml").read_text().replace("  - 1\n  - 2\n  - 3\n  - 4\n  - 5\n", NAMED)
    (repository / "params.yaml").write_text(shown)
    commit(repository, "other names")
    with pytest.raises(
        InputError, match=r"^HEAD: metrics/predictions.csv: actual '1' is none of labels.grades"
    ):
        results.read("HEAD")
    table = predictions(1, 0.8).assign(score=lambda table: table.predicted - 0.0)
    write_graded(table, Grades(tuple("23456"), 2), repository / PREDICTIONS)
    commit(repository, "run again")
    results._files.cache_clear()
    pd.testing.assert_frame_equal(results.read("HEAD").predictions, table)


@pytest.mark.slow
def test_a_folder_of_which_dvcs_cache_has_nothing_is_told_as_a_missing_file(tmp_path, monkeypatch):
    """As in a fresh clone."""
    (tmp_path / "data/networks/densenet").mkdir(parents=True)
    (tmp_path / "data/networks/densenet/model.json").write_text("{}")
    shell("git init -q && git config user.name sabi && git config user.email sabi@example.org", tmp_path)
    shell("dvc init -q && dvc add -q data/networks", tmp_path)
    commit(tmp_path, "networks")
    monkeypatch.chdir(tmp_path)
    results._files.cache_clear()
    assert results.text("HEAD", "data/networks/densenet/model.json") == "{}"
    shutil.rmtree(tmp_path / ".dvc/cache")
    shutil.rmtree(tmp_path / ".dvc/tmp")
    results._files.cache_clear()
    with pytest.raises(InputError, match=r"^HEAD: no data/networks/densenet/model.json; .* `dvc fetch`"):
        results.text("HEAD", "data/networks/densenet/model.json")
