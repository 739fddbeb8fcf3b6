"""Records in MLflow: one run for every training that really ran, one for every distinct result.

The store is `mlflow.db` in the repository's root, found from any working
directory and from DVC's queued experiments, which run in a copy elsewhere;
`MLFLOW_TRACKING_URI` overrides it. Nothing recorded here is an output of a
stage, so times, host and versions have their place.
"""

import fcntl
import hashlib
import json
import logging
import os
import platform
import sqlite3
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sabi.errors import InputError
from sabi.params import Params
from sabi.repository import repository_root

EXPERIMENT = "sabi"
KIND, FINGERPRINT, KEY = "sabi.kind", "sabi.fingerprint", "sabi.training"
PACKAGES = ("tensorflow", "keras", "numpy", "scikit-learn", "pillow", "dvc", "mlflow")


class Log:
    """What a training tells while it runs."""

    def __init__(self, client: Any, run_id: str) -> None:
        self._client = client
        self._run_id = run_id
        self.seconds_before = 0.0  # what a training took before it was interrupted

    def step(self, step: int, values: dict[str, float]) -> None:
        """Values of an epoch, or of a penalty for the ridge head."""
        for name, value in values.items():
            self._client.log_metric(self._run_id, name, value, step=step)

    def metrics(self, values: dict[str, float]) -> None:
        """Final values."""
        for name, value in values.items():
            self._client.log_metric(self._run_id, f"final.{name}", value)


@contextmanager
def training(member: str, params: Params, key: str) -> Iterator[Log]:
    """A run "train <member>" that is open while the block runs; its status tells how that ended.

    `key` is of all that decides the training: equal keys, equal results.
    """
    chosen = {
        "split": params.split.model_dump(),
        "augment": params.augment.model_dump(),
        "train": params.train.model_dump(),
        "labels": params.labels.model_dump(),
        "network": member,
    }
    client, experiment = _store()
    tags = {KIND: "training", "sabi.member": member, KEY: key, **_circumstances()}
    start = time.monotonic()
    with _open_run(client, experiment, f"train {member}", tags, chosen) as run_id:
        log = Log(client, run_id)
        yield log
        client.log_metric(run_id, "seconds", log.seconds_before + time.monotonic() - start)


def training_seconds(key: str) -> float:
    """How long the training with this `key` took, the first time that it ran to its end.

    Raises `InputError` if none is recorded: a training restored from DVC's cache
    on a machine where it never ran.
    """
    client, experiment = _store()
    same = f"tags.`{KEY}` = '{key}' and attributes.status = 'FINISHED'"
    runs = client.search_runs([experiment], same, order_by=["attributes.start_time"], max_results=1)
    if not runs:
        raise InputError(f"MLflow has no training {key[:12]}; run `dvc repro --force` on this machine once")
    return runs[0].data.metrics["seconds"]


def record_result(
    params: Params, inputs: Iterable[Path], metrics: dict[str, dict[str, Any]], artifacts: Iterable[Path]
) -> bool:
    """A run for what the pipeline has come to, unless the same result is recorded already.

    Results are the same if the parameters and the bytes of all `inputs` are.
    `metrics` maps "ensemble" and each member to its metrics. Returns whether a
    run was added.
    """
    fingerprint = _fingerprint(params, inputs)
    client, experiment = _store()
    here = _circumstances()
    same = f"tags.`{FINGERPRINT}` = '{fingerprint}' and attributes.status = 'FINISHED'"
    if client.search_runs([experiment], same, max_results=1):
        return False
    tags = {KIND: "result", FINGERPRINT: fingerprint, **here}
    name = here.get("dvc.experiment", "dvc repro")
    with _open_run(client, experiment, name, tags, params.model_dump()) as run_id:
        for who, values in metrics.items():
            for metric, value in flat(values):
                if value is not None:  # the recall of a grade without photographs
                    client.log_metric(run_id, metric if who == "ensemble" else f"{who}.{metric}", value)
        for artifact in artifacts:
            client.log_artifact(run_id, str(artifact))
    return True


def _fingerprint(params: Params, inputs: Iterable[Path]) -> str:
    digest = hashlib.sha256(json.dumps(params.model_dump(), sort_keys=True).encode())
    for path in sorted(inputs):
        digest.update(f"\n{path.as_posix()} {hashlib.sha256(path.read_bytes()).hexdigest()}".encode())
    return digest.hexdigest()


def _store() -> tuple[Any, str]:
    """MLflow's client and the id of the experiment, both made if need be."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    # Importing MLflow sets the levels, so it comes first.
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    root = repository_root()
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root / 'mlflow.db'}"
    # Two processes that make a fresh database, or the experiment, at once both fail.
    with (root / "mlflow.db.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            if uri.startswith("sqlite:///"):
                # MLflow would try for minutes to open what cannot be opened.
                sqlite3.connect(uri.removeprefix("sqlite:///")).execute("pragma schema_version")
            client = MlflowClient(tracking_uri=uri)
            experiment = client.get_experiment_by_name(EXPERIMENT)
            if experiment:
                if experiment.lifecycle_stage == "deleted":  # in MLflow's page: takes no runs until restored
                    client.restore_experiment(experiment.experiment_id)
                return client, experiment.experiment_id
            # Artifacts do not follow a local database by themselves; a server decides on its own.
            place = None if uri.startswith("http") else (root / "mlartifacts").as_uri()
            return client, client.create_experiment(EXPERIMENT, artifact_location=place)
        except (MlflowException, SQLAlchemyError, sqlite3.Error, OSError, ImportError) as error:
            raise InputError(
                f"MLflow's store {uri} cannot be used ({' '.join(str(error).split())[:200]}); "
                "start its server, or set or unset MLFLOW_TRACKING_URI"
            ) from None


@contextmanager
def _open_run(
    client: Any, experiment: str, name: str, tags: dict[str, str], chosen: dict[str, Any]
) -> Iterator[str]:
    """A new run's id; when the block ends the run is FINISHED, FAILED, or KILLED by Ctrl-C."""
    run_id = client.create_run(experiment, run_name=name, tags=tags).info.run_id
    try:
        for key, value in flat(chosen):
            client.log_param(run_id, key, value)
        yield run_id
    except BaseException as error:
        client.set_tag(run_id, "sabi.error", repr(error)[:500])
        client.set_terminated(run_id, "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
        raise
    client.set_terminated(run_id, "FINISHED")


def flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Values of nested dictionaries with dotted names."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _processor() -> str:
    """The processor's own name, to know on which kinds a result was obtained."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "unknown")


def _circumstances() -> dict[str, str]:
    """Where and with what a run was made: commit, DVC experiment, versions, threads, machine."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], capture_output=True, text=True).stdout.strip()

    tags = {
        "mlflow.source.git.commit": git("rev-parse", "HEAD"),
        "git.uncommitted": str(bool(git("status", "--porcelain", "--untracked-files=no"))),
        "threads": os.environ.get("TF_NUM_INTRAOP_THREADS", str(os.cpu_count())),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "processor": _processor(),
        **{f"version.{package}": version(package) for package in PACKAGES},
    }
    if "DVC_EXP_NAME" in os.environ:
        tags["dvc.experiment"] = os.environ["DVC_EXP_NAME"]
        tags["dvc.baseline"] = os.environ["DVC_EXP_BASELINE_REV"]
    return tags
