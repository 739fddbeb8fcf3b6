"""A run in MLflow for every large survey that was graded."""

import os
from collections.abc import Mapping

from sabi.runtime.repository import repository_root
from sabi.tracking import store


@store.usable()
def record_survey(model: str, values: Mapping[str, float]) -> None:
    """Record what a survey took; `model` tells the model from every other.

    Nothing is recorded outside of a repository unless `MLFLOW_TRACKING_URI` is set.
    Raises `InputError` if the store cannot be used.
    """
    if "MLFLOW_TRACKING_URI" not in os.environ and not (repository_root() / ".dvc").is_dir():
        return
    client, experiments = store.open_store()
    tags = {store.KIND: "survey", "sabi.model": model, **store.circumstances()}
    run = client.create_run(experiments[0], tags=tags, run_name="sabi grade")
    store.log_metrics(client, run.info.run_id, dict(values), 0, store.now())
    client.set_terminated(run.info.run_id)
