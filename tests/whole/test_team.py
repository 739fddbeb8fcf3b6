"""Two clones and the remote they share: what one has run, the other fetches."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import change_params, commit, shell
from tests.whole.test_pipeline import stages_run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shared(tiny, tmp_path_factory) -> Path:
    """The folder of a repository, `first`, and of the remote to which it has pushed its run."""
    folder = tmp_path_factory.mktemp("team")
    first = shutil.copytree(tiny, folder / "first", symlinks=True)
    shell("dvc remote add -d team ../remote", first)
    commit(first, "remote")
    shell("dvc push --run-cache", first)
    return folder


def test_a_second_clone_fetches_what_the_first_has_run(shared):
    first, second = shared / "first", shared / "second"
    shell("git clone -q first second", shared)
    shell("dvc pull --run-cache", second)
    log = shell("dvc repro", second)
    assert stages_run(log) == ["report"], log
    assert shell("git status --porcelain", second) == ""
    assert (second / "report.html").read_bytes() == (first / "report.html").read_bytes()


def test_a_change_that_was_run_and_pushed_is_fetched_with_its_commit(shared):
    first, third = shared / "first", shared / "third"
    shell("git checkout -q -b change", first)
    change_params(first, {"ensemble": {"method": "median"}})
    assert stages_run(shell("dvc repro ensemble", first)) == ["ensemble"]
    commit(first, "median")
    shell("dvc push --run-cache", first)
    # In a clone that has nothing of the run before, either: one command fetches it all.
    shell("git clone -q --branch change first third", shared)
    log = shell("dvc repro --pull ensemble", third)
    assert stages_run(log) == [] and "Pulling data for stage: 'train_densenet'" in log, log
    assert shell("git status --porcelain", third) == ""
    scores = "data/ensemble/scores.csv"
    assert (third / scores).read_bytes() == (first / scores).read_bytes()
