"""Where the store is, and what every run in it has: real SQLite stores and a real server."""

import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path

import pytest
from mlflow import MlflowClient

from sabi.runtime.errors import InputError
from sabi.runtime.repository import repository_root
from sabi.tracking.results import PARENT, record_failure
from sabi.tracking.store import open_store, tracking_uri
from sabi.tracking.trainings import training, training_seconds
from tests.conftest import shell
from tests.tracking.conftest import PARAMS, as_experiment, client, record, runs, train


def test_an_experiment_deleted_in_mlflows_page_is_taken_up_again(root):
    record()
    experiment = client(root).get_experiment_by_name("sabi")
    client(root).delete_experiment(experiment.experiment_id)
    with training("mobilenet", PARAMS, "key"):
        pass
    assert client(root).get_experiment_by_name("sabi").lifecycle_stage == "active"


def test_a_run_tells_commit_versions_and_the_experiment_of_dvc(root, monkeypatch):
    as_experiment(monkeypatch, "rusty-hinge")
    head = shell("git rev-parse HEAD", root).strip()
    for uncommitted in (False, True):
        if uncommitted:
            (root / ".gitignore").write_text("/mlflow.db*\n")
        with training("densenet", PARAMS, "key"):
            pass
        tags = runs(root)[0].data.tags
        assert tags["mlflow.source.git.commit"] == head
        assert tags["git.uncommitted"] == str(uncommitted)
    assert (tags["dvc.experiment"], tags["dvc.baseline"]) == ("rusty-hinge", "0123abc")
    assert tags["python"] == ".".join(map(str, sys.version_info[:3]))
    for package in ("tensorflow", "keras", "numpy", "scikit-learn", "pillow", "dvc", "mlflow"):
        assert tags[f"version.{package}"] == version(package)
    assert {"threads", "machine"} <= tags.keys()


@pytest.mark.parametrize("below", [".", "data/members"])
def test_without_dvc_the_store_is_in_the_nearest_folder_up_that_has_dvc(root, monkeypatch, below):
    monkeypatch.delenv("DVC_ROOT")
    (root / below).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(root / below)
    with training("mobilenet", PARAMS, "key"):
        pass
    assert len(runs(root)) == 1
    assert repository_root() == root


def test_dvc_root_leads_from_a_copy_of_the_repository_to_the_real_one(root, tmp_path, monkeypatch):
    (tmp_path / "copy/.dvc").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "copy")
    with training("mobilenet", PARAMS, "key"):
        pass
    assert len(runs(root)) == 1
    assert [path.name for path in (tmp_path / "copy").iterdir()] == [".dvc"]


def test_mlflow_tracking_uri_overrides_the_repositorys_store(root, tmp_path, empty_database, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    shutil.copyfile(empty_database, tmp_path / "elsewhere/mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/elsewhere/mlflow.db")
    assert record()
    assert (len(runs(tmp_path / "elsewhere")), len(runs(root))) == (1, 0)


@pytest.mark.parametrize("copied", [False, True])
def test_in_a_moved_or_copied_repository_artifacts_are_beside_the_database(
    root, tmp_path, monkeypatch, copied
):
    page = root / "input"
    train("mobilenet", "key")
    assert record(trained={"mobilenet": "key"}, artifacts=[page])
    there = tmp_path / "橋 #7?" / "moved"
    (shutil.copytree if copied else shutil.move)(root, there)
    monkeypatch.chdir(there)
    monkeypatch.setenv("DVC_ROOT", str(there))
    before = sorted((there / "mlartifacts").rglob("*"))
    assert training_seconds("key") is not None  # what was recorded before is known
    assert not record(trained={"mobilenet": "key"})
    as_experiment(monkeypatch, "rusty-hinge")
    for again in (True, False):
        assert record(trained={"mobilenet": "key"}, artifacts=[there / "input"]) == again
    assert len([path for path in (there / "mlartifacts").rglob("input") if path not in before]) == 1
    assert root.exists() == copied and (not copied or len(list((root / "mlartifacts").rglob("input"))) == 1)
    store, experiments = open_store()
    assert [store.get_experiment(each).name for each in experiments] == [f"sabi, in {there}", "sabi"]


def test_a_relative_database_is_of_the_repository_also_in_an_experiments_copy(root, tmp_path, monkeypatch):
    (tmp_path / "copy/.dvc").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "copy")
    shutil.copyfile(root / "mlflow.db", root / "own.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///own.db?timeout=30")
    with training("mobilenet", PARAMS, "key"):
        pass
    there = MlflowClient(f"sqlite:///{root / 'own.db'}")
    experiment = there.get_experiment_by_name("sabi")
    assert len(there.search_runs([experiment.experiment_id])) == 1
    assert experiment.artifact_location == (root / "mlartifacts").as_uri()
    assert [path.name for path in (tmp_path / "copy").iterdir()] == [".dvc"]
    assert not list(root.glob("*timeout*")) and runs(root) == []
    assert tracking_uri()[0] == f"sqlite:///{root}/own.db?timeout=30"


