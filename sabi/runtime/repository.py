"""Where the repository is, also for a stage in DVC's copy of it; what git says of it, what DVC needs."""

import fcntl
import json
import os
import subprocess
from pathlib import Path

import yaml

from sabi.runtime.errors import InputError


def repository_root() -> Path:
    """The real repository, also from a folder below it and from an experiment's copy of it.

    DVC tells in `DVC_ROOT`; by hand it is the nearest folder up that has `.dvc`.
    """
    if "DVC_ROOT" in os.environ:
        return Path(os.environ["DVC_ROOT"])
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / ".dvc").is_dir()), here)


def unfit_for_experiments(root: Path) -> str | None:
    """Why DVC's queue and `--temp` fail in a repository at `root`, with the way out; None if they do not.

    DVC writes the path into a file in ASCII, and takes it for a part of a URL, in which `#`, `?` and `%` end
    or change it; the result of an experiment is then lost, some without a word.
    """
    path = str(root.resolve())
    wrong = sorted({c for c in path if not c.isascii() or c in "#?%"})
    if not wrong:
        return None
    return (
        f"DVC cannot run experiments (--queue, --temp) below {path}: its path has {' '.join(wrong)}; "
        "move the repository to a folder named with plain letters"
    )


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


def mend_dvc() -> list[str]:
    """Put right what a DVC that was killed, or had no space, left cut off; a line for each such file.

    DVC 3.67 empties these files before it writes them, and refuses to run where it finds them so:
    `.dvc/tmp/rwlock`, who reads and writes what, is removed, for nobody does; `dvc.lock` becomes that of
    the commit, or is removed where there is none, for DVC knows by its cache what was made since.
    Nothing is touched while a DVC holds its lock.
    """
    root = repository_root()
    listed, lock = root / ".dvc/tmp/rwlock", root / "dvc.lock"
    lines: list[str] = []
    if not listed.parent.is_dir():
        return lines
    with listed.with_name("lock").open("a") as one, listed.with_name("rwlock.lock").open("a") as other:
        try:
            for held in (one, other):
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return lines
        if listed.exists() and not _is_json(listed.read_bytes()):
            listed.unlink()
            lines.append(f"{listed}: left damaged by a DVC that was killed; removed")
        if lock.exists() and not _is_whole(lock.read_bytes()):
            command = ["git", "-C", str(root), "show", "HEAD:./dvc.lock"]
            committed = subprocess.run(command, capture_output=True)
            if committed.returncode:
                lock.unlink()
            else:
                partial = lock.with_name("dvc.lock.partial")
                partial.write_bytes(committed.stdout)
                partial.replace(lock)
            done = "removed" if committed.returncode else "now the commit's"
            lines.append(f"{lock}: left cut off by a DVC that was killed or had no space; {done}")
    return lines


def _is_json(content: bytes) -> bool:
    try:
        json.loads(content)
    except ValueError:
        return False
    return True


def _is_whole(lock: bytes) -> bool:
    """Whether a `dvc.lock` has been written to its end, or is a merge's, which is not to be touched."""
    if b"<<<<<<<" in lock:
        return True
    try:
        read = yaml.load(lock, yaml.CSafeLoader)
        entries = [read["schema"], *(entry["cmd"] for entry in read["stages"].values())]
        items = [
            item
            for entry in read["stages"].values()
            for kind in ("deps", "outs")
            for item in entry.get(kind, [])
        ]
        return lock.endswith(b"\n") and all(entries) and all({"path", "md5"} <= item.keys() for item in items)
    except (yaml.YAMLError, TypeError, KeyError, AttributeError):
        return False
