"""MLflow's store, and what all runs in it have in common.

The store is `mlflow.db` in the repository's root, found from any working
directory and from DVC's queued experiments, which run in a copy elsewhere;
`MLFLOW_TRACKING_URI` overrides it, a relative database being of the root, too.
Nothing recorded here is an output of a stage, so times, host and versions have
their place.
"""

import fcntl
import logging
import os
import platform
import sqlite3
import subprocess
import time
import traceback
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sabi.runtime.determinism import THREADS
from sabi.runtime.errors import InputError
from sabi.runtime.machine import process_mark, processor
from sabi.runtime.repository import repository_root
from sabi.tables import flat
from sabi.tracking.database import make_database

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "sabi"
KIND, ERROR, NAME = "sabi.kind", "sabi.error", "dvc.experiment"
HOST, PROCESS = "sabi.host", "sabi.process"  # that a run was made in
PACKAGES = ("tensorflow", "keras", "numpy", "scikit-learn", "pillow", "dvc", "mlflow")


@contextmanager
def usable() -> Iterator[None]:
    """In the block, or a function so decorated, trouble with the store becomes one line, an `InputError`.

    It comes at any call: bytes that are damaged are seen when they are read, a server may stop.
    """
    try:
        yield
    except Exception as error:
        # Here, because it loads MLflow.
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        # Something that MLflow does not take; of an address that it does not take, it is a subclass.
        ours = type(error) is MlflowException and error.error_code == "INVALID_PARAMETER_VALUE"
        theirs = (MlflowException, SQLAlchemyError, sqlite3.Error, OSError, ImportError, UnicodeDecodeError)
        if ours or not isinstance(error, theirs):
            raise
        uri, database = tracking_uri()
        cure = "if it is damaged, move it away and a new one is made" if database else "start its server"
        raise InputError(
            f"MLflow's store {uri} cannot be used ({' '.join(str(error).split())[:200]}); "
            f"{cure}, or set or unset MLFLOW_TRACKING_URI"
        ) from None


@usable()
def open_store() -> tuple["MlflowClient", list[str]]:
    """MLflow's client and the ids of sabi's experiments; made if need be; loads MLflow.

    The first is that for new runs. More are of a database that was moved or copied: MLflow cannot be told
    another place for an experiment's artifacts, so a new one has them beside the database.

    Raises `InputError` if the store cannot be used.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    from mlflow import MlflowClient

    # Importing MLflow sets the levels, so it comes first.
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    uri, database = tracking_uri()
    # Two processes that make a fresh database, or the experiment, at once both fail.
    with (repository_root() / "mlflow.db.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if database:
            make_database(database)
            # MLflow would try for minutes to open what cannot be opened.
            with closing(sqlite3.connect(database)) as connection:
                connection.execute("pragma schema_version")
        client = MlflowClient(tracking_uri=uri)
        return client, _experiments(client, uri, database)


def tracking_uri() -> tuple[str, Path | None]:
    """The address of the store, and the file of it if it is a SQLite database."""
    from sqlalchemy import URL, make_url

    given = os.environ.get("MLFLOW_TRACKING_URI")
    if given and not given.startswith("sqlite"):
        return given, None
    url = make_url(given) if given else URL.create("sqlite", database="mlflow.db")
    if url.database in (None, "", ":memory:"):
        return str(given), None
    # An experiment runs in a copy of the repository, which is deleted after it.
    database = repository_root().resolve() / str(url.database)
    return url.set(database=str(database)).render_as_string(hide_password=False), database


def _experiments(client: "MlflowClient", uri: str, database: Path | None) -> list[str]:
    """The ids of sabi's experiments, that for new runs first."""
    from mlflow.entities import ViewType

    named = client.search_experiments(ViewType.ALL, filter_string=f"name LIKE '{EXPERIMENT}%'")
    # A server decides on its own where artifacts go; a database would leave them in the working directory.
    beside = database.parent if database else repository_root().resolve()
    place = None if uri.startswith("http") else (beside / "mlartifacts").as_uri()
    current = [e for e in named if (e.artifact_location == place if database else e.name == EXPERIMENT)]
    if current:
        first = current[0].experiment_id
        if current[0].lifecycle_stage == "deleted":  # in MLflow's page: takes no runs until restored
            client.restore_experiment(first)
    else:
        name = f"{EXPERIMENT}, in {beside}" if named else EXPERIMENT
        first = client.create_experiment(name, artifact_location=place)
    others = [each.experiment_id for each in named if each.lifecycle_stage != "deleted"]
    return [first, *(other for other in others if other != first)]


def close_abandoned(client: "MlflowClient", experiments: list[str]) -> None:
    """Runs that are open although their process on this machine was killed become KILLED."""
    left = f"attributes.status = 'RUNNING' and tags.`{HOST}` = '{platform.node()}'"
    for run in client.search_runs(experiments, left):
        mark = run.data.tags[PROCESS]
        if process_mark(int(mark.split()[0])) != mark:
            set_tag(client, run.info.run_id, ERROR, "its process was killed; noticed by a later run")
            client.set_terminated(run.info.run_id, "KILLED")


def reason(error: BaseException) -> str:
    """What is wrong with the input, or the error as below a traceback; 500 characters at most."""
    text = str(error) if isinstance(error, InputError) else "".join(traceback.format_exception_only(error))
    return text.strip()[:500]


def status_of(error: BaseException) -> str:
    """The status of a run that `error` ended."""
    return "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED"


# In batches: every call is a transaction of the store's, for which experiments at once queue.


def log_params(client: "MlflowClient", run_id: str, chosen: dict[str, Any]) -> None:
    """Record nested settings under dotted names."""
    from mlflow.entities import Param

    every = [Param(name, str(value)) for name, value in flat(chosen)]
    for start in range(0, len(every), 100):  # the most that MLflow takes at once
        client.log_batch(run_id, params=every[start : start + 100])


def log_metrics(client: "MlflowClient", run_id: str, values: dict[str, float], step: int, time: int) -> None:
    """Record values of a step; `time` as of `now`."""
    from mlflow.entities import Metric

    client.log_batch(run_id, metrics=[Metric(name, value, time, step) for name, value in values.items()])


def now() -> int:
    """Milliseconds since 1970, as MLflow counts."""
    return time.time_ns() // 1_000_000


def set_tag(client: "MlflowClient", run_id: str, name: str, value: str) -> None:
    """Set a tag; unlike MLflow's `set_tag` also while another process sets the same."""
    from mlflow.entities import RunTag

    client.log_batch(run_id, tags=[RunTag(name, value)])


def circumstances() -> dict[str, str]:
    """Where and with what a run is made: commit, DVC experiment, versions, threads, machine, process."""

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
        HOST: platform.node(),
        PROCESS: str(process_mark(os.getpid())),
        "processor": processor(),
        **{f"version.{package}": version(package) for package in PACKAGES},
    }
    if "DVC_EXP_NAME" in os.environ:
        tags[NAME] = os.environ["DVC_EXP_NAME"]
        tags["dvc.baseline"] = os.environ["DVC_EXP_BASELINE_REV"]
    return tags
