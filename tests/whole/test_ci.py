"""What other machines type: the workflows, the pages' job for GitLab, the hooks before a commit."""

import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from sabi.cli import app
from tests.conftest import ROOT, change_params, commit, copy_project, shell

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
GITHUB = "check-jsonschema --builtin-schema vendor.github-workflows"
GITLAB = "check-jsonschema --builtin-schema vendor.gitlab-ci --data-transform gitlab-ci"


def load(file: Path) -> dict:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def jobs() -> list[tuple[str, dict]]:
    return [(f"{file.stem}/{name}", job) for file in WORKFLOWS for name, job in load(file)["jobs"].items()]


def gitlab_job() -> str:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/ci.md").read_text(encoding="utf-8"), re.DOTALL)
    (block,) = [block for block in blocks if "make gate" in block]
    return block


def commands() -> str:
    """Every line of shell that a workflow, or GitLab's job, types."""
    typed = [step.get("run", "") for _, job in jobs() for step in job["steps"]]
    return "\n".join([*typed, *yaml.safe_load(gitlab_job())["gate"]["script"]])


def run_step(name: str, folder: Path, fails: bool = False, workflow: str = "gate", **environment: str) -> str:
    """What a step of a workflow prints, run in `folder` by the shell the workflow names."""
    workflow = load(ROOT / f".github/workflows/{workflow}.yml")
    (script,) = [s["run"] for job in workflow["jobs"].values() for s in job["steps"] if s.get("name") == name]
    file = folder.parent / "step.sh"
    file.write_text(script, encoding="utf-8")
    with_file = workflow["defaults"]["run"]["shell"].replace("{0}", shlex.quote(str(file)))
    return shell(with_file, folder, fails, **environment)


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_follows_githubs_schema(file):
    shell(f"{GITHUB} '{file}'", ROOT)


def test_gitlabs_job_in_the_documentation_follows_gitlabs_schema(tmp_path):
    (tmp_path / ".gitlab-ci.yml").write_text(gitlab_job(), encoding="utf-8")
    shell(f"{GITLAB} .gitlab-ci.yml", tmp_path)


@pytest.mark.parametrize(
    ("check", "wrong"),
    [
        (GITHUB, {"on": "push", "jobs": {"test": {"steps": [{"run": "make test"}]}}}),
        (GITLAB, {"gate": {"script": ["make gate"], "artifacts": {"when": "ever"}}}),
    ],
)
def test_the_schemas_refuse_what_is_wrong(tmp_path, check, wrong):
    (tmp_path / "wrong.yml").write_text(yaml.safe_dump(wrong), encoding="utf-8")
    assert "Schema validation errors" in shell(f"{check} wrong.yml", tmp_path, fails=True)


def test_every_target_and_module_that_is_typed_exists():
    targets = set(re.findall(r"^\.PHONY: (\S+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    typed = set(re.findall(r"\bmake ([a-z-]+)", commands()))
    assert {"test", "setup", "data", "gate"} <= typed <= targets
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    modules = re.findall(r"python -m ([\w.]+)", commands() + hooks)
    assert "sabi.cli" in modules
    for module in modules:
        assert find_spec(module), f"no module {module}"


def test_make_forwards_to_every_command_and_the_hook_to_one():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    typed = re.findall(r"(?:\$\(SABI\)|sabi\.cli) ([a-z]+)", makefile + hooks)
    shown = [
        command.name or command.callback.__name__ for command in app.registered_commands if not command.hidden
    ]
    assert len(set(typed)) == len(typed)
    assert set(shown) - set(typed) == {"diff", "export", "register"}  # they need words of the user's
    assert set(typed) <= set(shown)


def test_every_action_is_pinned_by_its_commit():
    uses = [step["uses"] for _, job in jobs() for step in job["steps"] if "uses" in step]
    lines = [line for file in WORKFLOWS for line in file.read_text(encoding="utf-8").splitlines()]
    lines = [line for line in lines if "uses:" in line]
    assert uses and len(lines) == len(uses)
    for line in lines:
        assert re.search(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


def test_an_action_has_one_version():
    pins = {tuple(step["uses"].split("@")) for _, job in jobs() for step in job["steps"] if "uses" in step}
    assert len({action for action, _ in pins}) == len(pins)


def test_no_job_that_runs_the_pull_requests_code_may_write():
    writing = {}
    for name, job in jobs():
        rights = job.get("permissions", {"contents": "read"})
        if "write" in rights.values():
            writing[name] = "\n".join(step.get("run", "") for step in job["steps"])
    assert writing.keys() == {"gate/comment"}
    assert not re.search(r"\b(make|python|dvc|pip)\b", writing["gate/comment"])


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory) -> Path:
    """A DVC repository with one stage, the name of a remote, and `make data` that says it was called.

    Not to be changed.
    """
    folder = tmp_path_factory.mktemp("pipeline") / "repository"
    folder.mkdir()
    shell("git init -q && git config user.name sabi && git config user.email sabi@example.org", folder)
    (folder / "Makefile").write_text("data:\n\techo DRAWN; echo rust > raw\ngate:\n\texit $(EXIT)\n")
    stage = {"cmd": "echo COMPUTED; cat raw raw > out; wc raw > metric", "deps": ["raw"], "outs": ["out"]}
    stage["metrics"] = [{"metric": {"cache": False}}]
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"only": stage}}))
    (folder / ".gitignore").write_text("/raw\n/gate.md\n")
    (folder / "metrics").mkdir()
    (folder / "metrics/one.json").write_text("{}")
    shell("dvc init -q && make data && dvc add -q raw && dvc repro -q", folder)
    commit(folder, "run")
    return folder