@pytest.mark.parametrize("text", [b"train mobilenet", b"mlartifacts"])
def test_a_database_with_damaged_bytes_is_one_line_with_the_way_out(root, monkeypatch, text):
    train("mobilenet", "key")
    data = (root / "mlflow.db").read_bytes()
    assert text in data
    # Of the same length: SQLite itself sees nothing wrong.
    (root / "damaged.db").write_bytes(data.replace(text, b"\xff\x80" + text[2:]))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///damaged.db")
    with pytest.raises(InputError) as caught:
        record(trained={"mobilenet": "key"})
        train("densenet", "another")
    told = str(caught.value)
    assert told.startswith(f"MLflow's store sqlite:///{root}/damaged.db cannot be used (")
    assert "; if it is damaged, move it away and a new one is made, or set or unset MLFLOW_TRACK" in told
    assert "\n" not in told


def test_an_empty_mlflow_tracking_uri_is_none(root, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    assert record()
    assert len(runs(root)) == 1


def test_outside_a_git_repository_runs_are_recorded_too(root):
    shutil.rmtree(root / ".git")
    assert record()
    assert not runs(root)[0].data.tags.get("mlflow.source.git.commit")


BROKEN = {
    "no database": "sqlite:///{root}/input",
    "below a file": "sqlite:///{root}/input/mlflow.db",
    "no such scheme": "rust://127.0.0.1",
}


@pytest.mark.parametrize(
    "uri",
    [*BROKEN.values(), pytest.param("http://127.0.0.1:9", marks=pytest.mark.slow)],
    ids=[*BROKEN, "nothing listens"],
)
def test_a_store_that_cannot_be_used_is_told_in_one_line(root, monkeypatch, uri):
    uri = uri.format(root=root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(InputError) as caught, training("mobilenet", PARAMS, "key") as log:
        while True:
            log.step(0, {"loss": 1.0})
            time.sleep(0.05)
    assert uri in str(caught.value)
    assert "MLFLOW_TRACKING_URI" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture
def server(tmp_path) -> Iterator[str]:
    """The address of an MLflow server with a fresh store of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{tmp_path}/server.db"]
    command += ["--artifacts-destination", str(tmp_path / "artifacts")]
    log = tmp_path / "server.log"
    with log.open("w") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream, start_new_session=True)
    try:
        for _ in range(600):
            assert process.poll() is None, log.read_text()
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health").close()
                break
            except OSError:
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # nothing of it is kept
        process.wait()


def experiment(number: int) -> bool:
    """What an experiment records, in a process of its own: two trainings, a failure, the result."""
    os.environ |= {"DVC_EXP_NAME": f"set{number}", "DVC_EXP_BASELINE_REV": "0123abc"}
    keys = {"densenet": "shared", "mobilenet": f"key{number}"}
    for member, key in keys.items():
        with training(member, PARAMS, key) as log:
            for step in range(3):
                log.step(step, {"train_mae": 1.0, "validation_mae": 1.0})
            log.metrics({"best_step": 2})
    record_failure(InputError("not at first"), PARAMS)
    return record(trained=keys, artifacts=[Path("input")])


@pytest.mark.slow
@pytest.mark.parametrize("store", ["in the repository", "on a server"])
def test_twelve_experiments_four_at_once_lose_nothing_in_a_fresh_store(
    repository, store, request, monkeypatch, capfd
):
    uri = f"sqlite:///{repository / 'mlflow.db'}"
    if store == "on a server":
        uri = request.getfixturevalue("server")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with ProcessPoolExecutor(4, multiprocessing.get_context("spawn")) as pool:
        assert list(pool.map(experiment, range(12))) == [True] * 12
    printed = capfd.readouterr()
    assert (printed.err, "View run" in printed.out) == ("", store == "on a server")
    there = MlflowClient(uri)
    every = there.search_runs([there.get_experiment_by_name("sabi").experiment_id])
    results = [run for run in every if "sabi.fingerprint" in run.data.tags]
    trainings = [run for run in every if run.data.tags["sabi.kind"] == "training"]
    failures = [run for run in every if run.info.status == "FAILED"]
    names = sorted(f"set{number}" for number in range(12))
    assert sorted(run.info.run_name for run in results) == names
    assert sorted(run.info.run_name for run in failures) == names
    assert len(trainings) == 24 and len(every) == 48
    assert {run.info.status for run in results + trainings} == {"FINISHED"}
    ids = {run.info.run_id for run in results}
    for run in results:
        assert run.data.metrics["kappa"] == 0.8 and len(run.data.params) > 80
        own = there.get_run(run.data.tags["training.mobilenet"])
        assert own.data.tags[PARENT] == run.info.run_id
        assert [file.path for file in there.list_artifacts(run.info.run_id)] == ["input"]
        shared = there.get_run(run.data.tags["training.densenet"])
        assert shared.data.tags[PARENT] in ids
    for run in trainings:
        assert len(there.get_metric_history(run.info.run_id, "train_mae")) == 3
