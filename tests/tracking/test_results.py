"""Runs of results and of failed experiments, in real SQLite stores."""

from pathlib import Path

import pytest

from sabi.runtime.errors import InputError
from sabi.tables import flat
from sabi.tracking.results import PARENT, record_failure
from sabi.tracking.trainings import training, training_seconds
from tests.tracking.conftest import FAILURES, PARAMS, as_experiment, client, record, runs, train


def test_a_result_is_recorded_with_metrics_parameters_and_report(root):
    (root / "report.html").write_text("錆")
    assert record(artifacts=[Path("report.html")])
    [run] = runs(root)
    assert (run.info.run_name, run.info.status) == ("dvc repro", "FINISHED")
    assert run.data.tags["sabi.kind"] == "result"
    expected = {"kappa": 0.8, "recall.1": 0.5, "mobilenet.kappa": 0.7, "mobilenet.recall.1": 0.4}
    assert run.data.metrics == expected
    assert run.data.params == {name: str(value) for name, value in flat(PARAMS.model_dump())}
    [page] = (root / "mlartifacts").rglob("report.html")
    assert page.read_text() == "錆"


def test_a_result_is_recorded_once_under_every_name_of_an_experiment(root, monkeypatch):
    assert [record(), record()] == [True, False]
    for name in ("rusty-hinge", "it's", "rusty"):
        as_experiment(monkeypatch, name)
        assert [record(), record()] == [True, False]
    monkeypatch.delenv("DVC_EXP_NAME")
    assert not record()
    assert [run.info.run_name for run in runs(root)] == ["rusty", "it's", "rusty-hinge", "dvc repro"]


def test_a_result_is_linked_to_its_trainings_and_tells_their_seconds(root, monkeypatch):
    mobilenet, densenet = train("mobilenet", "m"), train("densenet", "d")
    train("mobilenet", "m")  # again, forced
    as_experiment(monkeypatch, "both")
    record(trained={"mobilenet": "m", "densenet": "d"})
    [both] = [run for run in runs(root) if run.info.run_name == "both"]
    assert both.data.tags["members"] == "mobilenet,densenet"
    assert both.data.tags["training.mobilenet"] == mobilenet
    assert both.data.tags["training.densenet"] == densenet
    seconds = [client(root).get_run(run).data.metrics["seconds"] for run in (mobilenet, densenet)]
    assert both.data.metrics["training_seconds"] == pytest.approx(sum(seconds))
    assert training_seconds("m") == seconds[0]
    inside = [run.info.run_id for run in runs(root) if run.data.tags.get(PARENT) == both.info.run_id]
    assert sorted(inside) == sorted([mobilenet, densenet])


def test_a_training_stays_below_its_first_result(root, monkeypatch):
    training = train("mobilenet", "m")
    for name in ("first", "second"):
        as_experiment(monkeypatch, name)
        record(trained={"mobilenet": "m"})
    second, first, _ = runs(root)
    assert (first.info.run_name, second.info.run_name) == ("first", "second")
    assert client(root).get_run(training).data.tags[PARENT] == first.info.run_id
    assert second.data.tags["training.mobilenet"] == training


def test_seconds_of_trainings_are_told_only_if_all_are_known(root):
    with pytest.raises(InputError), training("densenet", PARAMS, "d"):
        raise InputError("it failed")
    train("mobilenet", "m")
    assert training_seconds("d") is None
    record(trained={"mobilenet": "m", "densenet": "d"})
    result = runs(root)[0]
    assert "training_seconds" not in result.data.metrics
    assert "training.mobilenet" in result.data.tags and "training.densenet" not in result.data.tags


@pytest.mark.parametrize(
    ("error", "status", "told"), FAILURES, ids=[type(error).__name__ for error, *_ in FAILURES]
)
def test_a_failed_experiment_has_a_run_of_its_name_that_says_where_and_why(
    root, monkeypatch, error, status, told
):
    as_experiment(monkeypatch, "rusty-hinge")
    monkeypatch.setenv("DVC_STAGE", "binning")
    record_failure(error, PARAMS)
    [run] = runs(root)
    assert (run.info.run_name, run.info.status) == ("rusty-hinge", status)
    assert run.data.tags["sabi.kind"] == "result"
    assert run.data.tags["sabi.stage"] == "binning"
    assert run.data.tags["sabi.error"] == told
    assert run.data.params == {name: str(value) for name, value in flat(PARAMS.model_dump())}
    assert record(), "a failure is not taken for the result"


def test_a_failure_without_readable_parameters_is_recorded_too(root, monkeypatch):
    as_experiment(monkeypatch, "rusty-hinge")
    record_failure(InputError("params.yaml: not YAML"), None)
    [run] = runs(root)
    assert (run.data.params, run.data.tags["sabi.error"]) == ({}, "params.yaml: not YAML")


def test_the_same_result_is_recorded_once_and_a_changed_one_again(root):
    assert [record(), record()] == [True, False]
    (root / "input").write_bytes(b"photographS")
    assert [record(), record()] == [True, False]
    report = PARAMS.report.model_copy(update={"worst": PARAMS.report.worst + 1})
    other = PARAMS.model_copy(update={"report": report})
    assert [record(chosen=other), record(chosen=other)] == [True, False]
    (root / "input").write_bytes(b"photographs")
    assert not record()
    assert len(runs(root)) == 3


def test_a_training_is_not_taken_for_a_result(root):
    with training("mobilenet", PARAMS, "key"):
        pass
    assert record()
    assert len(runs(root)) == 2


def test_a_metric_that_does_not_exist_is_left_out(root):
    values = {"kappa": None, "mae": 0.3, "recall": {"1": None, "2": 0.5}}
    assert record({"ensemble": values, "mobilenet": values})
    [run] = runs(root)
    assert run.info.status == "FINISHED"
    expected = {"mae": 0.3, "recall.2": 0.5, "mobilenet.mae": 0.3, "mobilenet.recall.2": 0.5}
    assert run.data.metrics == expected


def test_a_result_that_was_recorded_by_half_is_recorded_by_the_next_run(root):
    report = root / "report.html"
    with pytest.raises(InputError, match=r"cannot be used \(.*report.html"):
        record(artifacts=[report])
    report.write_text("there now")
    assert record(artifacts=[report])
    assert not record(artifacts=[report])
    finished = [run for run in runs(root) if run.info.status == "FINISHED"]
    assert len(finished) == 1
    assert [page.read_text() for page in (root / "mlartifacts").rglob("report.html")] == ["there now"]
