"""The process that grades what the office's page is sent: a crash in it ends it, not the server.

Both sides of its pipe are here. It is sent lists of jobs. For each job it answers
None as soon as the photograph has been decoded once, so that the server knows which
one it was at, and at the end the list of outcomes.
"""

import multiprocessing
import multiprocessing.connection
import signal
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from sabi.grading.grader import Grader
from sabi.grading.model import ModelSpec, identity
from sabi.photographs.files import Unusable
from sabi.report.pictures import thumbnail
from sabi.runtime.errors import InputError
from sabi.serving import tables
from sabi.serving.selection import Selected

LOADING = 900  # seconds: a network that is built for the first time takes minutes
DECODING = 30  # seconds that one photograph may take, decoded or graded


@dataclass(frozen=True)
class Job:
    """A photograph to grade."""

    path: str  # as the sender names it; never used as a path
    file: Path


@dataclass(frozen=True)
class Outcome:
    """What became of a photograph: a row and a picture, or the reason why there is none."""

    row: dict[str, Any] | None = None  # of `sabi.serving.tables.graded_table`, without its file
    picture: bytes = b""  # a small JPEG
    reason: str | None = None


class Worker:
    """The process, started again whenever it ends; to be used by one thread, and closed by any."""

    def __init__(self, model: Path, store: Path, seconds: float = DECODING) -> None:
        self._model, self._store, self._seconds = model, store, seconds
        self._identity = identity(model)
        self.ready = False  # whether a model is loaded
        self._lock = threading.Lock()  # of the two below
        self._process: multiprocessing.process.BaseProcess | None = None
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The process's number, None where there is none."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Start the process anew and wait until its model is loaded; raises `InputError` if it cannot be."""
        # A fork would copy the server's threads and sockets.
        context = multiprocessing.get_context("spawn")
        with self._lock:
            if self._closed:
                raise InputError("the server is being stopped")
            self._kill()
            self._pipe, theirs = context.Pipe()
            arguments = (self._model, self._identity, self._store, theirs)
            process = context.Process(target=_work, args=arguments, name="grading", daemon=True)
            try:
                process.start()
            except OSError as error:
                raise InputError(f"{self._model}: no process can be started for it ({error})") from None
            self._process = process
            theirs.close()
        try:
            wrong = self._answer(LOADING)
        except (EOFError, OSError) as error:
            wrong = f"{self._model}: its process ended while it was loaded ({error!r})"
        if wrong is not None:
            with self._lock:
                self._kill()
            raise InputError(wrong)
        self.ready = True

    def ensure(self) -> None:
        """Start the process if it has ended; raises `InputError` as `start` does."""
        if self._process is None or not self._process.is_alive():
            self.start()

    def close(self) -> None:
        """End the process, whatever it is at; it is not started again."""
        with self._lock:
            self._closed = True
            self._kill()

    def grade(self, jobs: Sequence[Job]) -> list[Outcome]:
        """An outcome for each job, in order.

        A photograph that ends the process, or takes it longer than `seconds`, has that as
        its reason, and the others are graded by a new one. Raises `InputError` if none can be started.
        """
        if not jobs:
            return []
        self.ensure()  # it may have ended between two photographs, of which neither is to blame
        decoded = 0
        try:
            self._pipe.send(list(jobs))
            while decoded < len(jobs):
                self._answer(self._seconds)
                decoded += 1
            return self._answer(self._seconds * len(jobs))
        except (EOFError, OSError) as error:
            took_long = isinstance(error, TimeoutError)
            with self._lock:
                self._kill()
        if decoded == len(jobs) > 1:  # it ended over all of them together
            return [outcome for job in jobs for outcome in self.grade([job])]
        at = min(decoded, len(jobs) - 1)
        doing = f"takes longer than {self._seconds:g} s" if took_long else "ends the program that reads it"
        outcomes = self.grade([*jobs[:at], *jobs[at + 1 :]])
        return [*outcomes[:at], Outcome(reason=f"{doing}; save it anew and try again"), *outcomes[at:]]

    def _answer(self, seconds: float) -> Any:
        if not self._pipe.poll(seconds):
            raise TimeoutError
        return self._pipe.recv()

    def _kill(self) -> None:
        self.ready = False
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None


def _work(model: Path, known: str, store: Path, pipe: multiprocessing.connection.Connection) -> None:
    """The process itself; it ends with the server. `known` is the model's identity."""
    # Its own would be a semaphore, which Python reports as lost when this process is killed.
    tqdm.set_lock(threading.RLock())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches it too, but it is the server that ends it
    try:
        if identity(model) != known:
            raise InputError(f"{model}: is another model now; stop the server and start it again")
        # What the office uploads is deleted once it is graded: nothing of it is kept.
        grader = Grader.load(model, store, keep_readings=False)
        _warm_up(grader)
    except InputError as error:
        pipe.send(str(error))
        return
    pipe.send(None)
    with suppress(EOFError, BrokenPipeError):  # the server is gone
        while True:
            jobs: list[Job] = pipe.recv()
            pictures = []
            for job in jobs:
                pictures.append(_picture(job.file, grader.spec))
                pipe.send(None)
            pipe.send(_graded(grader, jobs, pictures))


def _warm_up(grader: Grader) -> None:
    """Load or build the networks, so that the first photograph need not wait."""
    side = max(grader.spec.size, grader.spec.min_side)
    grader.grade([np.zeros((side, side, 3), np.uint8)], [grader.spec.target_mm_per_pixel or 1.0])


def _picture(file: Path, spec: ModelSpec) -> bytes | Unusable:
    try:
        return thumbnail(file, min_side=spec.min_side, max_megapixels=spec.max_megapixels)
    except Unusable as reason:
        return reason


def _graded(grader: Grader, jobs: list[Job], pictures: list[bytes | Unusable]) -> list[Outcome]:
    sound = [not isinstance(picture, Unusable) for picture in pictures]
    rows = iter(grader.grade([job.file for job, good in zip(jobs, sound, strict=True) if good], keep=False))
    outcomes = []
    for job, picture in zip(jobs, pictures, strict=True):
        if isinstance(picture, Unusable):
            outcomes.append(Outcome(reason=str(picture)))
            continue
        row = next(rows)
        if row.reason is not None:
            outcomes.append(Outcome(reason=row.reason))
            continue
        table = tables.graded_table([(Selected(job.path, job.file, None), row)], grader.spec)
        outcomes.append(Outcome(table.drop(columns="file").to_dict("records")[0], picture))
    return outcomes
