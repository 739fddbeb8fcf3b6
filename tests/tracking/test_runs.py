"""Records in MLflow, in real SQLite stores and on a real server."""

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
from sabi.settings.loading import load
from sabi.settings.report import Report
from sabi.tracking import runs as tracking
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
    return tracking.record_result(chosen, [Path("input")], values, trained, artifacts)


def train(member: str, key: str, **final: float) -> str:
    """Record a training; the id of its run."""
    with tracking.training(member, PARAMS, key) as log:
        log.metrics(final)
    return runs(Path.cwd())[0].info.run_id


def as_experiment(monkeypatch, name: str) -> None:
    """As DVC sets it for the stages of an experiment."""
    monkeypatch.setenv("DVC_EXP_NAME", name)
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "0123abc")


def test_a_training_tells_its_parameters_steps_and_end(root):
    with tracking.training("mobilenet", PARAMS, "key") as log:
        while not runs(root):  # it is made beside the training
            time.sleep(0.05)
        assert [run.info.status for run in runs(root)] == ["RUNNING"]
        for step, error in enumerate([0.9, 0.6, 0.7]):
            log.step(step, {"validation_mae": error})
        log.metrics({"validation_mae": 0.6, "best_step": 1})
    [run] = runs(root)
    assert (run.info.run_name, run.info.status) == ("train mobilenet", "FINISHED")
    history = client(root).get_metric_history(run.info.run_id, "validation_mae")
    assert [(point.step, point.value) for point in history] == [(0, 0.9), (1, 0.6), (2, 0.7)]
    assert run.data.metrics["final.validation_mae"] == 0.6
    assert run.data.metrics["final.best_step"] == 1
    assert run.data.metrics["seconds"] >= 0
    assert run.data.tags["sabi.kind"] == "training"
    assert run.data.tags["sabi.member"] == "mobilenet"
    assert run.data.tags["sabi.training"] == "key"
    chosen = PARAMS.model_dump(include={"split", "augment", "train", "labels"}) | {"network": "mobilenet"}
    assert run.data.params == {name: str(value) for name, value in tracking.flat(chosen)}
    assert run.data.params["train.ridge.folds"] == str(PARAMS.train.ridge.folds)


def test_an_experiment_deleted_in_mlflows_page_is_taken_up_again(root):
    record()
    experiment = client(root).get_experiment_by_name("sabi")
    client(root).delete_experiment(experiment.experiment_id)
    with tracking.training("mobilenet", PARAMS, "key"):
        pass
    assert client(root).get_experiment_by_name("sabi").lifecycle_stage == "active"


def test_a_run_tells_commit_versions_and_the_experiment_of_dvc(root, monkeypatch):
    as_experiment(monkeypatch, "rusty-hinge")
    head = shell("git rev-parse HEAD", root).strip()
    for uncommitted in (False, True):
        if uncommitted:
            (root / ".gitignore").write_text("/mlflow.db*\n")
        with tracking.training("densenet", PARAMS, "key"):
            pass
        tags = runs(root)[0].data.tags
        assert tags["mlflow.source.git.commit"] == head
        assert tags["git.uncommitted"] == str(uncommitted)
    assert (tags["dvc.experiment"], tags["dvc.baseline"]) == ("rusty-hinge", "0123abc")
    assert tags["python"] == ".".join(map(str, sys.version_info[:3]))
    for package in ("tensorflow", "keras", "numpy", "scikit-learn", "pillow", "dvc", "mlflow"):
        assert tags[f"version.{package}"] == version(package)
    assert {"threads", "machine"} <= tags.keys()


FAILURES = [
    (ValueError("no photographs\nat all"), "FAILED", "ValueError: no photographs\nat all"),
    (InputError("x" * 9000), "FAILED", "x" * 500),
    (SystemExit(3), "FAILED", "SystemExit: 3"),
    (KeyboardInterrupt(), "KILLED", "KeyboardInterrupt"),
]


@pytest.mark.parametrize(
    ("error", "status", "told"),
    FAILURES,
    ids=[type(error).__name__ for error, *_ in FAILURES],
)
def test_a_training_that_does_not_end_well_tells_why_and_passes_the_error_on(root, error, status, told):
    with pytest.raises(type(error)) as caught, tracking.training("mobilenet", PARAMS, "key") as log:
        log.step(0, {"loss": 1.0})
        raise error
    assert caught.value is error
    [run] = runs(root)
    assert run.info.status == status
    assert run.info.end_time is not None
    assert run.data.tags["sabi.error"] == told
    assert run.data.metrics == {"loss": 1.0}


