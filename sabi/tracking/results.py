"""A run in MLflow for every result of the pipeline, and for every experiment that failed."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sabi.settings.params import Params
from sabi.tables import flat
from sabi.tracking import store
from sabi.tracking.trainings import find_training

if TYPE_CHECKING:
    from mlflow import MlflowClient

FINGERPRINT = "sabi.fingerprint"
PARENT = "mlflow.parentRunId"  # below which run MLflow's page shows another


@store.usable()
def record_result(
    params: Params,
    inputs: Iterable[Path],
    metrics: dict[str, dict[str, Any]],
    trained: dict[str, str],
    artifacts: Iterable[Path],
) -> bool:
    """A run for what the pipeline has come to, unless this experiment's same result is recorded already.

    The run has the name of DVC's experiment. Results are the same if the
    parameters and the bytes of all `inputs` are. `metrics` maps "ensemble" and
    each member to its metrics, `trained` the ensemble's members to the keys of
    their trainings: the run is tagged with those trainings' runs, tells their
    seconds if all are known, and those that were in no result yet are shown
    below it in MLflow's page. Returns whether a run was added.
    """
    fingerprint = _fingerprint(params, inputs)
    client, experiments = store.open_store()
    store.close_abandoned(client, experiments)
    here = store.circumstances()
    same = f"tags.`{FINGERPRINT}` = '{fingerprint}' and attributes.status = 'FINISHED'"
    # Names are compared here: in a filter their quotes would have to be escaped.
    names = [run.data.tags.get(store.NAME) for run in client.search_runs(experiments, same)]
    if here.get(store.NAME) in names:
        return False
    trainings = {member: find_training(client, experiments, key) for member, key in trained.items()}
    known = {member: run for member, run in trainings.items() if run}
    values = {
        metric if who == "ensemble" else f"{who}.{metric}": value
        for who, measured in metrics.items()
        for metric, value in flat(measured)
        if value is not None  # the recall of a grade without photographs
    }
    if known == trainings:
        values["training_seconds"] = sum(run.data.metrics["seconds"] for run in known.values())
    tags = {store.KIND: "result", FINGERPRINT: fingerprint, "members": ",".join(trained), **here}
    tags |= {f"training.{member}": run.info.run_id for member, run in known.items()}
    with _open_run(client, experiments[0], _name(), tags, params.model_dump()) as run_id:
        store.log_metrics(client, run_id, values, 0, store.now())
        for artifact in artifacts:
            client.log_artifact(run_id, str(artifact))
        for run in known.values():
            if PARENT not in run.data.tags:
                store.set_tag(client, run.info.run_id, PARENT, run_id)
    return True


@store.usable()
def record_failure(error: BaseException, params: Params | None) -> None:
    """A run under the name of DVC's experiment that says which stage failed and why.

    It is FAILED, or KILLED by Ctrl-C; `params` are those of the experiment if they could be read.
    """
    client, experiments = store.open_store()
    stage = os.environ.get("DVC_STAGE", "")
    tags = {store.KIND: "result", "sabi.stage": stage, store.ERROR: store.reason(error)}
    run = client.create_run(experiments[0], run_name=_name(), tags=tags | store.circumstances())
    store.log_params(client, run.info.run_id, params.model_dump() if params else {})
    client.set_terminated(run.info.run_id, store.status_of(error))


def _fingerprint(params: Params, inputs: Iterable[Path]) -> str:
    digest = hashlib.sha256(json.dumps(params.model_dump(), sort_keys=True).encode())
    for path in sorted(inputs):
        digest.update(f"\n{path.as_posix()} {hashlib.sha256(path.read_bytes()).hexdigest()}".encode())
    return digest.hexdigest()


@contextmanager
def _open_run(
    client: "MlflowClient", experiment: str, name: str, tags: dict[str, str], chosen: dict[str, Any]
) -> Iterator[str]:
    """A new run's id; when the block ends the run is FINISHED, FAILED, or KILLED by Ctrl-C."""
    run_id = client.create_run(experiment, run_name=name, tags=tags).info.run_id
    try:
        store.log_params(client, run_id, chosen)
        yield run_id
    except BaseException as error:
        store.set_tag(client, run_id, store.ERROR, store.reason(error))
        client.set_terminated(run_id, store.status_of(error))
        raise
    client.set_terminated(run_id, "FINISHED")


def _name() -> str:
    """The name of a result: of DVC's experiment, if it is one."""
    return os.environ.get("DVC_EXP_NAME", "dvc repro")
