"""A process beside this one, for work that shares nothing with what is done meanwhile."""

import ctypes
import signal
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

PR_SET_PDEATHSIG = 1  # of Linux's prctl


def beside() -> ProcessPoolExecutor:
    """An executor of one process that knows all that this one does, and ends when this one does.

    To be used before TensorFlow starts threads, which a copy of a process does not have.
    """
    return ProcessPoolExecutor(1, get_context("fork"), initializer=_follow)


def _follow() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits for this one
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