FETCH = "Fetch what the remote has, run the rest"
COMPARE = "Compare the bits with those of the commit"
SUMMARY = "Write the summary, whatever failed"


@pytest.mark.slow
def test_without_a_remote_the_sample_is_drawn_and_all_is_run(pipeline, tmp_path):
    shell(f"git clone -q '{pipeline}' clone", tmp_path)
    log = run_step(FETCH, tmp_path / "clone")
    assert "DRAWN" in log and "COMPUTED" in log
    assert run_step(COMPARE, tmp_path / "clone") == ""


@pytest.mark.slow
def test_with_a_remote_all_is_fetched_and_nothing_run(pipeline, tmp_path):
    shell(f"git clone -q '{pipeline}' clone", tmp_path)
    clone = tmp_path / "clone"
    shell(f"dvc remote add -q -d team '{tmp_path}/remote' && cp .dvc/config ../config", clone)
    shell(f"cp ../config .dvc/config && ln -s '{pipeline}/.dvc/cache' .dvc/cache && dvc push -q", clone)
    (clone / ".dvc/cache").unlink()
    log = run_step(FETCH, clone)
    assert "DRAWN" not in log and "COMPUTED" not in log
    assert (clone / "out").read_text() == "rust\nrust\n"


@pytest.mark.slow
def test_a_remote_that_cannot_be_read_is_not_taken_for_none(pipeline, tmp_path):
    shell(f"git clone -q '{pipeline}' clone", tmp_path)
    (tmp_path / "clone/.dvc/config").write_text("[core\n")
    assert "DRAWN" not in run_step(FETCH, tmp_path / "clone", fails=True)


@pytest.mark.slow
@pytest.mark.parametrize("file", ["dvc.lock", "metrics/one.json"])
def test_other_bits_than_the_commits_are_refused_in_words(pipeline, tmp_path, file):
    shell(f"git clone -q '{pipeline}' clone", tmp_path)
    clone, summary = tmp_path / "clone", tmp_path / "summary.md"
    with (clone / file).open("a") as stream:
        stream.write(" ")
    assert file in run_step(COMPARE, clone, fails=True)
    run_step(SUMMARY, clone, GITHUB_STEP_SUMMARY=str(summary))
    assert "**Cannot be judged:** what this commit makes here differs" in summary.read_text()


@pytest.mark.slow
@pytest.mark.parametrize(("code", "fails"), [("0", False), ("1", True), ("2", True)])
def test_the_gates_step_fails_with_the_gate(pipeline, code, fails):
    run_step("Gate", pipeline, fails, BASE="origin/main", EXIT=code)


@pytest.mark.parametrize("table", ["| metric |\n", None])
def test_the_summary_has_the_table_or_says_that_nothing_was_judged(tmp_path, table):
    folder, summary = tmp_path / "folder", tmp_path / "summary.md"
    folder.mkdir()
    if table:
        (folder / "gate.md").write_text(table)
    run_step(SUMMARY, folder, GITHUB_STEP_SUMMARY=str(summary))
    assert summary.read_text() == (table or "**Cannot be judged:** a step failed; its log says why\n")


