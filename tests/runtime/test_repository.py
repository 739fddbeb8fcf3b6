"""What a killed DVC leaves behind no longer stops the next."""

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from sabi.runtime.repository import mend_dvc
from tests.conftest import ROOT, shell


@pytest.fixture
def listed(tmp_path, monkeypatch) -> Path:
    """DVC's list of who reads and writes what, in the repository here; it is not there yet."""
    (tmp_path / ".dvc/tmp").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return tmp_path / ".dvc/tmp/rwlock"


@pytest.mark.parametrize("left", [b"", b'{"write": {"/data', b"\0" * 40, b"\xff"])
def test_a_damaged_list_is_removed_and_said_once(listed, left):
    listed.write_bytes(left)
    assert mend_dvc() == f"{listed}: left damaged by a DVC that was killed; removed"
    assert not listed.exists() and mend_dvc() is None


def test_a_sound_list_stays(listed):
    listed.write_text('{"write": {}, "read": {}}')
    assert mend_dvc() is None and listed.exists()


def test_what_a_living_dvc_is_writing_stays(listed):
    listed.write_bytes(b"")
    with listed.with_name("rwlock.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert mend_dvc() is None and listed.exists()


def test_outside_of_a_repository_there_is_nothing_to_mend(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    assert mend_dvc() is None and list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_dvc_runs_again_after_sabi_precheck(tmp_path):
    (tmp_path / "dvc.yaml").write_text("stages: {a: {cmd: echo 1 > out, outs: [out]}}")
    shell("git init -q && dvc init -q && mkdir -p .dvc/tmp && touch .dvc/tmp/rwlock", tmp_path)
    said = shell("dvc repro", tmp_path, fails=True)
    assert "JSON structure is corrupted" in said, "DVC mends it itself now: mend_dvc may go"
    ended = subprocess.run(
        [sys.executable, "-m", "sabi.cli", "precheck"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    line = f"note: {tmp_path}/.dvc/tmp/rwlock: left damaged by a DVC that was killed; removed\n"
    assert (ended.returncode, ended.stderr) == (0, line)
    shell("dvc repro", tmp_path)
    assert (tmp_path / "out").read_text() == "1\n"
