"""A run in MLflow for every training that really ran, and what later ones ask of it."""

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sabi.runtime.errors import InputError
from sabi.settings.params import Params
from sabi.tracking import store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

KEY = "sabi.training"

OpenRun = tuple["MlflowClient", str]  # and the run's id


class Log:
    """What a training says while it runs, passed on to MLflow in the same order.

    A thread of its own loads MLflow and writes, so that the training waits for
    neither. What goes wrong there is raised at the next call after it.
    """

    def __init__(self, member: str, params: Params, key: str) -> None:
        self.seconds_before = 0.0  # what a training took before it was interrupted
        self._thread = ThreadPoolExecutor(1, "mlflow")
        self._run = self._last = self._thread.submit(_begin, member, params, key, store.now())

    def step(self, step: int, values: dict[str, float]) -> None:
        """Values of an epoch, or of a penalty for the ridge head."""
        self._pass_on(values, step)

    def metrics(self, values: dict[str, float]) -> None:
        """Final values."""
        self._pass_on({f"final.{name}": value for name, value in values.items()}, 0)

    def close(self, status: str, error: str | None = None) -> None:
        """Wait until all is written, and close the run; `error` says why it is not FINISHED."""
        with self._thread:
            closed = self._thread.submit(_close, self._run, self._last, status, error)
        _result(closed)

    def _pass_on(self, values: dict[str, float], step: int) -> None:
        if self._last.done():
            _result(self._last)
        self._last = self._thread.submit(_write, self._last, values, step, store.now())


def _result(future: Future) -> None:
    """Raise what went wrong in MLflow's thread, if anything did."""
    try:
        future.result()
    except InputError:
        raise
    except Exception as error:
        raise RuntimeError(f"MLflow: {store.reason(error)}") from error


# In MLflow's thread. Each write is given the one before: after one that failed none is tried.


@store.usable()
def _begin(member: str, params: Params, key: str, began: int) -> OpenRun:
    client, experiments = store.open_store()
    store.close_abandoned(client, experiments)
    tags = {store.KIND: "training", "sabi.member": member, KEY: key, **store.circumstances()}
    run = client.create_run(experiments[0], began, tags, f"train {member}")
    chosen = {
        "split": params.split.model_dump(),
        "augment": params.augment.model_dump(),
        "train": params.train.model_dump(),
        "labels": params.labels.model_dump(),
        "network": member,
    }
    store.log_params(client, run.info.run_id, chosen)
    return client, run.info.run_id


@store.usable()
def _write(before: Future[OpenRun], values: dict[str, float], step: int, time: int) -> OpenRun:
    client, run_id = before.result()
    store.log_metrics(client, run_id, values, step, time)
    return client, run_id


@store.usable()
def _close(run: Future[OpenRun], last: Future[OpenRun], status: str, error: str | None) -> None:
    client, run_id = run.result()
    trouble = last.exception()
    if trouble:
        status, error = "FAILED", store.reason(trouble)
    if error:
        store.set_tag(client, run_id, store.ERROR, error)
    client.set_terminated(run_id, status)
    if trouble:
        raise trouble


@contextmanager
def training(member: str, params: Params, key: str) -> Iterator[Log]:
    """A run "train <member>" that is open while the block runs; its status tells how that ended.

    `key` is of all that decides the training: equal keys, equal results.
    Raises `InputError` if the store cannot be used, `RuntimeError` for other
    trouble with MLflow: in the block at a call of the log's, or at its end.
    """
    start = time.monotonic()
    log = Log(member, params, key)
    try:
        yield log
        log.step(0, {"seconds": log.seconds_before + time.monotonic() - start})
    except BaseException as error:
        with suppress(Exception):  # what ended the training is what counts
            log.close(store.status_of(error), store.reason(error))
        raise
    log.close("FINISHED")


@store.usable()
def training_seconds(key: str) -> float | None:
    """How long the training with this `key` took, the first time that it ran to its end.

    None if none is recorded: a training restored from DVC's cache on a machine
    where it never ran.
    """
    run = find_training(*store.open_store(), key)
    return run.data.metrics["seconds"] if run else None


@store.usable()
def embeddings_reused(keys: Iterable[str]) -> tuple[int, int] | None:
    """How many embeddings came from the store, and of how many, when the trainings with `keys` last ran.

    None unless that is recorded of all of them.
    """
    client, experiments = store.open_store()
    reused = needed = 0
    for key in keys:
        run = find_training(client, experiments, key, latest=True)
        if not run or "final.embeddings" not in run.data.metrics:
            return None
        reused += int(run.data.metrics["final.embeddings_reused"])
        needed += int(run.data.metrics["final.embeddings"])
    return reused, needed


def find_training(
    client: "MlflowClient", experiments: list[str], key: str, latest: bool = False
) -> "Run | None":
    """The first, or the latest, run that finished of the training with `key`; None if there is none."""
    same = f"tags.`{KEY}` = '{key}' and attributes.status = 'FINISHED'"
    order = f"attributes.start_time {'DESC' if latest else 'ASC'}"
    return next(iter(client.search_runs(experiments, same, order_by=[order], max_results=1)), None)
