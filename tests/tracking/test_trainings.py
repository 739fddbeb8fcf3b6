"""Runs of trainings, in real SQLite stores."""

import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sabi.runtime.errors import InputError
from sabi.tables import flat
from sabi.tracking.store import HOST, PROCESS
from sabi.tracking.trainings import embeddings_reused, training
from tests.conftest import ROOT
from tests.tracking.conftest import FAILURES, PARAMS, client, record, runs, train


def test_a_training_tells_its_parameters_steps_and_end(root):
    with training("mobilenet", PARAMS, "key") as log:
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
    assert run.data.params == {name: str(value) for name, value in flat(chosen)}
    assert run.data.params["train.ridge.folds"] == str(PARAMS.train.ridge.folds)


@pytest.mark.parametrize(
    ("error", "status", "told"),
    FAILURES,
    ids=[type(error).__name__ for error, *_ in FAILURES],
)
def test_a_training_that_does_not_end_well_tells_why_and_passes_the_error_on(root, error, status, told):
    with pytest.raises(type(error)) as caught, training("mobilenet", PARAMS, "key") as log:
        log.step(0, {"loss": 1.0})
        raise error
    assert caught.value is error
    [run] = runs(root)
    assert run.info.status == status
    assert run.info.end_time is not None
    assert run.data.tags["sabi.error"] == told
    assert run.data.metrics == {"loss": 1.0}


UNWRITABLE = {"loss?": 1.0}  # MLflow takes no question mark in a name


def test_a_training_whose_recording_fails_stops_and_is_not_left_running(root):
    with (
        pytest.raises(RuntimeError, match=r"MLflow: .*Invalid value \"loss\?\""),
        training("mobilenet", PARAMS, "key") as log,
    ):
        log.step(0, {"loss": 1.0})
        log.step(1, UNWRITABLE)
        while True:
            log.step(2, {"loss": 2.0})
            time.sleep(0.05)
    [run] = runs(root)
    assert run.info.status == "FAILED" and "loss?" in run.data.tags["sabi.error"]
    assert run.data.metrics == {"loss": 1.0}  # nothing after it


def test_what_could_not_be_recorded_last_fails_the_training_at_its_end(root):
    with pytest.raises(RuntimeError, match="MLflow"), training("mobilenet", PARAMS, "key") as log:
        log.step(0, UNWRITABLE)
    [run] = runs(root)
    assert run.info.status == "FAILED" and "seconds" not in run.data.metrics


def test_trouble_with_mlflow_does_not_hide_why_a_training_failed(root):
    with pytest.raises(InputError, match="no photographs"), training("mobilenet", PARAMS, "key") as log:
        log.step(0, UNWRITABLE)
        raise InputError("no photographs")
    assert [run.info.status for run in runs(root)] == ["FAILED"]


@pytest.mark.slow
def test_a_training_waits_neither_for_mlflow_to_load_nor_to_write(root):
    code = """
import sys, time
from tests.conftest import ROOT
from sabi.settings.loading import load
from sabi.tracking.trainings import training
chosen = load(ROOT / "params.yaml")
with training("mobilenet", chosen, "key") as log:
    start = time.monotonic()
    for step in range(100):
        log.step(step, {"loss": 1.0})
    print("mlflow.tracking.client" in sys.modules, time.monotonic() - start < 0.5)
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert ended.stdout == "False True\n", ended.stderr
    [run] = runs(root)
    assert run.info.status == "FINISHED"
    assert len(client(root).get_metric_history(run.info.run_id, "loss")) == 100


@contextmanager
def started(member: str) -> Iterator[subprocess.Popen]:
    """A process that trains `member` until it is killed; its run is there."""
    code = """
import sys, time
from tests.tracking.conftest import PARAMS, training
with training(sys.argv[1], PARAMS, "key") as log:
    log.step(0, {"loss": 1.0})
    while True:
        time.sleep(1)
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", code, member], env=environment)
    try:
        while not [
            run for run in runs(Path.cwd()) if run.info.run_name == f"train {member}" and run.data.metrics
        ]:
            assert process.poll() is None
            time.sleep(0.1)
        yield process
    finally:
        process.kill()
        process.wait()


def statuses(root: Path) -> dict[str, str]:
    return {run.info.run_name: run.info.status for run in runs(root)}


@pytest.mark.slow
@pytest.mark.parametrize("following", ["training", "result"])
def test_the_run_of_a_killed_training_is_closed_by_the_next_and_a_living_ones_stays(root, following):
    with started("mobilenet") as killed, started("densenet"):
        killed.send_signal(signal.SIGKILL)
        assert killed.wait() == -signal.SIGKILL
        assert statuses(root) == {"train mobilenet": "RUNNING", "train densenet": "RUNNING"}
        if following == "training":
            train("vgg16", "other")
        else:
            record()
        seen = statuses(root)
    assert seen.pop("train vgg16" if following == "training" else "dvc repro") == "FINISHED"
    assert seen == {"train mobilenet": "KILLED", "train densenet": "RUNNING"}
    [run] = [run for run in runs(root) if run.info.run_name == "train mobilenet"]
    assert run.data.tags["sabi.error"] == "its process was killed; noticed by a later run"
    assert run.data.metrics == {"loss": 1.0} and run.info.end_time


def test_a_run_of_another_machine_is_left_alone(root):
    train("mobilenet", "key")
    [run] = runs(root)
    for tag, value in ((HOST, "elsewhere"), (PROCESS, "1 2 gone")):
        client(root).set_tag(run.info.run_id, tag, value)
    client(root).update_run(run.info.run_id, "RUNNING")
    train("densenet", "other")
    assert statuses(root) == {"train mobilenet": "RUNNING", "train densenet": "FINISHED"}
    client(root).set_tag(run.info.run_id, HOST, platform.node())
    train("densenet", "other")
    assert statuses(root)["train mobilenet"] == "KILLED"


def test_reused_embeddings_are_those_of_the_latest_trainings(root):
    train("mobilenet", "m", embeddings=50, embeddings_reused=0)
    assert embeddings_reused(["m"]) == (0, 50)
    train("mobilenet", "m", embeddings=50, embeddings_reused=30)
    train("densenet", "d", embeddings=50, embeddings_reused=50)
    assert embeddings_reused(["m", "d"]) == (80, 100)
    assert embeddings_reused(["m", "never"]) is None
    train("vgg16", "older")
    assert embeddings_reused(["m", "older"]) is None
