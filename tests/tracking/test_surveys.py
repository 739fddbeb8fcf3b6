"""Runs of large surveys, in real SQLite stores."""

from sabi.tracking.surveys import record_survey
from tests.tracking.conftest import runs


def test_a_survey_tells_its_model_and_what_it_took(root):
    record_survey("0123abc", {"photographs": 500.0, "shards_again": 2.0})
    [run] = runs(root)
    assert (run.info.run_name, run.info.status) == ("sabi grade", "FINISHED")
    assert (run.data.tags["sabi.kind"], run.data.tags["sabi.model"]) == ("survey", "0123abc")
    assert run.data.metrics == {"photographs": 500.0, "shards_again": 2.0}


def test_outside_of_a_repository_nothing_is_recorded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    record_survey("0123abc", {"photographs": 500.0})
    assert list(tmp_path.iterdir()) == []
