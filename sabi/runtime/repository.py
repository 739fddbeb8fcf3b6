"""Where the repository is, also for a stage that runs in DVC's copy of it, and what git says of it."""

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
