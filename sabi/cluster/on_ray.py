"""Shards graded by Ray's actors: what dies is started again, what it was at is graded again.

Every actor has one core. Ray sets `OMP_NUM_THREADS` for its processes and loads NumPy
before anything of sabi; so the pins are given to Ray, which starts the processes with them.
"""

import logging
import os
import socket
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sabi.cluster.shards import Shard
from sabi.cluster.worker import ShardWorker, at
from sabi.runtime.determinism import PINNED
from sabi.runtime.errors import InputError

TWICE = 2
STARTS = 5  # processes that may end one after another before they have loaded the model


def grade_on_ray(
    shards: Sequence[Shard],
    model: Path,
    folder: Path,
    address: str | None,
    graded: Callable[[Shard], None],
) -> tuple[int, int]:
    """Grade `shards` with the model in a folder into `folder`, which all machines see under this path.

    `address` is of a cluster; None starts one on this machine, for as long as this takes. `graded` is called
    after each shard. Returns how often a shard was tried again, and how many actors graded.
    Raises `InputError` where there is no such cluster, where it has no core, and as `RayWorker.start` does.
    """
    # Ray tells its makers what is run on it unless it is told not to.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        import ray
    except ImportError:
        raise InputError("Ray is not installed; type `make ray`, or `pip install sabi[ray]`") from None
    where: dict[str, Any] = {"address": address} if address else {"include_dashboard": False}
    try:
        if address is not None:
            check_answers(address)
        ray.init(**where, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(f"no Ray cluster at {address}: {error}") from None
    try:
        return _Survey(shards, model, folder, graded).run()
    finally:
        ray.shutdown()


def check_answers(address: str) -> None:
    """Raise `OSError` unless somebody listens at `host:port`, for which Ray would wait many minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host:
        socket.create_connection((host, int(port)), timeout=10).close()


class RayWorker(ShardWorker):
    """A worker in a process that Ray has started."""

    def start(self) -> None:
        """As of any worker; raises `InputError` also where the process could give other bits."""
        check_pinned()
        super().start()


def check_pinned() -> None:
    """Raise `InputError` unless this process was started with what pins its bits.

    Set later it would come too late for libraries that are loaded.
    """
    started = Path("/proc/self/environ").read_bytes().split(b"\0")
    given = dict(entry.decode(errors="replace").partition("=")[::2] for entry in started)
    for name, value in PINNED.items():
        if not value == given.get(name) == os.environ.get(name):
            raise InputError(
                f"a worker was started with {name}={given.get(name)}, not {value}, and could give other "
                "grades; let no setting of the cluster's set it"
            )


class _Survey:
    """Shards that wait, actors that work, and what is known of the photographs that end them."""

    def __init__(
        self, shards: Sequence[Shard], model: Path, folder: Path, graded: Callable[[Shard], None]
    ) -> None:
        import ray

        self._waiting = deque(shards)
        self._model, self._folder, self._graded = model, folder, graded
        self._actor: Any = ray.remote(RayWorker).options(
            num_cpus=1,
            max_restarts=0,
            runtime_env={"env_vars": PINNED | {"TF_NUM_INTRAOP_THREADS": "1"}},
        )
        self._at_work: dict[Any, tuple[Any, Shard | None]] = {}  # by what Ray will answer; None: it starts
        self._deaths: Counter[str] = Counter()  # of what graded a shard, by its name
        self._suspects: defaultdict[str, Counter[int]] = defaultdict(Counter)  # the places it was at

    def run(self) -> tuple[int, int]:
        """Grade all; how often a shard was tried again, and how many actors graded."""
        import ray

        cores = int(ray.cluster_resources().get("CPU", 0))
        if not cores:
            raise InputError("no machine of the Ray cluster has a core to spare; add one with `ray start`")
        workers = min(cores, len(self._waiting))
        for _ in range(workers):
            self._start()
        failed_starts = 0
        while self._waiting or any(shard for _, shard in self._at_work.values()):
            [answer], _ = ray.wait(list(self._at_work))
            actor, shard = self._at_work.pop(answer)
            try:
                ray.get(answer)
            except ray.exceptions.RayTaskError as error:
                # What was raised in it; another try would raise it again.
                raise error.cause from None
            except ray.exceptions.RayError as error:
                if shard is None:
                    failed_starts += 1
                    if failed_starts == STARTS:
                        raise InputError(
                            f"{self._model}: {STARTS} processes ended while they loaded it ({error})"
                        ) from None
                else:
                    self._died(shard)
                self._start()
                continue
            failed_starts = 0
            if shard is not None:
                self._graded(shard)
            if self._waiting:
                self._give(actor, self._waiting.popleft())
        return self._deaths.total(), workers

    def _start(self) -> None:
        """Ask for an actor; it is given shards once it has answered, for it may wait for a core forever."""
        actor = self._actor.remote(self._model, self._folder)
        self._at_work[actor.start.remote()] = (actor, None)

    def _give(self, actor: Any, shard: Shard) -> None:
        if self._deaths[shard.name] < TWICE:  # once may be the machine's
            answer = actor.grade.remote(shard)
        else:
            fatal = [place for place, deaths in self._suspects[shard.name].items() if deaths >= TWICE]
            answer = actor.grade_one_by_one.remote(shard, fatal)
        self._at_work[answer] = (actor, shard)

    def _died(self, shard: Shard) -> None:
        """The process that graded `shard` has ended: it is to be graded again."""
        self._deaths[shard.name] += 1
        note = at(shard, self._folder)
        if note.exists():
            self._suspects[shard.name][int(note.read_text(encoding="utf-8"))] += 1
            note.unlink()
        self._waiting.appendleft(shard)
