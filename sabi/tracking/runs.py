"""Records in MLflow: a run for every training that really ran, for every result of an experiment,
and for every experiment that failed.

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
import signal
import sqlite3
import subprocess
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from sabi.runtime.determinism import THREADS
from sabi.runtime.errors import InputError
from sabi.runtime.repository import repository_root
from sabi.settings.params import Params

EXPERIMENT = "sabi"
KIND, FINGERPRINT, KEY, ERROR = "sabi.kind", "sabi.fingerprint", "sabi.training", "sabi.error"
NAME = "dvc.experiment"
PARENT = "mlflow.parentRunId"  # below which run MLflow's page shows another
PACKAGES = ("tensorflow", "keras", "numpy", "scikit-learn", "pillow", "dvc", "mlflow")


class Log:
    """What a training tells while it runs; it does not wait for MLflow.

    Raises what went wrong in MLflow, at the next call after it.
    """

    def __init__(self, values: Connection, answer: Connection) -> None:
        self._values, self._answer = values, answer
        self.seconds_before = 0.0  # what a training took before it was interrupted

    def step(self, step: int, values: dict[str, float]) -> None:
        """Values of an epoch, or of a penalty for the ridge head."""
        self._tell(values, step)

    def metrics(self, values: dict[str, float]) -> None:
        """Final values."""
        self._tell({f"final.{name}": value for name, value in values.items()}, 0)

    def _tell(self, values: dict[str, float], step: int) -> None:
        with suppress(BrokenPipeError):
            if not self._answer.poll():
                self._values.send((values, step, _now()))
                return
        raise _trouble(self._answer)


def prepare() -> None:
    """Load MLflow and open its store; what follows then takes no time.

    Raises `InputError` if the store cannot be used.
    """
    _store()


@contextmanager
def training(member: str, params: Params, key: str) -> Iterator[Log]:
    """A run "train <member>" that is open while the block runs; its status tells how that ended.

    `key` is of all that decides the training: equal keys, equal results. A
    process of its own writes to MLflow, which takes seconds to load.
    """
    chosen = {
        "split": params.split.model_dump(),
        "augment": params.augment.model_dump(),
        "train": params.train.model_dump(),
        "labels": params.labels.model_dump(),
        "network": member,
    }
    tags = {KIND: "training", "sabi.member": member, KEY: key, **_circumstances()}
    start = time.monotonic()
    # One way each: what is in a pipe can be read after its writer has gone.
    values, answer = Pipe(duplex=False), Pipe(duplex=False)
    arguments = (*values, *answer, f"train {member}", tags, chosen)
    recorder = get_context("fork").Process(target=_record, args=arguments)
    recorder.start()
    values[0].close()
    answer[1].close()
    log, ended = Log(values[1], answer[0]), ("FINISHED", None)
    try:
        yield log
        log.step(0, {"seconds": log.seconds_before + time.monotonic() - start})
    except BaseException as error:
        ended = _status(error), reason(error)
        raise
    finally:
        with suppress(BrokenPipeError):  # the answer says why
            values[1].send(ended)
        trouble = _trouble(answer[0])
        recorder.join()
        values[1].close()
        answer[0].close()
        if trouble and ended[0] == "FINISHED":
            raise trouble


def _trouble(answer: Connection) -> BaseException | None:
    """What went wrong in the process that records; None, at its end, if nothing did."""
    try:
        return answer.recv()
    except EOFError:
        return RuntimeError("the process that records in MLflow was killed")


def _record(
    values: Connection,
    others_values: Connection,
    others_answer: Connection,
    answer: Connection,
    name: str,
    tags: dict[str, str],
    chosen: dict[str, Any],
) -> None:
    """Write a training's run: values as they come, then how it ended. To be run in a process of its own."""
    others_values.close()  # were the training's end open here, its death would not be noticed
    others_answer.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the training tells of it
    try:
        client, experiment = _store()
        run_id = client.create_run(experiment, run_name=name, tags=tags).info.run_id
    except Exception as error:
        answer.send(error if isinstance(error, InputError) else RuntimeError(reason(error)))
        return
    try:
        _log_params(client, run_id, chosen)
        try:
            while isinstance((message := values.recv())[0], dict):
                _log_metrics(client, run_id, *message)
        except EOFError:
            client.set_terminated(run_id, "KILLED")
            return
        status, error = message
        if error:
            _tag(client, run_id, ERROR, error)
        client.set_terminated(run_id, status)
        answer.send(None)
    except Exception as error:
        with suppress(Exception):  # the store may be what fails
            _tag(client, run_id, ERROR, reason(error))
            client.set_terminated(run_id, "FAILED")
        answer.send(RuntimeError(f"MLflow: {reason(error)}"))


def training_seconds(key: str) -> float | None:
    """How long the training with this `key` took, the first time that it ran to its end.

    None if none is recorded: a training restored from DVC's cache on a machine
    where it never ran.
    """
    run = _training(*_store(), key)
    return run.data.metrics["seconds"] if run else None


