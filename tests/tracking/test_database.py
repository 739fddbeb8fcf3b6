"""MLflow's database is made as a whole or not at all."""

import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from sabi.tracking.database import make_database
from tests.conftest import ROOT

MAKE = "import sys; from pathlib import Path; from sabi.tracking.database import make_database; "
MAKE += "make_database(Path(sys.argv[1]))"
pytestmark = pytest.mark.slow


def start(file: Path) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", MAKE, str(file)], env={"PYTHONPATH": str(ROOT)})


def test_a_kill_while_it_is_made_leaves_none_and_the_next_makes_it(tmp_path):
    """MLflow alone would fail from then on: its own steps are not undone."""
    file = tmp_path / "mlflow.db"
    process = start(file)
    partial = tmp_path / "mlflow.db.partial"
    until = time.monotonic() + 60
    while not (partial.exists() and partial.stat().st_size) and time.monotonic() < until:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert partial.stat().st_size and not file.exists()
    file.touch()  # as SQLite leaves one that was only opened
    make_database(file)
    assert list(tmp_path.iterdir()) == [file]
    assert MlflowClient(f"sqlite:///{file}").create_experiment("sabi")


def test_one_that_holds_something_stays(tmp_path):
    file = tmp_path / "mlflow.db"
    file.write_bytes(b"mine")
    make_database(file)
    assert file.read_bytes() == b"mine"


def test_where_none_can_be_made_it_is_said_at_once(tmp_path):
    with pytest.raises(sqlite3.Error):
        make_database(tmp_path / "no such folder/mlflow.db")
