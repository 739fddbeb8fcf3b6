"""A `dvc.lock` that does not belong to its files is found, and what is wrong is named; no other is."""

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo

from sabi.review.lock import out_of_step
from sabi.runtime.errors import InputError
from tests.conftest import ROOT, change_params, commit, shell

# The shape of the pipeline: a folder of several outputs, a file in a folder that is one
# output, metrics in git, a stage for each candidate, a stage that always runs.
TRAIN = {
    "cmd": "mkdir -p data/networks/${item} && cp data/split/manifest.csv data/networks/${item}/model.csv",
    "deps": ["data/split/manifest.csv"],
    "params": ["train"],
    "outs": ["data/networks/${item}"],
}
STAGES = {
    "split": {
        "cmd": "mkdir -p data/split && cat data/raw/* split.py > data/split/manifest.csv",
        "deps": ["data/raw", "split.py"],
        "params": ["split.seed"],
        "outs": ["data/split/manifest.csv"],
    },
    "train_a": yaml.safe_load(yaml.safe_dump(TRAIN).replace("${item}", "a")),
    "train_b": yaml.safe_load(yaml.safe_dump(TRAIN).replace("${item}", "b")),
    "train": {"foreach": "${candidates}", "do": TRAIN},
    "ensemble": {
        "cmd": "mkdir -p data/grades && cat data/networks/*/* > data/grades/grades.csv",
        "deps": ["data/networks"],
        "params": ["candidates"],
        "outs": ["data/grades"],
    },
    "evaluate": {
        "cmd": "mkdir -p metrics && wc -c < data/grades/grades.csv > metrics/ensemble.json",
        "deps": ["data/grades/grades.csv", "data/networks"],
        "metrics": [{"metrics/ensemble.json": {"cache": False}}],
    },
    "report": {
        "cmd": "cp metrics/ensemble.json report.html",
        "always_changed": True,
        "deps": ["metrics/ensemble.json"],
        "outs": ["report.html"],
    },
}


def write(folder: Path, stages: dict) -> None:
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}, sort_keys=False))


def rerun(folder: Path) -> None:
    with contextlib.chdir(folder), Repo() as repo:
        repo.reproduce()
    commit(folder, "run")


def edit_lock(folder: Path, change: Callable[[dict], None]) -> None:
    """Change the stages of a repository's lock."""
    lock = yaml.safe_load((folder / "dvc.lock").read_text())
    change(lock["stages"])
    (folder / "dvc.lock").write_text(yaml.safe_dump(lock, sort_keys=False))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    """A repository that has run and is committed; not to be changed."""
    folder = tmp_path_factory.mktemp("lock") / "repository"
    (folder / "data/raw").mkdir(parents=True)
    (folder / "data/raw/3_a.txt").write_text("a photograph")
    (folder / "split.py").write_text("code\r\n")  # hashed as it is, whatever its line ends
    shutil.copy(ROOT / ".gitignore", folder)
    values = {"split": {"seed": 1, "test": 0.2}, "train": {"epochs": 3, "units": [8]}, "candidates": []}
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    write(folder, STAGES)
    shell("git init -q -b main && git config user.name sabi && git config user.email s@example.org", folder)
    shell("dvc init -q && dvc add -q data/raw", folder)
    rerun(folder)
    return folder


@pytest.fixture
def repository(recorded, tmp_path, monkeypatch) -> Path:
    """A copy; what is run in this process runs there."""
    folder = tmp_path / "repository"
    shutil.copytree(recorded, folder, symlinks=True)
    monkeypatch.chdir(folder)
    return folder


def change_stage(name: str, **changes) -> Callable[[Path], None]:
    return lambda folder: write(folder, STAGES | {name: STAGES[name] | changes})


def another_photograph(folder: Path) -> None:
    (folder / "data/raw/4_b.txt").write_text("another")
    with Repo() as repo:
        repo.add("data/raw")