def embeddings_reused(keys: Iterable[str]) -> tuple[int, int] | None:
    """How many embeddings came from the store, and of how many, when the trainings with `keys` last ran.

    None unless that is recorded of all of them.
    """
    client, experiment = _store()
    reused = needed = 0
    for key in keys:
        run = _training(client, experiment, key, latest=True)
        if not run or "final.embeddings" not in run.data.metrics:
            return None
        reused += int(run.data.metrics["final.embeddings_reused"])
        needed += int(run.data.metrics["final.embeddings"])
    return reused, needed


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
    client, experiment = _store()
    here = _circumstances()
    same = f"tags.`{FINGERPRINT}` = '{fingerprint}' and attributes.status = 'FINISHED'"
    # Names are compared here: in a filter their quotes would have to be escaped.
    if any(run.data.tags.get(NAME) == here.get(NAME) for run in client.search_runs([experiment], same)):
        return False
    trainings = {member: _training(client, experiment, key) for member, key in trained.items()}
    known = {member: run for member, run in trainings.items() if run}
    values = {
        metric if who == "ensemble" else f"{who}.{metric}": value
        for who, measured in metrics.items()
        for metric, value in flat(measured)
        if value is not None  # the recall of a grade without photographs
    }
    if known == trainings:
        values["training_seconds"] = sum(run.data.metrics["seconds"] for run in known.values())
    tags = {KIND: "result", FINGERPRINT: fingerprint, "members": ",".join(trained), **here}
    tags |= {f"training.{member}": run.info.run_id for member, run in known.items()}
    with _open_run(client, experiment, _name(), tags, params.model_dump()) as run_id:
        _log_metrics(client, run_id, values, 0, _now())
        for artifact in artifacts:
            client.log_artifact(run_id, str(artifact))
        for run in known.values():
            if PARENT not in run.data.tags:
                _tag(client, run.info.run_id, PARENT, run_id)
    return True


def record_failure(error: BaseException, params: Params | None) -> None:
    """A run under the name of DVC's experiment that says which stage failed and why.

    It is FAILED, or KILLED by Ctrl-C; `params` are those of the experiment if they could be read.
    """
    client, experiment = _store()
    tags = {KIND: "result", "sabi.stage": os.environ.get("DVC_STAGE", ""), ERROR: reason(error)}
    run = client.create_run(experiment, run_name=_name(), tags=tags | _circumstances())
    _log_params(client, run.info.run_id, params.model_dump() if params else {})
    client.set_terminated(run.info.run_id, _status(error))


def reason(error: BaseException) -> str:
    """What is wrong with the input, or the error as below a traceback; 500 characters at most."""
    text = str(error) if isinstance(error, InputError) else "".join(traceback.format_exception_only(error))
    return text.strip()[:500]


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
        _log_params(client, run_id, chosen)
        yield run_id
    except BaseException as error:
        _tag(client, run_id, ERROR, reason(error))
        client.set_terminated(run_id, _status(error))
        raise
    client.set_terminated(run_id, "FINISHED")


def _status(error: BaseException) -> str:
    return "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED"


def _training(client: Any, experiment: str, key: str, latest: bool = False) -> Any:
    """The first, or the latest, run that finished of the training with `key`; None if there is none."""
    same = f"tags.`{KEY}` = '{key}' and attributes.status = 'FINISHED'"
    order = f"attributes.start_time {'DESC' if latest else 'ASC'}"
    return next(iter(client.search_runs([experiment], same, order_by=[order], max_results=1)), None)


# In batches: every call is a transaction of the store's, for which experiments at once queue.


def _log_params(client: Any, run_id: str, chosen: dict[str, Any]) -> None:
    from mlflow.entities import Param

    every = [Param(name, str(value)) for name, value in flat(chosen)]
    for start in range(0, len(every), 100):  # the most that MLflow takes at once
        client.log_batch(run_id, params=every[start : start + 100])


def _log_metrics(client: Any, run_id: str, values: dict[str, float], step: int, time: int) -> None:
    from mlflow.entities import Metric

    client.log_batch(run_id, metrics=[Metric(name, value, time, step) for name, value in values.items()])


def _now() -> int:
    """Milliseconds since 1970, as MLflow counts."""
    return time.time_ns() // 1_000_000


def _tag(client: Any, run_id: str, name: str, value: str) -> None:
    """Set a tag; unlike MLflow's `set_tag` also while another process sets the same."""
    from mlflow.entities import RunTag

    client.log_batch(run_id, tags=[RunTag(name, value)])


def flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Values of nested dictionaries with dotted names."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def processor() -> str:
    """The processor's own name, to know on which kinds a result was obtained."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "unknown")


def _name() -> str:
    """The name of a result: of DVC's experiment, if it is one."""
    return os.environ.get("DVC_EXP_NAME", "dvc repro")


def _circumstances() -> dict[str, str]:
    """Where and with what a run was made: commit, DVC experiment, versions, threads, machine."""

    def git(*arguments: str) -> str:
        # Without locks, which another experiment's git would stumble over.
        command = ["git", "--no-optional-locks", *arguments]
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()

    tags = {
        "mlflow.source.git.commit": git("rev-parse", "HEAD"),
        "git.uncommitted": str(bool(git("status", "--porcelain", "--untracked-files=no"))),
        "threads": str(THREADS),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "processor": processor(),
        **{f"version.{package}": version(package) for package in PACKAGES},
    }
    if "DVC_EXP_NAME" in os.environ:
        tags[NAME] = os.environ["DVC_EXP_NAME"]
        tags["dvc.baseline"] = os.environ["DVC_EXP_BASELINE_REV"]
    return tags
