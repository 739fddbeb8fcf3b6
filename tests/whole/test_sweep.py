"""A change and its judgement, whole: a sweep of sets, their comparison, the gate in its three moods."""

import json
import shutil
import time

import pytest
from mlflow import MlflowClient

from sabi.grades import Grades
from sabi.tables import read_graded, read_json, read_table
from tests.conftest import change_params, commit, run_stages, shell

pytestmark = pytest.mark.slow
SETS = ("mobilenet", "efficientnet,densenet")


@pytest.fixture(scope="module")
def swept(tiny, tmp_path_factory):
    """The repository that has run once, then a sweep of two sets at once, one more that fails."""
    folder = shutil.copytree(tiny, tmp_path_factory.mktemp("story") / "repository", symlinks=True)
    lists = ",".join(f"[{members}]" for members in SETS)
    shell("dvc exp run --queue -n unheard-of -S 'ensemble.members=[unheard_of]'", folder)
    shell(f"dvc exp run --queue -S 'ensemble.members={lists}'", folder)
    # Its workers hold what they inherit open.
    shell("dvc queue start --jobs 2 > /dev/null 2>&1", folder)
    until = time.monotonic() + 400
    while time.monotonic() < until and (
        unfinished := [s for s in ("Queued", "Running") if s in shell("dvc queue status", folder)]
    ):
        time.sleep(2)
    assert not unfinished, shell("dvc queue status", folder)
    return folder


def experiments(folder) -> dict[str, dict]:
    """What `dvc exp show` knows of each experiment of HEAD, by name."""
    [baseline] = [
        row for row in json.loads(shell("dvc exp show --json", folder)) if row["rev"] != "workspace"
    ]
    return {entry["name"]: entry["revs"][0] for entry in baseline["experiments"]}


def test_the_sweep_is_compared_and_recorded_under_the_names_of_its_experiments(swept):
    shown = experiments(swept)
    done = [name for name, revision in shown.items() if not revision["error"]]
    assert len(done) == len(SETS) and set(shown) - set(done) == {"unheard-of"}

    printed = shell("python -m sabi.cli compare", swept)
    rows = read_table(swept / "comparison.csv").set_index("experiment")
    assert set(rows.index) == {"the commit itself", *done}
    assert {tuple(members.split(" ")) for members in rows.members} == {
        ("efficientnet", "densenet", "mobilenet"),
        *(tuple(members.split(",")) for members in SETS),
    }
    assert (rows.seconds > 0).all() and (rows.parameters > 5e5).all()
    assert (
        rows.accuracy_verdict.iloc[1:].str.match("better|worse|no difference|cannot tell with 1[0-9] ").all()
    )
    assert rows.validation_rmse.is_monotonic_increasing
    # The report says the same of the commit, also where all were graded right.
    bounds = read_json(swept / "data/evaluate/intervals.json")["ensemble"]
    of_commit = rows.loc["the commit itself"]
    for name in ("accuracy", "kappa", "mae", "sensitivity"):
        assert [of_commit[f"{name}_low"], of_commit[f"{name}_high"]] == pytest.approx(bounds[name], abs=1e-6)
    failed = next(line for line in printed.splitlines() if line.startswith("- unheard-of"))
    assert "unknown member 'unheard_of'" in failed
    assert (swept / "comparison.png").stat().st_size > 5000
    assert (swept / "comparison.md").read_text() in printed

    client = MlflowClient(f"sqlite:///{swept / 'mlflow.db'}")
    places = [experiment.experiment_id for experiment in client.search_experiments()]  # one a folder
    recorded = {run.info.run_name: run for run in client.search_runs(places)}
    for name in done:
        assert recorded[name].info.status == "FINISHED"
        assert recorded[name].data.metrics["accuracy"] == pytest.approx(rows.accuracy[name], abs=1e-6)
        assert recorded[name].data.metrics["parameters"] == rows.parameters[name]
    assert recorded["unheard-of"].info.status == "FAILED"
    assert "unheard_of" in recorded["unheard-of"].data.tags["sabi.error"]


def test_the_gate_passes_forbids_and_says_when_it_cannot_tell(tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "repository", symlinks=True)
    base = shell("git rev-parse HEAD", folder).strip()

    def changed(
        changes: dict, fails: bool, stages: tuple[str, ...] = ("binning", "evaluate", "report")
    ) -> str:
        shell(f"git checkout -q {base} -- .", folder)
        change_params(folder, changes)
        run_stages(folder, *stages)
        shell("dvc commit --quiet --force", folder)
        commit(folder, "change")
        printed = shell(f"python -m sabi.cli gate {base}", folder, fails=fails)
        assert (folder / "gate.md").read_text() in printed
        return printed

    # Nothing that the figures depend on.
    assert "no difference" in changed({"report": {"worst": 3}}, False, ("report",))

    # One photograph that was right is wrong: a threshold goes just past its score, and past no other.
    judged = read_graded(folder / "metrics/predictions.csv", Grades(tuple("12345"), 3))
    thresholds = read_json(folder / "data/grades/thresholds.json")["ensemble"]
    moved = []
    for border in range(1, 5):  # between this grade and the next
        below = judged[judged.predicted == border].sort_values("score")
        above = judged[judged.predicted == border + 1].sort_values("score")
        moved += [(row, border, -1e-6) for _, row in below.iloc[-1:].iterrows()]
        moved += [(row, border, 1e-6) for _, row in above.iloc[:1].iterrows()]
    row, border, step = next(
        one for one in moved if one[0].actual == one[0].predicted and 1.01 < one[0].score < 4.99
    )
    assert (judged.score == row.score).sum() == 1
    # A score on a threshold is of the grade above it.
    thresholds[border - 1] = float(row.score) + step
    tiny_drop = {"binning": {"method": "fixed", "thresholds": thresholds}}
    printed = changed(tiny_drop, fails=False)
    [accuracy] = [line for line in printed.splitlines() if line.startswith("| accuracy")]
    assert f"cannot tell with {len(judged)} photographs" in accuracy

    # Everything is called sound.
    planted = {"binning": {"method": "fixed", "thresholds": [1.01, 1.02, 1.03, 1.04]}}
    printed = changed(planted, fails=True)
    [sensitivity] = [line for line in printed.splitlines() if line.startswith("| sensitivity")]
    assert "worse" in sensitivity and "broken" in sensitivity
    [accuracy] = [line for line in printed.splitlines() if line.startswith("| accuracy")]
    assert "worse" in accuracy
