"""What a killed DVC leaves behind no longer stops the next."""

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from dvc.repo import Repo

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
    assert mend_dvc() == [f"{listed}: left damaged by a DVC that was killed; removed"]
    assert not listed.exists() and mend_dvc() == []


def test_a_sound_list_stays(listed):
    listed.write_text('{"write": {}, "read": {}}')
    assert mend_dvc() == [] and listed.exists()


@pytest.mark.parametrize("held", ["lock", "rwlock.lock"])
def test_what_a_living_dvc_is_writing_stays(listed, held):
    listed.write_bytes(b"")
    with listed.with_name(held).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert mend_dvc() == [] and listed.exists()


def test_outside_of_a_repository_there_is_nothing_to_mend(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    assert mend_dvc() == [] and list(tmp_path.iterdir()) == []


LOCK = """schema: '2.0'
stages:
  split:
    cmd: python -m stages.split
    deps:
    - path: data/raw
      hash: md5
      md5: bf1ebb5a38acbced550a86b6f783ecf1.dir
      size: 15781968
      nfiles: 540
    params:
      params.yaml:
        split.seed: 1
    outs:
    - path: data/split/manifest.csv
      hash: md5
      md5: 3a715116a9428cd0f9fe2c202e74fc8d
      size: 68
"""


def test_a_lock_that_is_whole_or_a_merges_stays(listed):
    lock = listed.parents[2] / "dvc.lock"
    for text in (LOCK, f"<<<<<<< HEAD\n{LOCK[:90]}", "schema: '2.0'\nstages: {}\n"):
        lock.write_text(text)
        assert mend_dvc() == [] and lock.read_text() == text


def test_a_lock_that_is_cut_off_becomes_the_commits(listed):
    folder = listed.parents[2]
    lock = folder / "dvc.lock"
    lock.write_text(LOCK)
    shell("git init -q && git add dvc.lock", folder)
    shell("git -c user.name=sabi -c user.email=sabi@example.org commit -qm lock", folder)
    for end in (0, 3, 15, 16, 24, 33, 60, 100, 150, 200, len(LOCK) - 1):
        lock.write_text(LOCK[:end])
        line = f"{lock}: left cut off by a DVC that was killed or had no space; now the commit's"
        assert mend_dvc() == [line], LOCK[:end]
        assert lock.read_text() == LOCK


def test_a_lock_that_is_cut_off_and_in_no_commit_is_removed(listed):
    lock = listed.parents[2] / "dvc.lock"
    lock.write_text("")
    assert mend_dvc() == [f"{lock}: left cut off by a DVC that was killed or had no space; removed"]
    assert not lock.exists()


@pytest.mark.slow
def test_wherever_a_lock_was_cut_off_dvc_runs_again(tmp_path, monkeypatch):
    """Also where what is left looks whole: DVC then runs again what is missing."""
    (tmp_path / "dvc.yaml").write_text(
        "stages: {a: {cmd: echo 1 > out, outs: [out]}, b: {cmd: cp out end, deps: [out], outs: [end]}}"
    )
    shell("git init -q && dvc init -q && dvc repro -q", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    whole = (tmp_path / "dvc.lock").read_text()
    for end in range(0, len(whole), 7):
        (tmp_path / "dvc.lock").write_text(whole[:end])
        mend_dvc()
        with Repo(str(tmp_path)) as repo:
            repo.reproduce()
        assert (tmp_path / "dvc.lock").read_text() == whole


@pytest.mark.slow
def test_dvc_runs_again_after_sabi_precheck(tmp_path):
    (tmp_path / "dvc.yaml").write_text("stages: {a: {cmd: echo 1 > out, outs: [out]}}")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shell("git init -q && dvc init -q && dvc config core.analytics false", tmp_path)
    shell("mkdir -p .dvc/tmp && touch .dvc/tmp/rwlock", tmp_path)
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
