"""Where the repository is, also for a stage in DVC's copy of it; what git says of it, what DVC needs."""

import fcntl
import json
import os
import subprocess
from pathlib import Path

from sabi.runtime.errors import InputError


def repository_root() -> Path:
    """The real repository, also from a folder below it and from an experiment's copy of it.

    DVC tells in `DVC_ROOT`; by hand it is the nearest folder up that has `.dvc`.
    """
    if "DVC_ROOT" in os.environ:
        return Path(os.environ["DVC_ROOT"])
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / ".dvc").is_dir()), here)


def git(*arguments: str) -> str:
    """What a git command prints; raises `InputError` if it fails."""
    result = subprocess.run(["git", *arguments], capture_output=True, text=True)
    if result.returncode:
        raise InputError(f"git {' '.join(arguments)}: {result.stderr.strip()}")
    return result.stdout


def environment_for_another_repository() -> dict[str, str]:
    """This process's environment without what names a repository or its stores, to run in another one."""
    others = ("DVC_", "GIT_", "MLFLOW_")
    return {name: value for name, value in os.environ.items() if not name.startswith(others)}


def mend_dvc() -> str | None:
    """Remove DVC's list of who reads and writes what where it was damaged; says so, or None.

    A DVC that is killed while it writes `.dvc/tmp/rwlock` leaves it empty or half, and every later one
    refuses to run (DVC 3.67). The list is only written by who holds the lock beside it; nobody does now,
    so nobody is named in it who is not gone.
    """
    listed = repository_root() / ".dvc/tmp/rwlock"
    if not listed.exists():
        return None
    with listed.with_name("rwlock.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None  # a DVC that is alive is writing it
        try:
            json.loads(listed.read_bytes())
        except ValueError:
            listed.unlink()
            return f"{listed}: left damaged by a DVC that was killed; removed"
    return None
