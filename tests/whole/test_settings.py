"""What a change of settings does, in the real git and DVC repository of `test_pipeline`."""

import json
import re
import shutil
import subprocess
import time

import numpy as np
import psutil
import pytest

from sabi.tables import read_table
from tests.conftest import change_params, command_environment, run_stages, shell
from tests.whole.test_pipeline import MEMBERS, lock, metrics, mlflow_runs, stages_run

pytestmark = pytest.mark.slow


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
    assert not (copy / "data/networks/cnn1").exists() and not (copy / "metrics/train/cnn1.json").exists()
    assert (copy / "dvc.lock").read_bytes() == bytes_before


def test_a_fine_tuning_that_was_killed_goes_on(copy):
    """To the same bits, as `test_loop` shows."""
    change_params(copy, {"train": {"mode": "fine_tune", "fine_tune": {"epochs": 5, "learning_rate": 0.001}}})
    command = "dvc repro --single-item --no-run-cache train_mobilenet"
    process = subprocess.Popen(command.split(), cwd=copy, env=command_environment())

    def epochs_done() -> int:
        states = list((copy / "checkpoints").glob("*/state"))
        return json.loads(states[0].read_text().splitlines()[1])["last"] if states else 0

    while process.poll() is None and epochs_done() < 2:
        time.sleep(0.05)
    for stage in psutil.Process(process.pid).children(recursive=True):
        stage.kill()
    assert process.wait() != 0, "ended before it could be killed"
    assert "continuing after epoch" in shell(command, copy)
    assert not list((copy / "checkpoints").iterdir())  # nothing left of it
    assert (copy / "data/networks/mobilenet/backbone.weights.h5").exists()
    run_stages(copy, "binning")  # grades with the weights saved


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
    changes = {"labels": labels, "scale": scale, "train": {"measured": True}, "report": {"why": 1}}
    change_params(copy, changes)
    log = run_stages(copy)
    manifest = read_table(copy / "data/split/manifest.csv")
    assert set(manifest.grade) == {"defect", "good"} and set(manifest.mm_per_pixel) == {0.2, 0.25}
    assert len(manifest) == len(lines) - 1
    without_row = read_table(copy / "data/split/rejected.csv")
    assert len(without_row) + len(manifest) == 77 and "labels.csv" not in set(without_row.path)
    assert set(read_table(copy / "data/grades/grades.csv").grade) <= {"defect", "good"}
    assert (copy / "data/grades/unlabelled/scoregood").is_dir()
    assert list(metrics(copy)["recall"]) == ["defect", "good"], log
    assert metrics(copy)["accuracy"] > 0.6
    assert "defect" in (copy / "report.html").read_text()
    explained = read_table(copy / "data/grades/why/photographs.csv")
    judged = read_table(copy / "metrics/predictions.csv")
    assert len(explained) == min(1, (judged.actual != judged.predicted).sum())


def test_the_wikis_settings_run_as_a_queued_experiment(copy):
    """Dense head, dropped labels, fixed thresholds, in DVC's copy of the repository.

    Of one network, and not its last block, for which it would be built again.
    """
    wiki = (
        "-S train.head=dense -S train.epochs=3 -S train.dense.units=[64] "
        "-S split.soft_score.outside=drop -S binning.method=fixed "
        "-S standard=false -S candidates=[vgg16] -S ensemble.members=[vgg16]"
    )
    before = (copy / "dvc.lock").read_bytes()
    log = shell(f"dvc exp run --temp -n wiki {wiki}", copy)
    assert (copy / "dvc.lock").read_bytes() == before  # the workspace is left alone
    shown = json.loads(shell("dvc exp show --json --no-pager", copy))
    assert "wiki" in json.dumps(shown)
    runs = mlflow_runs(copy)
    assert runs[-1] == ("result", "wiki", "FINISHED")
    assert [name for kind, name, _ in runs[4:] if kind == "training"] == ["train vgg16"]
    shell("dvc exp apply wiki", copy)
    curve = read_table(copy / "data/networks/vgg16/curve.csv")
    assert curve.step.tolist() == [0, 1, 2, 3], log  # 0 is the head before its first epoch
    thresholds = json.loads((copy / "data/grades/thresholds.json").read_text())
    assert thresholds["ensemble"] == [2.3, 3.1, 3.4, 3.7]
    rejected = read_table(copy / "data/split/rejected.csv")
    dropped = rejected[rejected.reason.str.contains("soft score outside")]
    assert len(dropped) == len(rejected) - 2 > 0
    assert set(dropped.path.str[0]) == {"1", "5"}


def test_an_ensemble_of_a_candidate_alone_trains_nothing_else(copy):
    change_params(copy, {"standard": False, "candidates": ["cnn1"], "ensemble": {"members": ["cnn1"]}})
    shutil.rmtree(copy / "data/networks")  # as DVC does before it runs a stage
    trainings = [f"train {name}" for name in (*MEMBERS, "cnn1")]
    said = run_stages(copy, *trainings, "ensemble", "binning", "evaluate")
    for name in MEMBERS:
        assert f"{name}: not trained (standard: false)" in said
        assert not list((copy / "data/networks" / name).iterdir())
        assert json.loads((copy / f"metrics/train/{name}.json").read_text()) == {}
    assert json.loads((copy / "data/ensemble/ensemble.json").read_text())["weights"] == {"cnn1": 1.0}
    assert set(json.loads((copy / "metrics/members.json").read_text())) == {"cnn1"}


def test_another_side_gives_other_photographs_also_by_way_of_the_run_cache(copy):
    """DVC's key of a run overlooks what is called size in a section."""
    before = (copy / "dvc.lock").read_bytes()
    for side in (64, 32):
        change_params(copy, {"augment": {"size": side}})
        shell("dvc repro augment", copy)
        assert np.load(copy / "data/augment/train.npy", mmap_mode="r").shape[2:4] == (side, side)
    assert (copy / "dvc.lock").read_bytes() == before
    change_params(copy, {"augment": {"size": 64}})
    told = shell("python -m stages.train mobilenet", copy, fails=True)
    assert (
        "augment.size = 64: data/augment holds photographs of 32 pixels; run `dvc repro --force aug" in told
    )
