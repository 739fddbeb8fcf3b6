"""The whole pipeline in a real git and DVC repository, on tiny drawings: what a laboratory does with it."""

import json
import os
import re
import shutil
import sqlite3
from pathlib import Path

import pytest
import yaml

from sabi.photographs.drawings import differs_from_tracked
from sabi.tables import read_table
from tests.conftest import ODD_NAMES, ROOT, change_params, shell

pytestmark = pytest.mark.slow
MEMBERS = ("efficientnet", "densenet", "mobilenet")


def lock(folder) -> dict:
    return yaml.safe_load((folder / "dvc.lock").read_text())["stages"]


def metrics(folder, who="ensemble") -> dict:
    if who == "ensemble":
        return json.loads((folder / "metrics/ensemble.json").read_text())
    return json.loads((folder / "metrics/members.json").read_text())[who]


def mlflow_runs(folder) -> list[tuple[str, str, str]]:
    """(kind, name, status) of every run in the repository's local store, oldest first."""
    with sqlite3.connect(folder / "mlflow.db") as store:
        return store.execute(
            "select t.value, r.name, r.status from runs r join tags t on t.run_uuid = r.run_uuid "
            "where t.key = 'sabi.kind' order by r.start_time"
        ).fetchall()


def stages_run(log: str) -> list[str]:
    return re.findall(r"Running stage '([\w@]+)'", log)


