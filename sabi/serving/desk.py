"""Uploads on their way: they wait in a line, are graded some at a time, and are deleted or kept."""

import csv
import queue
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sabi.photographs.files import SUFFIXES, printable
from sabi.runtime.errors import InputError
from sabi.runtime.fingerprint import sha256_of
from sabi.serving.tables import path_cell
from sabi.serving.worker import Job, Outcome, Worker

# Photographs that are graded together: some of a network's batches on each of some threads.
AT_ONCE = 32
NAMES = "names.csv"  # of what was kept
NO_MODEL = "the server could not load its model again; tell who runs it"

Deliver = Callable[[Outcome], None]


class Desk:
    """One worker and the line before it; a thread of its own takes from the one to the other."""

    def __init__(self, worker: Worker, keep: Path | None = None) -> None:
        """`keep` is the folder for photographs that were graded; for None they are deleted.

        Raises `InputError` where the worker cannot be started or `keep` cannot be made.
        """
        self._worker, self.keep = worker, keep
        self._line: queue.SimpleQueue[tuple[Job, Deliver]] = queue.SimpleQueue()
        if keep is not None:
            try:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / NAMES).open("a").close()
            except OSError as error:
                raise InputError(f"{keep}: {error.strerror}; choose another --keep") from None
        worker.start()
        threading.Thread(target=self._run, name="desk", daemon=True).start()

    @property
    def ready(self) -> bool:
        """Whether photographs are graded at once: False while a worker is being started again."""
        return self._worker.ready

    def submit(self, job: Job, deliver: Deliver) -> None:
        """Put a job into the line; `deliver` is called in another thread, when its file is gone."""
        self._line.put((job, deliver))

    def _run(self) -> None:
        while True:
            some = self._next()
            try:
                outcomes = self._worker.grade([job for job, _ in some])
            except InputError as error:
                print(f"error: {error}", file=sys.stderr)
                outcomes = [Outcome(reason=NO_MODEL)] * len(some)
            for (job, deliver), outcome in zip(some, outcomes, strict=True):
                self._settle(job, outcome)
                deliver(outcome)
            with suppress(InputError):  # what is next in the line has that as its reason
                self._worker.ensure()

    def _next(self) -> list[tuple[Job, Deliver]]:
        """What is next in the line, once there is anything."""
        some = [self._line.get()]
        while len(some) < AT_ONCE and not self._line.empty():
            some.append(self._line.get())
        return some

    def _settle(self, job: Job, outcome: Outcome) -> None:
        try:
            if self.keep is not None and outcome.row is not None:
                self._kept(job, self.keep)
        except OSError as error:
            print(f"error: a photograph could not be kept ({error.strerror})", file=sys.stderr)
        job.file.unlink(missing_ok=True)

    def _kept(self, job: Job, keep: Path) -> None:
        """Copy a photograph under the name of its content, and note what its sender calls it."""
        suffix = next((s for s in SUFFIXES if job.path.lower().endswith(s)), SUFFIXES[0])
        file = keep / f"{sha256_of(job.file)}{suffix}"
        if not file.exists():
            partial = file.with_suffix(".partial")
            partial.write_bytes(job.file.read_bytes())
            partial.rename(file)
        with (keep / NAMES).open("a", encoding="utf-8", newline="") as stream:
            csv.writer(stream, lineterminator="\n").writerow([file.name, path_cell(printable(job.path))])
