"""The machine that a process runs on: whether it can give the same bits, and what it and the process are."""

import platform
import sys
from pathlib import Path

from sabi.runtime.determinism import WISHED_THREADS
from sabi.runtime.errors import InputError


def check_machine() -> None:
    """Raise `InputError` on a machine that cannot give the same bits, or is not set up to run anything."""
    cpuinfo = Path("/proc/cpuinfo")
    flags = cpuinfo.read_text(encoding="utf-8").split() if cpuinfo.exists() else []
    if platform.machine() != "x86_64" or not {"avx2", "fma"} <= set(flags):
        raise InputError(
            f"this {platform.machine()} processor lacks AVX2 or FMA; "
            "the same bits need Linux on an x86-64 processor that has both"
        )
    if sys.getfilesystemencoding() != "utf-8":
        raise InputError(
            f"the locale's file names are {sys.getfilesystemencoding()}, not UTF-8; "
            "run `export PYTHONUTF8=1` first"
        )
    if not WISHED_THREADS.isdecimal():
        raise InputError(
            f"TF_NUM_INTRAOP_THREADS = {WISHED_THREADS!r}: not a number of threads; "
            "set one, or unset it for one a core"
        )


def processor() -> str:
    """The processor's own name, to know on which kinds a result was obtained."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "unknown")


def process_mark(pid: int) -> str | None:
    """What tells a running process from all others, also from later ones with its number; None if it is gone.

    The number, its start in ticks of the clock, and the start of the machine, which that clock counts from.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the program's name in brackets, which may hold anything.
    fields = text.rpartition(")")[2].split()
    state, start = fields[0], fields[19]
    if state in "ZX":  # it has ended; only its parent has not asked for its status yet
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    return f"{pid} {start} {boot}"