def test_a_run_leaves_what_a_laboratory_needs(tiny):
    manifest = read_table(tiny / "data/split/manifest.csv")
    assert len(manifest) == 75 and set(manifest.grade) == set("12345")
    for name in ODD_NAMES:
        assert manifest.path.str.endswith(f"_{name}.jpg").sum() == 1
    grades = read_table(tiny / "data/grades/grades.csv")
    assert sorted(grades.path) == sorted(manifest.path[manifest.partition != "train"])
    sorted_copies = [path.name for path in (tiny / "data/grades/unlabelled").rglob("*.jpg")]
    assert sorted(sorted_copies) == ["drawing01.jpg", "drawing02.jpg", "drawing03.jpg"]
    for who in ("ensemble", *MEMBERS):
        assert metrics(tiny, who)["photographs"] == (manifest.partition == "test").sum()
        assert metrics(tiny, who)["kappa"] > 0.5  # not at chance, even at 32 pixels
    rejected = read_table(tiny / "data/split/rejected.csv")
    assert rejected.path.tolist() == ["2_half.jpg", "<b>notes.txt"]
    page = (tiny / "report.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;notes.txt" in page and "<b>notes" not in page and "<script>" not in page
    assert "These are drawings, not photographs of steel" in page
    assert not re.search(r"(src|href)=[\"'](?!data:|#)", page)  # nothing is fetched from elsewhere
    assert str(tiny) not in page


def test_no_output_holds_a_path_of_the_machine(tiny):
    for stage in lock(tiny).values():
        for out in stage["outs"]:
            path = tiny / out["path"]
            for file in [path] if path.is_file() else path.rglob("*"):
                assert file.is_dir() or os.fsencode(tiny) not in file.read_bytes(), file


def test_every_training_and_the_result_are_in_mlflow(tiny):
    runs = mlflow_runs(tiny)
    trainings = [("training", f"train {member}", "FINISHED") for member in MEMBERS]
    assert runs == [*trainings, ("result", "dvc repro", "FINISHED")]


def test_a_second_run_runs_only_the_report_and_adds_no_record(copy):
    before = (copy / "dvc.lock").read_bytes()
    log = shell("dvc repro", copy)
    assert stages_run(log) == ["report"]
    assert "this result is in MLflow already" in log
    assert (copy / "dvc.lock").read_bytes() == before
    assert mlflow_runs(copy) == mlflow_runs(copy.parent / "copy")
    assert len(mlflow_runs(copy)) == 4


def test_a_result_restored_from_the_cache_is_recorded_all_the_same(copy):
    (copy / "mlflow.db").unlink()
    for stage in lock(copy).values():  # as in a fresh clone that shares the cache
        for out in stage["outs"]:
            if not out["path"].startswith("metrics/"):
                shell(f"rm -r '{out['path']}'", copy)
    log = shell("dvc repro", copy)
    assert stages_run(log) == ["report"], log
    assert mlflow_runs(copy) == [("result", "dvc repro", "FINISHED")]


def test_the_page_is_written_also_where_mlflow_cannot_be_used(copy):
    page = copy / "report.html"
    before = page.read_bytes()
    page.unlink()
    uri = f"sqlite:///{copy}/no/such/folder/mlflow.db"
    log = shell("python -m stages.report", copy, fails=True, MLFLOW_TRACKING_URI=uri)
    assert uri in log and "Traceback" not in log
    assert page.read_bytes() == before


def test_another_clone_gives_the_same_bits(tiny):
    """`make verify`: other folder, threads, hash seed, locale, time zone, umask, order of files."""
    log = shell("python -m sabi.cli verify", tiny)
    assert "is reproduced: all 9 stages gave the same bytes" in log
    assert sorted(stages_run(log)) == sorted(lock(tiny)) and len(lock(tiny)) == 9


def test_the_number_of_threads_changes_no_bit(copy):
    """The first run had one thread a core; `make verify`, tested above, has eight, for every network."""
    before = lock(copy)["train_mobilenet"]["outs"]
    (copy / "embeddings.db").unlink()
    command = "dvc repro --force --single-item --no-run-cache train_mobilenet"
    shell(command, copy, TF_NUM_INTRAOP_THREADS="3")
    assert lock(copy)["train_mobilenet"]["outs"] == before


def test_a_photograph_added_and_removed_leaves_no_trace(copy):
    before = (copy / "dvc.lock").read_bytes()
    moved = read_table(copy / "data/split/manifest.csv").set_index("path").partition
    extra = copy / "data/raw" / "3_specimen900-1.jpg"
    shutil.copy(copy / "data/unlabelled/drawing02.jpg", extra)
    shell("dvc repro --no-run-cache augment", copy)
    manifest = read_table(copy / "data/split/manifest.csv").set_index("path").partition
    assert len(manifest) == len(moved) + 1
    assert manifest.drop(extra.name).equals(moved)
    extra.unlink()
    shell("dvc repro --no-run-cache augment", copy)
    shell("dvc repro", copy)
    assert (copy / "dvc.lock").read_bytes() == before


def test_a_fresh_clone_tells_whether_drawings_are_the_tracked_ones(tiny, tmp_path, monkeypatch):
    """DVC's cache is empty there, which is not the same as other photographs."""
    shell(f"git clone --quiet {tiny} clone", tmp_path)
    clone = tmp_path / "clone"
    shutil.copytree(tiny / "data/unlabelled", clone / "data/unlabelled")
    monkeypatch.chdir(clone)
    monkeypatch.setenv("PATH", f"{ROOT / '.venv/bin'}{os.pathsep}{os.environ['PATH']}")
    assert not differs_from_tracked(Path("data/unlabelled"))
    shutil.copy(clone / "data/unlabelled/drawing01.jpg", clone / "data/unlabelled/drawing09.jpg")
    assert differs_from_tracked(Path("data/unlabelled"))


def test_dvcs_own_commands_know_the_pipeline(copy):
    graph = shell("dvc dag", copy)
    assert all(stage in graph for stage in lock(copy))
    assert "metrics/ensemble.json" in shell("dvc metrics show", copy)
    change_params(copy, {"ensemble": {"method": "median"}})
    assert "ensemble.method" in shell("dvc params diff", copy)
    shell("dvc plots show", copy)
    page = (copy / "dvc_plots/index.html").read_text()
    assert all(title in page for title in ("Confusion on test", "Learning curves", "copies.png"))


def test_a_mistake_in_the_last_parameter_stops_before_the_first_stage(copy):
    change_params(copy, {"augment": {"copies": 2}, "ensemble": {"members": ["densnet"]}})
    log = shell("dvc repro", copy, fails=True)
    assert stages_run(log) == ["augment"]
    errors = [line for line in log.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "unknown member 'densnet'; allowed: efficientnet, densenet, mobilenet" in errors[0]
