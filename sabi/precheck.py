"""What `dvc repro` would stop at, or DVC stumble over, told before it starts: `sabi precheck`."""

from pathlib import Path

from sabi.photographs.precheck import unreadable
from sabi.runtime.errors import InputError
from sabi.runtime.repository import repository_root, unfit_for_experiments
from sabi.settings.loading import load

PHOTOGRAPHS = (Path("data/raw"), Path("data/unlabelled"))


def errors() -> list[str]:
    """A line for each thing that `dvc repro` would stop at. Raises `InputError` as `unreadable` does."""
    lines = []
    try:
        # DVC reads it first, and tells of what it cannot read no place.
        load()
    except InputError as error:
        lines.append(str(error))
    path = str(repository_root().resolve())
    if "{" in path or "}" in path:
        lines.append(f"{path}: DVC cannot run where a folder's name has {{ or }}; rename the folder")
    return lines + [line for folder in PHOTOGRAPHS for line in unreadable(folder)]


def notes() -> list[str]:
    """A line for each thing that `dvc repro` can do without, but not other commands."""
    root = repository_root()
    lines = [reason] if (reason := unfit_for_experiments(root)) else []
    config = root / ".dvc/config"
    if config.is_file() and not config.stat().st_size:
        lines.append(
            f"{config.relative_to(root)} is empty, as `dvc remote add` leaves it for a folder whose path is "
            "not in plain letters; `git checkout .dvc/config`, then add a link (`ln -s`) to that folder"
        )
    return lines
