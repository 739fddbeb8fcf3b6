"""Experiments side by side: folds pooled, the best chosen on validation, the rest compared with it."""

import numpy as np
import pandas as pd
import pytest

from sabi.review import compare, results
from sabi.review.compare import COMMITTED, Entry, entries, markdown, table
from sabi.review.results import Result
from sabi.runtime.errors import InputError
from sabi.tables import read_table
from tests.conftest import commit, shell
from tests.review.test_results import PARAMS, predictions, write_result


@pytest.fixture(autouse=True)
def no_trainings(monkeypatch):
    """Of results made here no training is recorded and no model is in DVC's cache."""

    def missing(result):
        raise InputError("not in the cache")

    monkeypatch.setattr(results, "models", missing)


def result(seed: int, right: float, rmse: float, split=None, settings=None, photographs=range(120)) -> Result:
    changed = PARAMS | {"split": PARAMS["split"] | (split or {})} | (settings or {})
    graded = predictions(seed, right, photographs)
    return Result(str(seed), changed, {}, {"ensemble": {"mae": rmse, "rmse": rmse}}, graded)


def test_the_best_is_chosen_on_validation_and_the_others_are_told_from_it():
    found = {
        COMMITTED: result(1, 0.85, rmse=0.40),
        "lucky on test": result(
            2, 0.95, rmse=0.50, settings={"binning": PARAMS["binning"] | {"method": "fixed"}}
        ),
        "bad": result(3, 0.40, rmse=0.60, settings={"ensemble": {"members": ["densenet"]}}),
    }
    lines = entries(found)
    rows = table(lines, lines[0], PARAMS).set_index("experiment")
    assert list(rows.index) == [COMMITTED, "lucky on test", "bad"]
    assert rows.accuracy["lucky on test"] > rows.accuracy[COMMITTED]
    assert rows.accuracy_verdict["bad"] == rows.mae_verdict["bad"] == "worse"
    assert rows.mcnemar_p["bad"] < 0.001 and rows.accuracy_rise["bad"] < -0.3
    assert rows.settings["lucky on test"] == "binning.method=fixed" and rows.settings[COMMITTED] == ""
    assert rows.members["bad"] == "densenet" and rows.settings["bad"] == ""
    for name in compare.SHOWN:
        assert (rows[f"{name}_low"] <= rows[name]).all() and (rows[name] <= rows[f"{name}_high"]).all()


def test_folds_of_a_cross_validation_are_one_line_with_every_photograph_once():
    fold = [np.arange(120)[np.arange(120) % 3 == k] for k in range(3)]
    found = {COMMITTED: result(1, 0.9, rmse=0.1)}
    for k in range(3):
        split = {"folds": 3, "fold": k}
        found[f"a{k}"] = result(10 + k, 0.8, rmse=0.3 + k / 10, split=split, photographs=fold[k])
        if k < 2:
            other = {"ensemble": {"members": ["mobilenet"]}}
            found[f"b{k}"] = result(20 + k, 0.8, 0.5, split=split, settings=other, photographs=fold[k])
    lines = {entry.name: entry for entry in entries(found)}
    assert list(lines) == [COMMITTED, "a0 (3 of 3 folds)", "b0 (2 of 3 folds)"]
    whole = lines["a0 (3 of 3 folds)"]
    assert sorted(whole.predictions.sha256) == sorted(found[COMMITTED].predictions.sha256)
    assert whole.validation_rmse == pytest.approx(np.sqrt((0.3**2 + 0.4**2 + 0.5**2) / 3))
    rows = table(list(lines.values()), whole, PARAMS)
    text = markdown(rows, {})
    assert (
        "b0 (2 of 3 folds) was tested on 80 photographs, a0 (3 of 3 folds) on 120; 80 are the same." in text
    )
    assert COMMITTED + " was tested" not in text


def test_a_photograph_in_two_folds_is_named():
    folds = [result(k, 0.9, 0.1, split={"folds": 2, "fold": k}, photographs=range(60)) for k in (0, 1)]
    with pytest.raises(InputError, match=r"twice: 0\.jpg is tested twice; `dvc exp remove`"):
        best = Entry("twice", folds)
        assert best.predictions.empty


def test_what_tests_a_part_only_cannot_be_the_best():
    part = result(1, 0.9, rmse=0.1, photographs=range(40))
    whole = result(2, 0.8, rmse=0.9)
    assert compare.best_of([Entry("part", [part]), Entry("whole", [whole])]).name == "whole"