CHANGES = {
    "parameter": (
        lambda folder: change_params(folder, {"split": {"seed": 2}}),
        ["split: params.yaml split.seed is not that of dvc.lock"],
    ),
    "parameter of several stages": (
        lambda folder: change_params(folder, {"train": {"units": [8, 4]}}),
        [f"{stage}: params.yaml train is not that of dvc.lock" for stage in ("train_a", "train_b")],
    ),
    "parameter removed": (
        lambda folder: (folder / "params.yaml").write_text("candidates: []\ntrain: {epochs: 3, units: [8]}"),
        ["split: params.yaml split.seed is not that of dvc.lock"],
    ),
    "no parameters": (lambda folder: (folder / "params.yaml").unlink(), ["DVC cannot read the pipeline: "]),
    "code": (
        lambda folder: (folder / "split.py").write_text("code\n"),
        ["split: split.py is not that of dvc.lock"],
    ),
    "code removed": (lambda folder: (folder / "split.py").unlink(), ["split: split.py: no such file in git"]),
    "photographs": (another_photograph, ["split: data/raw in dvc.lock is not that of data/raw.dvc"]),
    "metric edited": (
        lambda folder: (folder / "metrics/ensemble.json").write_text("1\n"),
        ["evaluate: metrics/ensemble.json is not that of dvc.lock"],
    ),
    "metric removed": (
        lambda folder: (folder / "metrics/ensemble.json").unlink(),
        ["evaluate: metrics/ensemble.json: no such file in git"],
    ),
    "command": (
        change_stage("report", cmd="true > report.html"),
        ["report: its command is not that of dvc.lock"],
    ),
    "dependency added": (
        change_stage("report", deps=["metrics/ensemble.json", "split.py", "data/grades"]),
        ["report: split.py is not in dvc.lock", "report: data/grades is not in dvc.lock"],
    ),
    "output added": (
        change_stage("report", outs=["report.html", "report.png"]),
        ["report: report.png is not in dvc.lock"],
    ),
    "stage added": (
        lambda folder: write(folder, STAGES | {"extra": {"cmd": "true", "deps": ["split.py"]}}),
        ["extra: this stage is not in dvc.lock"],
    ),
    "candidate added": (
        lambda folder: change_params(folder, {"candidates": ["c"]}),
        [
            "train@c: this stage is not in dvc.lock",
            "ensemble: params.yaml candidates is not that of dvc.lock",
            *(
                f"{stage}: data/networks in dvc.lock is not that of train_a, train_b, train@c"
                for stage in ("ensemble", "evaluate")
            ),
        ],
    ),
    "lock removed": (lambda folder: (folder / "dvc.lock").unlink(), ["dvc.lock: no such file"]),
    "lock empty": (
        lambda folder: (folder / "dvc.lock").write_text("schema: '2.0'\nstages: {}\n"),
        [
            f"{stage}: this stage is not in dvc.lock"
            for stage in ("split", "train_a", "train_b", "ensemble", "evaluate", "report")
        ],
    ),
    "lock with conflict marks": (
        lambda folder: (folder / "dvc.lock").write_text("<<<<<<< main\n"),
        ["DVC cannot read the pipeline: "],
    ),
    "dvc.yaml with conflict marks": (
        lambda folder: (folder / "dvc.yaml").write_text("<<<<<<< main\n"),
        ["DVC cannot read the pipeline: "],
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_without_a_run_is_named_in_the_workspace_and_in_a_revision(repository, name):
    change, expected = CHANGES[name]
    assert out_of_step() == out_of_step("HEAD") == []
    change(repository)
    assert out_of_step("HEAD") == []
    commit(repository, "not run")
    shell("git tag changed && git checkout -q HEAD~1", repository)
    assert out_of_step() == []
    of_revision = out_of_step("changed")
    shell("git checkout -q changed", repository)
    for lines in (of_revision, out_of_step()):
        assert len(lines) == len(expected), lines
        for line, beginning in zip(sorted(lines), sorted(expected), strict=True):
            assert line.startswith(beginning)


@pytest.mark.parametrize(
    ("stage", "path", "expected"),
    [
        ("train_a", "data/split/manifest.csv", "is not that of split"),
        ("ensemble", "data/networks", "is not that of train_a, train_b"),
        ("evaluate", "data/grades/grades.csv", "is not that of ensemble"),
        ("report", "metrics/ensemble.json", "is not that of evaluate"),
    ],
)
def test_a_stage_that_ran_on_something_else_is_named(repository, stage, path, expected):
    def change(stages: dict) -> None:
        (dep,) = [dep for dep in stages[stage]["deps"] if dep["path"] == path]
        dep["md5"] = "0" * 32 + ".dir" * dep["md5"].endswith(".dir")

    edit_lock(repository, change)
    assert out_of_step() == [f"{stage}: {path} in dvc.lock {expected}"]


def other_photographs(folder: Path) -> None:
    """A run of other photographs, more of them, on branch other; then main is there again."""
    shell("git checkout -q -b other", folder)
    another_photograph(folder)
    rerun(folder)
    shell("git checkout -q main", folder)


@pytest.mark.parametrize("cache", [True, False])
@pytest.mark.parametrize("stage", ["split", "train_b", "ensemble", "evaluate"])
def test_a_lock_merged_from_two_branches_is_out_of_step(repository, stage, cache):
    other_photographs(repository)
    theirs = yaml.safe_load(shell("git show other:dvc.lock", repository))["stages"]
    edit_lock(repository, lambda stages: stages.update({stage: theirs[stage]}))
    commit(repository, "half a merge")
    if not cache:
        shutil.rmtree(repository / ".dvc/cache")
        shutil.rmtree(repository / "data/networks")
    assert any(line.startswith(f"{stage}: ") for line in out_of_step("main"))
    assert out_of_step("other") == []


def test_the_lock_of_another_branch_is_out_of_step(repository):
    other_photographs(repository)
    shell("git checkout -q other dvc.lock metrics", repository)
    assert out_of_step() == ["split: data/raw in dvc.lock is not that of data/raw.dvc"]


def test_a_clone_without_data_and_cache_is_in_step(repository, tmp_path, monkeypatch):
    change_params(repository, {"candidates": ["c", "d"]})
    rerun(repository)
    shell(f"git clone -q {repository} clone", tmp_path)
    monkeypatch.chdir(tmp_path / "clone")
    assert not Path("data/raw").exists()
    assert out_of_step() == out_of_step("HEAD") == []


def test_a_former_candidate_counts_only_where_its_files_are_still_used(repository):
    change_params(repository, {"candidates": ["c"]})
    rerun(repository)
    assert out_of_step() == out_of_step("HEAD") == []
    change_params(repository, {"candidates": []})
    rerun(repository)
    found = "data/networks in dvc.lock is not that of train_a, train_b, which made 2 of its 3 files"
    expected = [f"{stage}: {found}; remove the others" for stage in ("ensemble", "evaluate")]
    assert out_of_step("HEAD") == expected
    shutil.rmtree(repository / "data/networks/c")
    rerun(repository)
    assert "train@c" in yaml.safe_load((repository / "dvc.lock").read_text())["stages"]
    assert out_of_step() == out_of_step("HEAD") == []


@pytest.mark.slow
def test_an_experiments_revision_is_in_step(repository):
    shell("dvc exp run -q --name more -S candidates=[c] -S split.seed=5", repository)
    assert out_of_step("more") == out_of_step() == out_of_step("HEAD") == []


def test_an_unknown_revision_and_a_folder_without_repository_are_the_users_to_mend(
    repository, tmp_path, monkeypatch
):
    with pytest.raises(InputError, match=r"^nowhere: no such revision"):
        out_of_step("nowhere")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="no DVC repository here"):
        out_of_step()


@pytest.mark.slow
def test_the_command_says_what_is_wrong_and_what_to_do(repository):
    assert shell("python -m sabi.cli lock", repository, PYTHONPATH=str(ROOT)) == ""
    (repository / "split.py").write_text("other code")
    log = shell("python -m sabi.cli lock; test $? = 1", repository, PYTHONPATH=str(ROOT))
    assert log.splitlines() == [
        "error: split: split.py is not that of dvc.lock",
        "dvc.lock is out of step: run `dvc repro`, then commit dvc.lock with the rest",
    ]