@pytest.mark.slow
def test_figures_of_both_revisions_are_drawn(tiny, tmp_path):
    shell(f"git clone -q '{tiny}' clone", tmp_path)
    clone = tmp_path / "clone"
    run_step("Draw the figures of both revisions", clone, BASE="HEAD")
    pictures = sorted(clone.glob("*.png"))
    assert [picture.name for picture in pictures] == ["Confusion_on_test.png", "Score_against_true_grade.png"]
    for picture in pictures:
        assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_comment_on_the_pull_request_is_the_table(tmp_path):
    """`gh` needs GitHub and is a stand-in here, which prints its arguments and the comment."""
    (tmp_path / "folder/judged").mkdir(parents=True)
    (tmp_path / "folder/judged/gate.md").write_text("| metric |\n")
    gh = tmp_path / "gh"
    gh.write_text('#!/bin/sh\necho "$*"\nfor last; do :; done\ncat "$last"\n')
    gh.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "PULL_REQUEST": "7", "GITHUB_REPOSITORY": "ann/sabi"}
    assert run_step("Comment, or renew the comment", tmp_path / "folder", **environment) == (
        "pr comment 7 --repo ann/sabi --edit-last --create-if-none --body-file judged/gate.md\n| metric |\n"
    )


def test_the_weekly_run_starts_by_the_clock_and_has_a_whole_run_behind_it():
    workflow = load(ROOT / ".github/workflows/verify.yml")
    # YAML 1.1 reads the key `on` as true.
    ((minute, hour, day, month, weekday),) = [entry["cron"].split() for entry in workflow[True]["schedule"]]
    assert minute.isdecimal() and hour.isdecimal() and (day, month) == ("*", "*") and weekday.isdecimal()
    assert "make verify" in [step.get("run") for step in workflow["jobs"]["verify"]["steps"]]


@pytest.mark.slow
def test_the_weekly_run_fetches_nothing_but_photographs(pipeline, tmp_path):
    shell(f"git clone -q '{pipeline}' clone", tmp_path)
    clone, step = tmp_path / "clone", "Fetch the photographs, if there is a remote"
    assert run_step(step, clone, workflow="verify") == ""
    called = tmp_path / "called"
    called.mkdir()
    dvc = called / "dvc"
    dvc.write_text('#!/bin/sh\n[ "$1 $2" = "remote list" ] && echo team\necho "$*" >> log\n')
    dvc.chmod(0o755)
    run_step(step, clone, workflow="verify", PATH=f"{called}:/usr/bin:/bin")
    assert (clone / "log").read_text() == "remote list\npull data/raw.dvc data/unlabelled.dvc\n"


def hooks(folder: Path, arguments: str, fails: bool = False, **environment: str) -> str:
    """What `pre-commit run` prints of the files staged in `folder`."""
    venv = folder / ".venv"
    if not venv.exists():
        venv.mkdir()
        for part in (ROOT / ".venv").iterdir():
            (venv / part.name).symlink_to(part)
    shell("git add -A", folder)
    environment["PRE_COMMIT_HOME"] = str(folder.parent / "pre-commit")
    return shell(f"pre-commit run {arguments}", folder, fails, **environment)


@pytest.fixture
def project(tmp_path) -> Path:
    return copy_project(tmp_path / "project")


def test_no_file_of_the_project_is_too_large_or_has_conflict_markers(project):
    log = hooks(project, "--all-files", SKIP="dvc-lock,ruff-check,ruff-format")
    assert log.count("Passed") == 2 and log.count("Skipped") == 3


@pytest.mark.parametrize(
    ("hook", "name", "content", "said"),
    [
        ("ruff-check", "sabi/planted.py", "import os\n", "F401"),
        ("ruff-format", "sabi/planted.py", "x = [1,2]\n", "files were modified by this hook"),
        ("large-files", "planted.jpg", "0" * 513_000, "planted.jpg (501 KB) exceeds 500 KB"),
        ("merge-conflict", "README.md", "<<<<<<< a\n=======\n>>>>>>> b\n", "Merge conflict string"),
    ],
)
def test_a_planted_fault_stops_the_commit(project, hook, name, content, said):
    (project / name).write_text(content)
    log = hooks(project, hook, fails=True)
    assert "Failed" in log and said in log


@pytest.mark.slow
def test_a_lock_out_of_step_stops_the_commit(tiny, tmp_path):
    shell(f"git clone -q '{tiny}' clone", tmp_path)
    clone = tmp_path / "clone"
    assert "Passed" in hooks(clone, "dvc-lock")
    change_params(clone, {"ensemble": {"method": "median"}})
    assert "ensemble" in hooks(clone, "dvc-lock", fails=True)