def test_a_training_whose_recording_fails_stops_and_is_not_left_running(root, monkeypatch):
    def refuse(*_):
        raise ValueError("the disk is full")

    monkeypatch.setattr(tracking, "_log_metrics", refuse)
    with (
        pytest.raises(RuntimeError, match="MLflow: ValueError: the disk is full"),
        tracking.training("mobilenet", PARAMS, "key") as log,
    ):
        while True:
            log.step(0, {"loss": 1.0})
            time.sleep(0.05)
    [run] = runs(root)
    assert (run.info.status, run.data.tags["sabi.error"]) == ("FAILED", "ValueError: the disk is full")


def test_a_training_that_is_killed_is_not_left_running(root):
    code = """
import os, signal, time
from sabi.tracking import runs as tracking
from tests.tracking.test_runs import PARAMS, runs
with tracking.training("mobilenet", PARAMS, "key") as log:
    log.step(0, {"loss": 1.0})
    os.kill(os.getpid(), signal.SIGKILL)
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.run([sys.executable, "-c", code], env=environment)
    assert process.returncode == -signal.SIGKILL
    for _ in range(200):
        if [run.info.status for run in runs(root)] == ["KILLED"]:
            break
        time.sleep(0.1)
    [run] = runs(root)
    assert (run.info.status, run.data.metrics) == ("KILLED", {"loss": 1.0})


def test_a_result_is_recorded_with_metrics_parameters_and_report(root):
    (root / "report.html").write_text("錆")
    assert record(artifacts=[Path("report.html")])
    [run] = runs(root)
    assert (run.info.run_name, run.info.status) == ("dvc repro", "FINISHED")
    assert run.data.tags["sabi.kind"] == "result"
    expected = {"kappa": 0.8, "recall.1": 0.5, "mobilenet.kappa": 0.7, "mobilenet.recall.1": 0.4}
    assert run.data.metrics == expected
    assert run.data.params == {name: str(value) for name, value in tracking.flat(PARAMS.model_dump())}
    [page] = (root / "mlartifacts").rglob("report.html")
    assert page.read_text() == "錆"


def test_a_result_is_recorded_once_under_every_name_of_an_experiment(root, monkeypatch):
    assert [record(), record()] == [True, False]
    for name in ("rusty-hinge", "it's", "rusty"):
        as_experiment(monkeypatch, name)
        assert [record(), record()] == [True, False]
    monkeypatch.delenv("DVC_EXP_NAME")
    assert not record()
    assert [run.info.run_name for run in runs(root)] == ["rusty", "it's", "rusty-hinge", "dvc repro"]


def test_a_result_is_linked_to_its_trainings_and_tells_their_seconds(root, monkeypatch):
    mobilenet, densenet = train("mobilenet", "m"), train("densenet", "d")
    train("mobilenet", "m")  # again, forced
    as_experiment(monkeypatch, "both")
    record(trained={"mobilenet": "m", "densenet": "d"})
    [both] = [run for run in runs(root) if run.info.run_name == "both"]
    assert both.data.tags["members"] == "mobilenet,densenet"
    assert both.data.tags["training.mobilenet"] == mobilenet
    assert both.data.tags["training.densenet"] == densenet
    seconds = [client(root).get_run(run).data.metrics["seconds"] for run in (mobilenet, densenet)]
    assert both.data.metrics["training_seconds"] == pytest.approx(sum(seconds))
    assert tracking.training_seconds("m") == seconds[0]
    inside = [run.info.run_id for run in runs(root) if run.data.tags.get(tracking.PARENT) == both.info.run_id]
    assert sorted(inside) == sorted([mobilenet, densenet])


def test_a_training_stays_below_its_first_result(root, monkeypatch):
    training = train("mobilenet", "m")
    for name in ("first", "second"):
        as_experiment(monkeypatch, name)
        record(trained={"mobilenet": "m"})
    second, first, _ = runs(root)
    assert (first.info.run_name, second.info.run_name) == ("first", "second")
    assert client(root).get_run(training).data.tags[tracking.PARENT] == first.info.run_id
    assert second.data.tags["training.mobilenet"] == training


def test_seconds_of_trainings_are_told_only_if_all_are_known(root):
    with pytest.raises(InputError), tracking.training("densenet", PARAMS, "d"):
        raise InputError("it failed")
    train("mobilenet", "m")
    assert tracking.training_seconds("d") is None
    record(trained={"mobilenet": "m", "densenet": "d"})
    result = runs(root)[0]
    assert "training_seconds" not in result.data.metrics
    assert "training.mobilenet" in result.data.tags and "training.densenet" not in result.data.tags


def test_reused_embeddings_are_those_of_the_latest_trainings(root):
    train("mobilenet", "m", embeddings=50, embeddings_reused=0)
    assert tracking.embeddings_reused(["m"]) == (0, 50)
    train("mobilenet", "m", embeddings=50, embeddings_reused=30)
    train("densenet", "d", embeddings=50, embeddings_reused=50)
    assert tracking.embeddings_reused(["m", "d"]) == (80, 100)
    assert tracking.embeddings_reused(["m", "never"]) is None
    train("vgg16", "older")
    assert tracking.embeddings_reused(["m", "older"]) is None


@pytest.mark.parametrize(
    ("error", "status", "told"), FAILURES, ids=[type(error).__name__ for error, *_ in FAILURES]
)
def test_a_failed_experiment_has_a_run_of_its_name_that_says_where_and_why(
    root, monkeypatch, error, status, told
):
    as_experiment(monkeypatch, "rusty-hinge")
    monkeypatch.setenv("DVC_STAGE", "binning")
    tracking.record_failure(error, PARAMS)
    [run] = runs(root)
    assert (run.info.run_name, run.info.status) == ("rusty-hinge", status)
    assert run.data.tags["sabi.kind"] == "result"
    assert run.data.tags["sabi.stage"] == "binning"
    assert run.data.tags["sabi.error"] == told
    assert run.data.params == {name: str(value) for name, value in tracking.flat(PARAMS.model_dump())}
    assert record(), "a failure is not taken for the result"


def test_a_failure_without_readable_parameters_is_recorded_too(root, monkeypatch):
    as_experiment(monkeypatch, "rusty-hinge")
    tracking.record_failure(InputError("params.yaml: not YAML"), None)
    [run] = runs(root)
    assert (run.data.params, run.data.tags["sabi.error"]) == ({}, "params.yaml: not YAML")


def test_the_same_result_is_recorded_once_and_a_changed_one_again(root):
    assert [record(), record()] == [True, False]
    (root / "input").write_bytes(b"photographS")
    assert [record(), record()] == [True, False]
    other = PARAMS.model_copy(update={"report": Report(worst=PARAMS.report.worst + 1)})
    assert [record(chosen=other), record(chosen=other)] == [True, False]
    (root / "input").write_bytes(b"photographs")
    assert not record()
    assert len(runs(root)) == 3


def test_a_training_is_not_taken_for_a_result(root):
    with tracking.training("mobilenet", PARAMS, "key"):
        pass
    assert record()
    assert len(runs(root)) == 2


def test_a_metric_that_does_not_exist_is_left_out(root):
    values = {"kappa": None, "mae": 0.3, "recall": {"1": None, "2": 0.5}}
    assert record({"ensemble": values, "mobilenet": values})
    [run] = runs(root)
    assert run.info.status == "FINISHED"
    expected = {"mae": 0.3, "recall.2": 0.5, "mobilenet.mae": 0.3, "mobilenet.recall.2": 0.5}
    assert run.data.metrics == expected


def test_a_result_that_was_recorded_by_half_is_recorded_by_the_next_run(root):
    report = root / "report.html"
    with pytest.raises(OSError):
        record(artifacts=[report])
    report.write_text("there now")
    assert record(artifacts=[report])
    assert not record(artifacts=[report])
    finished = [run for run in runs(root) if run.info.status == "FINISHED"]
    assert len(finished) == 1
    assert [page.read_text() for page in (root / "mlartifacts").rglob("report.html")] == ["there now"]


@pytest.mark.parametrize("below", [".", "data/networks"])
def test_without_dvc_the_store_is_in_the_nearest_folder_up_that_has_dvc(root, monkeypatch, below):
    monkeypatch.delenv("DVC_ROOT")
    (root / below).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(root / below)
    with tracking.training("mobilenet", PARAMS, "key"):
        pass
    assert len(runs(root)) == 1
    assert tracking.repository_root() == root


def test_dvc_root_leads_from_a_copy_of_the_repository_to_the_real_one(root, tmp_path, monkeypatch):
    (tmp_path / "copy/.dvc").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "copy")
    with tracking.training("mobilenet", PARAMS, "key"):
        pass
    assert len(runs(root)) == 1
    assert [path.name for path in (tmp_path / "copy").iterdir()] == [".dvc"]


def test_mlflow_tracking_uri_overrides_the_repositorys_store(root, tmp_path, empty_database, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    shutil.copyfile(empty_database, tmp_path / "elsewhere/mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/elsewhere/mlflow.db")
    assert record()
    assert (len(runs(tmp_path / "elsewhere")), len(runs(root))) == (1, 0)


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
    with pytest.raises(InputError) as caught, tracking.training("mobilenet", PARAMS, "key") as log:
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
        with tracking.training(member, PARAMS, key) as log:
            for step in range(3):
                log.step(step, {"train_mae": 1.0, "validation_mae": 1.0})
            log.metrics({"best_step": 2})
    tracking.record_failure(InputError("not at first"), PARAMS)
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
        assert own.data.tags[tracking.PARENT] == run.info.run_id
        assert [file.path for file in there.list_artifacts(run.info.run_id)] == ["input"]
        shared = there.get_run(run.data.tags["training.densenet"])
        assert shared.data.tags[tracking.PARENT] in ids
    for run in trainings:
        assert len(there.get_metric_history(run.info.run_id, "train_mae")) == 3
