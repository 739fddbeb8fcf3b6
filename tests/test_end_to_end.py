"""The whole pipeline in a real git and DVC repository, on tiny drawings: what a laboratory does with it."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import time
from pathlib import Path

import psutil
import pytest
import yaml

from sabi.handover import read_table
from sabi.sample import differs_from_tracked
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


@pytest.fixture
def copy(tiny, tmp_path):
    """A copy of the repository that has run, to change."""
    return shutil.copytree(tiny, tmp_path / "copy", symlinks=True)


def test_a_run_leaves_what_a_laboratory_needs(tiny):
    assert stages_run((tiny / "first_run.log").read_text()) == list(lock(tiny))
    manifest = read_table(tiny / "data/split/manifest.csv")
    assert len(manifest) == 75 and set(manifest.grade) == {1, 2, 3, 4, 5}
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
    assert not re.search(r"(src|href)=[\"'](?!data:)", page)  # nothing is fetched from elsewhere
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


def test_another_clone_gives_the_same_bits(tiny):
    """`make verify`: other folder, threads, hash seed, locale, time zone, umask, order of files."""
    log = shell("python -m sabi.verify", tiny)
    assert "is reproduced: all 9 stages gave the same bytes" in log


@pytest.mark.parametrize(("member", "threads"), [("efficientnet", 1), ("densenet", 8)])
def test_the_number_of_threads_changes_no_bit(copy, member, threads):
    """The first run had one thread a core; `make verify`, tested above, has eight."""
    before = lock(copy)[f"train_{member}"]["outs"]
    environment = {"TF_NUM_INTRAOP_THREADS": str(threads)}
    shell(f"dvc repro --force --single-item --no-run-cache train_{member}", copy, **environment)
    assert lock(copy)[f"train_{member}"]["outs"] == before


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


def test_a_candidate_is_one_more_stage_and_leaves_no_trace(copy):
    """The other networks are the very same artefacts, in whatever set they are."""
    before, bytes_before, figures = lock(copy), (copy / "dvc.lock").read_bytes(), metrics(copy)
    options = "-S 'candidates=[cnn1]' -S 'ensemble.members=[cnn1,densenet]' -S ensemble.method=weighted"
    log = shell(f"dvc exp run {options}", copy)
    assert stages_run(log) == ["train@cnn1", "ensemble", "binning", "evaluate", "report"]
    for stage in ("train_densenet", "train_efficientnet", "train_mobilenet"):
        assert lock(copy)[stage] == before[stage]
    assert set(json.loads((copy / "metrics/members.json").read_text())) == {*MEMBERS, "cnn1"}
    assert metrics(copy) != figures
    name = re.search(r"Ran experiment\(s\): (\S+)", log).group(1)
    assert mlflow_runs(copy)[-2:] == [("training", "train cnn1", "FINISHED"), ("result", name, "FINISHED")]
    # Back by hand, so that DVC leaves the candidate's folder where it is.
    shell("git checkout --quiet params.yaml dvc.lock metrics", copy)
    shell("dvc repro", copy)
    assert not (copy / "data/members/cnn1").exists() and not (copy / "metrics/train/cnn1.json").exists()
    assert (copy / "dvc.lock").read_bytes() == bytes_before


def test_a_fine_tuning_that_was_killed_goes_on_to_the_same_bits(copy):
    change_params(copy, {"train": {"mode": "fine_tune", "fine_tune": {"epochs": 8, "learning_rate": 0.001}}})
    command = "dvc repro --single-item --no-run-cache train_mobilenet"
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "DVC_", "MLFLOW_"))}
    environment["PATH"] = f"{ROOT / '.venv/bin'}{os.pathsep}{environment['PATH']}"
    process = subprocess.Popen(command.split(), cwd=copy, env=environment)

    def epochs_done() -> int:
        states = list((copy / "checkpoints").glob("*/state.json"))
        return json.loads(states[0].read_text())["last"] if states else 0

    while process.poll() is None and epochs_done() < 2:
        time.sleep(0.05)
    for stage in psutil.Process(process.pid).children(recursive=True):
        stage.kill()
    assert process.wait() != 0, "ended before it could be killed"
    assert "continuing after epoch" in shell(command, copy)
    assert not list((copy / "checkpoints").iterdir())  # nothing left of it
    resumed = lock(copy)["train_mobilenet"]["outs"]
    log = shell(f"{command} --force", copy, TF_NUM_INTRAOP_THREADS="7")
    assert "continuing" not in log and lock(copy)["train_mobilenet"]["outs"] == resumed
    assert (copy / "data/members/mobilenet/backbone.weights.h5").exists()
    shell("dvc repro --single-item --force binning", copy)  # grades with the weights saved


def test_two_named_grades_and_a_scale_from_a_csv(copy):
    """Good and defect; photographs of two scales are brought to one before their middle is cut out."""
    raw = copy / "data/raw"
    lines = ["file,grade,specimen,mm_per_pixel"]
    for number, file in enumerate(sorted(raw.glob("[1-5]_specimen*.jpg"))):
        grade = "defect" if file.name[0] in "12" else "good"
        lines.append(f"{file.name},{grade},beam {number},{0.2 if number % 2 else 0.25}")
    (raw / "labels.csv").write_text("\n".join(lines) + "\n")
    labels = {"source": "csv", "grades": ["defect", "good"], "sound": "good"}
    scale = {"photographs": 0.2, "target": 1.0}
    change_params(copy, {"labels": labels, "scale": scale, "train": {"measured": True}})
    log = shell("dvc repro", copy)
    manifest = read_table(copy / "data/split/manifest.csv")
    assert set(manifest.grade) == {1, 2} and set(manifest.mm_per_pixel) == {0.2, 0.25}
    assert len(manifest) == len(lines) - 1
    without_row = read_table(copy / "data/split/rejected.csv")
    assert len(without_row) + len(manifest) == 77 and "labels.csv" not in set(without_row.path)
    assert set(read_table(copy / "data/grades/grades.csv").grade) <= {1, 2}
    assert (copy / "data/grades/unlabelled/scoregood").is_dir()
    assert list(metrics(copy)["recall"]) == ["defect", "good"], log
    assert metrics(copy)["accuracy"] > 0.6
    assert "defect" in (copy / "report.html").read_text()


def test_the_wikis_settings_run_as_a_queued_experiment(copy):
    """Dense head, last block, dropped labels, fixed thresholds, in DVC's copy of the repository."""
    wiki = (
        "-S train.head=dense -S train.epochs=3 -S train.pooling.layers=last_block "
        "-S train.pooling.statistics=mean -S split.soft_score.outside=drop -S binning.method=fixed "
        "-S ensemble.members=[mobilenet]"
    )
    before = (copy / "dvc.lock").read_bytes()
    log = shell(f"dvc exp run --temp -n wiki {wiki}", copy)
    assert (copy / "dvc.lock").read_bytes() == before  # the workspace is left alone
    shown = json.loads(shell("dvc exp show --json --no-pager", copy))
    assert "wiki" in json.dumps(shown)
    runs = mlflow_runs(copy)
    assert runs[-1] == ("result", "wiki", "FINISHED")
    assert [name for kind, name, _ in runs[4:] if kind == "training"] == [f"train {m}" for m in MEMBERS]
    shell("dvc exp apply wiki", copy)
    curve = read_table(copy / "data/members/mobilenet/curve.csv")
    assert curve.step.tolist() == [0, 1, 2, 3], log  # 0 is the head before its first epoch
    thresholds = json.loads((copy / "data/grades/thresholds.json").read_text())
    assert thresholds["ensemble"] == [2.3, 3.1, 3.4, 3.7]
    rejected = read_table(copy / "data/split/rejected.csv")
    dropped = rejected[rejected.reason.str.contains("soft score outside")]
    assert len(dropped) == len(rejected) - 2 > 0
    assert set(dropped.path.str[0]) == {"1", "5"}


def test_dvcs_own_commands_know_the_pipeline(copy):
    for stage in lock(copy):
        assert stage in shell("dvc dag", copy)
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
