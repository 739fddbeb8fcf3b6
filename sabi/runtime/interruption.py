"""How a process ends that is no longer wanted: interrupted by Ctrl-C, or left behind by DVC."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

INTERRUPTED = 130
CONTINUE = "interrupted: run the same command again to continue at this stage"
PAUSE = 0.2  # seconds between two looks whether DVC is still there


@contextmanager
def quick_end(line: str = CONTINUE) -> Iterator[None]:
    """In the block, which imports, Ctrl-C ends the process at once with `line` and 130.

    A `KeyboardInterrupt` there would print a traceback, or be caught by what is imported.
    """
    before = signal.getsignal(signal.SIGINT)
    end_at_once(line)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def end_at_once(line: str = CONTINUE) -> None:
    """From now on Ctrl-C ends the process with `line` and 130; not where it is ignored, in the background."""

    def end(_: int, __: FrameType | None) -> None:
        with suppress(OSError):
            os.write(2, f"{line}\n".encode())
        os._exit(INTERRUPTED)

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, end)


def end_with_dvc() -> None:
    """Let this process, a stage, end as soon as DVC, which started it, has been killed.

    It would write on, into what the next `dvc repro` is making. A thread looks for all processes between
    this one and DVC, because DVC starts a shell that starts the stage.
    """
    import psutil

    from sabi.runtime.machine import process_mark

    above = []
    with suppress(psutil.Error):  # another user's, which cannot be looked into
        for process in psutil.Process().parents():
            above.append(process.pid)
            if "DVC_STAGE" not in process.environ():  # set by DVC for what it starts
                break
    marks = {pid: process_mark(pid) for pid in above}

    def watch() -> None:
        while all(process_mark(pid) == mark for pid, mark in marks.items()):
            time.sleep(PAUSE)
        with suppress(OSError):
            print("ended: DVC, which had started this stage, is gone", file=sys.stderr, flush=True)
        os._exit(1)

    threading.Thread(target=watch, name="watch DVC", daemon=True).start()