def test_a_cross_validation_that_lacks_folds_cannot_be_the_best():
    found = {COMMITTED: result(1, 0.8, rmse=0.9, photographs=range(40))}
    for k in (0, 1):
        photographs = range(100 + 40 * k, 140 + 40 * k)
        found[f"a{k}"] = result(2 + k, 0.9, rmse=0.1, split={"folds": 3, "fold": k}, photographs=photographs)
    lines = entries(found)
    assert [line.whole for line in lines] == [True, False]
    assert compare.best_of(lines).name == COMMITTED
    assert compare.best_of(lines[1:]).name == "a0 (2 of 3 folds)"  # there is no other


def test_results_without_common_photographs_are_not_compared():
    lines = [
        Entry("a", [result(1, 0.9, 0.1)]),
        Entry("b", [result(2, 0.8, 0.2, photographs=range(500, 600))]),
    ]
    text = markdown(table(lines, lines[0], PARAMS), {})
    assert "| b | no test photograph in common | | | cannot tell | | |" in text
    assert "b was tested on 100 photographs, a on 120; 0 are the same." in text


def test_experiments_of_a_real_repository(tmp_path, monkeypatch):
    """Committed results, an experiment of this commit and one of the commit before."""
    folder = tmp_path / "repository"
    folder.mkdir()
    shell("git init -q && git config user.name sabi && git config user.email sabi@example.org", folder)
    shell("dvc init -q", folder)
    write_result(folder, seed=1, right=0.8, rmse=0.4)
    commit(folder, "first")
    monkeypatch.chdir(folder)
    results._files.cache_clear()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "no store is needed")
    with pytest.raises(InputError, match=r"^nowhere: .* `git branch -a`"):
        compare.compare("nowhere")
    assert not compare.MARKDOWN.exists()

    # As `dvc exp run` leaves them: a commit under refs/exps, on top of the baseline.
    baseline = shell("git rev-parse HEAD", folder).strip()
    write_result(folder, seed=2, right=0.3, rmse=0.9)
    commit(folder, "experiment")
    shell(f"git update-ref refs/exps/{baseline[:2]}/{baseline[2:]}/worse-one HEAD", folder)
    labels = (folder / "params.yaml").read_text().replace("sound: 3", "sound: 4")
    (folder / "params.yaml").write_text(labels)
    commit(folder, "another border")
    shell(f"git update-ref refs/exps/{baseline[:2]}/{baseline[2:]}/others HEAD", folder)
    (folder / "metrics/predictions.csv").unlink()
    commit(folder, "no predictions")
    shell(f"git update-ref refs/exps/{baseline[:2]}/{baseline[2:]}/half HEAD", folder)
    shell(f"git reset -q --hard {baseline}", folder)
    results._files.cache_clear()
    compare.compare("HEAD")
    rows = read_table(compare.TABLE).set_index("experiment")
    assert list(rows.index) == [COMMITTED, "worse-one"]
    assert rows.accuracy_verdict["worse-one"] == "worse"
    text = compare.MARKDOWN.read_text()
    assert "- others failed: other labels.grades or labels.sound" in text
    assert "- half failed: " in text and "no metrics/predictions.csv" in text
    assert compare.PLOT.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (
            "copy |##  |\rerror: split.seed = -1: no\nERROR: failed to reproduce 'split'\n",
            "split.seed = -1: no",
        ),
        (
            "Traceback (most recent call last):\n  File x\n    call()\nValueError: oh\nERROR: x\n",
            "ValueError: oh",
        ),
        ("ERROR: failed to reproduce 'split': first\nERROR: second\n", "second"),
        ("nothing of note\n", "its log does not say why"),
    ],
)
def test_why_an_experiment_failed_is_found_in_its_log(tmp_path, log, said):
    file = tmp_path / "log"
    assert compare.reason(file) == compare.reason(None)
    assert compare.reason(None) == "DVC has no log of it; `dvc queue remove --failed` forgets it"
    file.write_text(log)
    assert compare.reason(file) == said


def test_the_table_comes_out_the_same_every_time():
    lines = [Entry("a", [result(1, 0.9, 0.1)]), Entry("b", [result(2, 0.8, 0.2)])]
    first, again = (table(lines, lines[0], PARAMS) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
