"""What `sabi verify` compares and copies; the whole of it runs elsewhere."""

import copy
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sabi.review.verify import copy_backwards, first_difference, in_order
from tests.conftest import ROOT, commit, shell

STAGES = ["split", "augment", "train_mobilenet", "report"]


def lock() -> dict:
    """A parsed dvc.lock in which each stage needs what the one before it made."""
    stages = {}
    for before, stage in zip([None, *STAGES], STAGES, strict=False):
        stages[stage] = {
            "cmd": f"python -m stages.{stage}",
            "deps": [{"path": f"data/{before}", "hash": "md5", "md5": "0a", "size": 3}] if before else [],
            "params": {"params.yaml": {stage: {"seed": 1}}},
            "outs": [
                {"path": f"{where}/{stage}", "hash": "md5", "md5": "0a"} for where in ("data", "metrics")
            ],
        }
    return {"schema": "2.0", "stages": stages}


def test_equal_locks_do_not_differ():
    assert first_difference(lock(), lock()) is None


@given(st.sets(st.tuples(st.sampled_from(STAGES), st.sampled_from(["data", "metrics"])), min_size=1))
def test_the_first_changed_stage_in_the_pipelines_order_and_its_path_are_named(changed):
    rerun = lock()
    for stage, where in changed:
        for item in rerun["stages"][stage]["outs"]:
            if item["path"] == f"{where}/{stage}":
                item["md5"] = "ff"
    first, where = min(changed, key=lambda change: (STAGES.index(change[0]), change[1]))
    expected = f"{first}: {where}/{first} differs (commit: 0a, again: ff)"
    assert first_difference(lock(), rerun) == expected


@pytest.mark.parametrize("shorter", ["committed", "rerun"])
def test_an_output_that_only_one_lock_has_is_a_difference(shorter):
    locks = {"committed": lock(), "rerun": lock()}
    locks[shorter]["stages"]["augment"]["outs"].pop()
    assert first_difference(**locks).startswith("augment: metrics/augment differs")


def test_another_dependency_is_a_difference():
    rerun = lock()
    rerun["stages"]["augment"]["deps"][0]["md5"] = "ff"
    assert first_difference(lock(), rerun) == "augment: data/split differs (commit: 0a, again: ff)"


@pytest.mark.parametrize(
    "change", [{"params": {"params.yaml": {"augment": {"seed": 2}}}}, {"cmd": "python -m stages.other"}]
)
def test_another_parameter_or_command_is_a_difference(change):
    rerun = lock()
    rerun["stages"]["augment"] |= change
    assert first_difference(lock(), rerun).startswith("augment: its command or parameters differ")


def test_a_stage_that_did_not_run_and_one_that_was_not_committed_are_differences():
    shorter = lock()
    del shorter["stages"]["augment"]
    assert first_difference(lock(), shorter) == "augment: did not run"
    assert first_difference(shorter, lock()) == "augment: not in the commit's dvc.lock"


@given(st.permutations(STAGES))
def test_in_order_sorts_stages_as_the_pipeline_does_and_changes_nothing_else(written):
    shuffled = lock()
    shuffled["stages"] = {stage: shuffled["stages"][stage] for stage in written}
    before = copy.deepcopy(shuffled)
    ordered = in_order(shuffled, [*STAGES[:2], "a stage without an entry", *STAGES[2:]])
    assert list(ordered["stages"]) == STAGES
    assert ordered == lock()
    assert list(shuffled["stages"]) == list(before["stages"])


names = st.text("ab錆 -.", min_size=1, max_size=6).filter(lambda name: name.strip("."))
trees = st.recursive(st.binary(max_size=40), lambda inner: st.dictionaries(names, inner, max_size=4))


def plant(tree: dict, folder) -> dict:
    """Make the files of `tree`, return them by relative path."""
    made = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            (folder / name).mkdir()
            made |= {f"{name}/{path}": content for path, content in plant(value, folder / name).items()}
        else:
            (folder / name).write_bytes(value)
            made[name] = value
    return made


@given(tree=st.dictionaries(names, trees, max_size=4))
def test_every_byte_of_every_file_is_copied(tree, tmp_path_factory):
    folder = tmp_path_factory.mktemp("copy")
    (folder / "source").mkdir()
    made = plant(tree, folder / "source")
    target = folder / "deep/target"
    copy_backwards(folder / "source", target)
    files = [path for path in target.rglob("*") if path.is_file()]
    assert {path.relative_to(target).as_posix(): path.read_bytes() for path in files} == made


@pytest.mark.parametrize("prepare", ["none", "no commit", "no lock"])
def test_outside_a_commit_of_the_pipeline_verify_tells_so_in_one_line(prepare, tmp_path):
    if prepare != "none":
        shell("git init -q && git config user.name sabi && git config user.email sabi@example.org", tmp_path)
    if prepare == "no lock":
        (tmp_path / "file").write_text("")
        commit(tmp_path, "first")
    said = shell(f"PYTHONPATH={ROOT} {sys.executable} -m sabi.cli verify", tmp_path, fails=True)
    assert said.startswith("error: git ")
    assert said.count("\n") == 1
