"""What stops DVC, or only its experiments, is told before it starts, with the way out."""

import os
import shutil
import time

import pytest

from sabi import precheck
from sabi.review.compare import failures
from sabi.runtime.repository import unfit_for_experiments
from tests.conftest import ROOT, commit, shell


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A folder with parameters and `.dvc`, the working directory; its own name can be changed."""
    for name in list(os.environ):
        if name.startswith("DVC_"):
            monkeypatch.delenv(name)

    def made(name: str):
        folder = tmp_path / name
        (folder / ".dvc").mkdir(parents=True)
        shutil.copyfile(ROOT / "params.yaml", folder / "params.yaml")
        monkeypatch.chdir(folder)
        return folder

    return made


def test_there_is_nothing_to_say_of_a_sound_repository(repository):
    folder = repository("bridge 7, 'north' (new) & $x")
    (folder / ".dvc/config").write_text("[core]\n")
    assert (precheck.errors(), precheck.notes()) == ([], [])


def test_a_mistake_in_the_parameters_is_told_with_what_is_wrong_with_photographs(repository):
    folder = repository("repository")
    (folder / "params.yaml").write_text("split:\n  seed: 1\n  seed: 2\n")
    (folder / "data/raw").mkdir(parents=True)
    (folder / "data/raw/3_gone.jpg").symlink_to("nowhere.jpg")
    assert precheck.errors() == [
        'params.yaml: line 3, column 3: not YAML: found duplicate key "seed" with value "2" (original value: '
        '"1"); `git diff params.yaml` shows what was changed',
        "data/raw/3_gone.jpg: a link to nothing; remove it",
    ]


@pytest.mark.parametrize(
    ("name", "told"), [("橋梁", "梁 橋"), ("é", "é"), ("a#b", "#"), ("what?", "?"), ("a%20b", "%")]
)
def test_a_path_that_dvcs_experiments_cannot_take_is_noted(repository, name, told):
    folder = repository(name)
    [note] = precheck.notes()
    assert note == (
        f"DVC cannot run experiments (--queue, --temp) below {folder}: its path has {told}; "
        "move the repository to a folder named with plain letters"
    )
    assert precheck.errors() == []  # the pipeline itself runs there


def test_a_path_that_dvc_cannot_take_at_all_stops(repository):
    folder = repository("{x}")
    assert precheck.errors() == [
        f"{folder}: DVC cannot run where a folder's name has {{ or }}; rename the folder"
    ]


def pipeline(folder):
    """A DVC repository with one stage in `folder`."""
    folder.mkdir()
    (folder / "params.yaml").write_text("a: 1\n")
    (folder / "dvc.yaml").write_text("stages: {s: {cmd: cp params.yaml o, params: [a], outs: [o]}}\n")
    shell("git init -q && git config user.name sabi && git config user.email sabi@example.org", folder)
    shell("dvc init -q", folder)
    commit(folder, "first")


@pytest.mark.slow
def test_dvc_loses_an_experiment_without_a_word_where_it_is_noted(tmp_path):
    pipeline(tmp_path / "a%20b")
    assert unfit_for_experiments(tmp_path / "a%20b")
    shell("dvc exp run --temp -S a=2", tmp_path / "a%20b")
    assert shell("git for-each-ref refs/exps", tmp_path / "a%20b") == ""


@pytest.mark.slow
def test_why_a_queued_experiment_failed_before_it_began_is_told(tmp_path, monkeypatch):
    folder = tmp_path / "橋"
    pipeline(folder)
    shell("dvc exp run --queue -n set -S a=2 && dvc queue start > /dev/null 2>&1", folder)
    until = time.monotonic() + 60
    while "Failed" not in shell("dvc queue status", folder) and time.monotonic() < until:
        time.sleep(0.5)
    monkeypatch.chdir(folder)
    assert failures("HEAD") == {"set": f"DVC has no log of it; {unfit_for_experiments(folder)}"}


@pytest.mark.slow
def test_a_remote_in_a_folder_with_another_script_is_added_by_a_link(tmp_path):
    folder = tmp_path / "repository"
    (tmp_path / "共有").mkdir()
    pipeline(folder)
    config = folder / ".dvc/config"
    config.write_text("[core]\n    analytics = false\n")
    shell("dvc remote add team ../共有", folder, fails=True)
    assert config.read_text() == ""
    shell("ln -s 共有 ../shared && dvc remote add -q -d team ../shared", folder)
    assert "url = ../../shared" in config.read_text()


def test_a_config_that_dvc_has_emptied_is_noted(repository):
    folder = repository("repository")
    (folder / ".dvc/config").write_text("")
    [note] = precheck.notes()
    assert note.startswith(".dvc/config is empty, as `dvc remote add` leaves it") and "`git checkout" in note


def test_the_command_prints_notes_and_errors_and_only_errors_stop_it(repository):
    folder = repository("a#b")
    command = "python -m sabi.cli precheck"
    assert shell(command, folder, PYTHONPATH=str(ROOT)).startswith("note: DVC cannot run experiments")
    (folder / "params.yaml").unlink()
    lines = shell(command, folder, fails=True, PYTHONPATH=str(ROOT)).splitlines()
    assert lines[1:] == ["error: params.yaml: no such file; run from the repository's root"]
