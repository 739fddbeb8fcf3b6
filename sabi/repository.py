"""Where the repository is, also for a stage that runs in DVC's copy of it."""

import os
from pathlib import Path


def repository_root() -> Path:
    """The real repository, also from a folder below it and from an experiment's copy of it.

    DVC tells in `DVC_ROOT`; by hand it is the nearest folder up that has `.dvc`.
    """
    if "DVC_ROOT" in os.environ:
        return Path(os.environ["DVC_ROOT"])
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / ".dvc").is_dir()), here)
