"""What tests of MLflow's records share: real repositories with real SQLite stores."""

import os
import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient

from sabi.runtime.errors import InputError
from sabi.settings.loading import load
from sabi.tracking.results import record_result
from sabi.tracking.trainings import training
from tests.conftest import ROOT, commit, shell

PARAMS = load(ROOT / "params.yaml")
METRICS = {
    "ensemble": {"kappa": 0.8, "recall": {"1": 0.5}},
    "mobilenet": {"kappa": 0.7, "recall": {"1": 0.4}},
}


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory) -> Path:
    """A store as MLflow itself makes it, without runs; making one takes over a second."""
    file = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    """A git repository with one commit and a `.dvc` folder; the working directory."""
    for name in list(os.environ):
        if name.startswith(("GIT_", "DVC_", "MLFLOW_")):
            monkeypatch.delenv(name)
    folder = tmp_path / "repository"
    (folder / ".dvc").mkdir(parents=True)
    (folder / "input").write_bytes(b"photographs")
    (folder / ".gitignore").write_text("/mlflow.db*\n/mlartifacts/\n")
    shell("git init -q && git config user.name sabi && git config user.email sabi@example.org", folder)
    commit(folder, "first")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def root(repository, empty_database, monkeypatch) -> Path:
    """The repository with a store in it, named by DVC_ROOT as DVC does."""
    shutil.copyfile(empty_database, repository / "mlflow.db")
    monkeypatch.setenv("DVC_ROOT", str(repository))
    return repository


def client(root: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{root / 'mlflow.db'}")


def runs(root: Path) -> list:
    """All runs, the newest first."""
    experiment = client(root).get_experiment_by_name("sabi")
    return client(root).search_runs([experiment.experiment_id]) if experiment else []


def record(values=METRICS, chosen=PARAMS, trained=None, artifacts=()) -> bool:
    trained = trained or {"mobilenet": "on another machine"}
    return record_result(chosen, [Path("input")], values, trained, artifacts)


def train(member: str, key: str, **final: float) -> str:
    """Record a training; the id of its run."""
    with training(member, PARAMS, key) as log:
        log.metrics(final)
    return runs(Path.cwd())[0].info.run_id


def as_experiment(monkeypatch, name: str) -> None:
    """As DVC sets it for the stages of an experiment."""
    monkeypatch.setenv("DVC_EXP_NAME", name)
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "0123abc")


FAILURES = [
    (ValueError("no photographs\nat all"), "FAILED", "ValueError: no photographs\nat all"),
    (InputError("x" * 9000), "FAILED", "x" * 500),
    (SystemExit(3), "FAILED", "SystemExit: 3"),
    (KeyboardInterrupt(), "KILLED", "KeyboardInterrupt"),
]
