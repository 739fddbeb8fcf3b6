"""What accidents need: a repository in which every stage is to run again, and what it must come to."""

import os
import re
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import command_environment, shell

LONG = 900  # seconds


@pytest.fixture
def fresh(copy) -> Path:
    """A copy in which DVC believes that no stage has run; embeddings are stored, photographs are there."""
    shell("cp dvc.lock expected.lock && rm -rf dvc.lock .dvc/cache/runs mlflow.db*", copy)
    return copy


def start(folder: Path, log: Path, command: str = "dvc repro") -> subprocess.Popen:
    """A process group of its own, as a terminal makes one."""
    return subprocess.Popen(
        command.split(),
        cwd=folder,
        env=command_environment(),
        stdin=subprocess.DEVNULL,
        stdout=log.open("wb"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
        # A shell that starts the tests in the background lets them ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def wait_for(text: str, log: Path, process: subprocess.Popen) -> None:
    until = time.monotonic() + LONG
    while text not in log.read_text(errors="replace") and process.poll() is None:
        assert time.monotonic() < until, f"{text!r} never came\n{log.read_text()}"
        time.sleep(0.02)


def check_whole(folder: Path) -> None:
    """All is as if nothing had happened, and MLflow holds no run that never ends."""
    assert (folder / "dvc.lock").read_bytes() == (folder / "expected.lock").read_bytes()
    with sqlite3.connect(folder / "mlflow.db") as store:
        runs = store.execute("select name, status from runs").fetchall()
    assert ("dvc repro", "FINISHED") in runs and "RUNNING" not in [status for _, status in runs], runs


def interrupt(process: subprocess.Popen, number: int) -> None:
    """Send a signal to all that `start` started, as a terminal does, unless they have ended."""
    if process.poll() is None:
        os.killpg(process.pid, number)


def stages_run(log: str) -> list[str]:
    return re.findall(r"Running stage '([\w@]+)'", log)
