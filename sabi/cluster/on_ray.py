"""Shards graded by Ray's actors: what dies is started again, what it was at is graded again.

Every actor has one core. Ray sets `OMP_NUM_THREADS` for its processes and loads NumPy
before anything of sabi; so the pins are given to Ray, which starts the processes with them.
"""

import logging
import os
import socket
import time
import uuid
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sabi.cluster.shards import Shard, done
from sabi.cluster.worker import ShardWorker
from sabi.grading.model import identity
from sabi.runtime.determinism import PINNED
from sabi.runtime.errors import InputError, in_a_line

TWICE = 2
TRIES = 3  # of what raised an error that is nobody's input
STARTS = 5  # processes for each core that may end one after another before they have loaded the model
SEEN = 60  # seconds until a file that another machine has written is to be seen here
WAITING = 300  # seconds without any answer before it is asked whether a machine is left


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
    Raises `InputError` where there is no such cluster, where no machine of it is left, where machines do
    not see the same folders, and for what goes wrong again and again.
    """
    # Ray tells its makers what is run on it unless it is told not to.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        import ray
    except ImportError:
        raise InputError("Ray is not installed; type `make ray` in the folder of sabi") from None
    where: dict[str, Any] = {"address": address}
    if address is None:
        where = {"address": "local", "include_dashboard": False}
        # Else Ray leaves a token in the user's home, and asks for it from then on.
        os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    try:
        if address is not None:
            check_answers(address)
        ray.init(**where, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, OverflowError, RuntimeError, ray.exceptions.RayError) as error:
        where_to = f"no Ray cluster at {address}" if address else "Ray cannot be started here"
        raise InputError(f"{where_to}: {in_a_line(error)}") from None
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

    def begin(self) -> str:
        """Start, and tell the id of its node; raises `InputError` also where it could give other bits."""
        import ray

        check_pinned()
        self.start()
        return ray.get_runtime_context().get_node_id()


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


@dataclass(frozen=True)
class _Task:
    """What an actor is asked for; without a shard, to start."""

    actor: Any
    node: str | None = None  # that it runs on
    shard: Shard | None = None
    note: Path | None = None  # where it says which photograph it is at


class _Survey:
    """Shards that wait, actors that work, and what is known of the photographs that end them."""

    def __init__(
        self, shards: Sequence[Shard], model: Path, folder: Path, graded: Callable[[Shard], None]
    ) -> None:
        import ray

        self._waiting = deque(shards)
        self._known = identity(model)
        self._model, self._folder, self._graded = model, folder, graded
        self._actor: Any = ray.remote(RayWorker).options(
            num_cpus=1,
            max_restarts=0,
            runtime_env={"env_vars": PINNED | {"TF_NUM_INTRAOP_THREADS": "1"}},
        )
        self._at_work: dict[Any, _Task] = {}  # by what Ray will answer
        self._deaths: Counter[str] = Counter()  # of processes that graded a shard, by its name
        self._suspects: defaultdict[str, Counter[int]] = defaultdict(Counter)  # the places they were at
        self._failures: Counter[str] = Counter()  # of shards, without a death
        self._again = 0

    def run(self) -> tuple[int, int]:
        """Grade all; how often a shard was tried again, and how many actors graded."""
        workers = min(_cores(), len(self._waiting))
        if not workers:
            raise InputError("no machine of the Ray cluster has a core to spare; add one with `ray start`")
        for _ in range(workers):
            self._start()
        failed_starts = 0
        while self._waiting or any(task.shard for task in self._at_work.values()):
            answer, task = self._next()
            error, said = self._answered(answer)
            if error is not None and task.shard is None:
                failed_starts += 1
                if failed_starts == STARTS * workers:
                    raise InputError(
                        f"{self._model}: {failed_starts} processes ended while they loaded it; the last one: "
                        f"{in_a_line(error)}"
                    )
            if error is not None:
                self._failed(task, error)
                continue
            failed_starts = 0
            node = task.node or said
            if task.shard is not None:
                self._check_seen(task.shard, node)
                self._graded(task.shard)
            if self._waiting:
                self._give(task.actor, node, self._waiting.popleft())
        return self._again, workers

    def _next(self) -> tuple[Any, _Task]:
        """The next answer, and what was asked."""
        import ray

        while True:
            answers, _ = ray.wait(list(self._at_work), timeout=WAITING)
            if answers:
                return answers[0], self._at_work.pop(answers[0])
            if not _cores():
                raise InputError(
                    "no machine of the Ray cluster is left; the same command goes on when there is one"
                )

    def _answered(self, answer: Any) -> tuple[Exception | None, Any]:
        """What went wrong, and else what was answered. Raises the `InputError` that was raised there."""
        import ray

        try:
            return None, ray.get(answer)
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, InputError):
                raise error.cause from None
            return error, None
        except ray.exceptions.RayError as error:
            return error, None

    def _start(self) -> None:
        """Ask for an actor; it is given shards once it has answered, for it may wait for a core forever."""
        actor = self._actor.remote(self._model, self._known, self._folder)
        self._at_work[actor.begin.remote()] = _Task(actor)

    def _give(self, actor: Any, node: str, shard: Shard) -> None:
        if self._deaths[shard.name] < TWICE:
            self._at_work[actor.grade.remote(shard)] = _Task(actor, node, shard)
            return
        fatal = [place for place, deaths in self._suspects[shard.name].items() if deaths >= TWICE]
        note = self._folder / f"{uuid.uuid4().hex}.at"  # no other attempt writes there
        self._at_work[actor.grade_one_by_one.remote(shard, fatal, note)] = _Task(actor, node, shard, note)

    def _failed(self, task: _Task, error: Exception) -> None:
        """Have the shard graded by another actor; learn from the end of this one, if it is no machine's."""
        import ray

        ray.kill(task.actor)  # it may be alive where it cannot be reached
        self._start()
        if task.shard is None:
            return
        name = task.shard.name
        self._again += 1
        self._waiting.appendleft(task.shard)
        if isinstance(error, ray.exceptions.RayTaskError):
            self._failures[name] += 1
            if self._failures[name] == TRIES:
                raise InputError(
                    f"{task.shard.sources[0].path} and those after it: {TRIES} tries ended with an error: "
                    f"{in_a_line(error.cause)}"
                )
        elif any(node["NodeID"] == task.node and node["Alive"] for node in ray.nodes()):
            self._deaths[name] += 1
            if task.note is not None and task.note.exists():
                place = task.note.read_text(encoding="utf-8")
                if place:
                    self._suspects[name][int(place)] += 1

    def _check_seen(self, shard: Shard, node: str) -> None:
        """Raise `InputError` if the file of a shard that was graded on `node` cannot be seen here."""
        until = time.monotonic() + SEEN
        while not done(shard, self._folder):
            if time.monotonic() > until:
                raise InputError(
                    f"{self._folder}: what the node {node} wrote there is not there; "
                    "--out must be a folder that all machines share"
                )
            time.sleep(0.5)


def _cores() -> int:
    """The cores of the machines that are left."""
    import ray

    return int(ray.cluster_resources().get("CPU", 0))
