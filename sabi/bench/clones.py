"""Clones of the commit that is measured, commands that run in them, and the line through what they took."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from sabi.networks import NETWORKS, Application
from sabi.runtime.determinism import PINNED
from sabi.runtime.errors import InputError
from sabi.runtime.repository import environment_for_another_repository, git

RAW, UNLABELLED = Path("data/raw"), Path("data/unlabelled")
REPRO = ["dvc", "repro"]
SABI = [sys.executable, "-m", "sabi.cli"]  # by the code of the clone it is run in


def change(folder: Path, settings: dict[str, Any]) -> None:
    """Set values, by dotted names, in a clone's `params.yaml`."""
    file = folder / "params.yaml"
    yaml = YAML()
    values = yaml.load(file.read_text(encoding="utf-8"))
    for name, value in settings.items():
        *sections, last = name.split(".")
        section = values
        for part in sections:
            section = section[part]
        section[last] = value
    with file.open("w", encoding="utf-8") as stream:
        yaml.dump(values, stream)


def run(command: list[str], folder: Path) -> dict[str, float]:
    """Run a command in `folder`: its seconds, and the memory in MiB of the largest process it started.

    Raises `InputError` if it fails.
    """
    # What is pinned here is pinned by sabi's own processes themselves; the wiki's are free of it.
    # Neither side is to use a GPU.
    kept = {name: value for name, value in environment_for_another_repository().items() if name not in PINNED}
    kept |= {name: PINNED[name] for name in ("CUDA_VISIBLE_DEVICES", "TF_CPP_MIN_LOG_LEVEL")}
    start = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, env=kept)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise InputError(f"{' '.join(command)}: failed in a clone of the commit; see above")
    return {"seconds": round(seconds, 2), "peak_mib": round(usage.ru_maxrss / 1024)}


def architecture(name: str) -> str:
    """The name in `keras.applications` of a network that is from there."""
    network = NETWORKS[name]
    assert isinstance(network, Application), name
    return network.architecture


def cloned(root: Path, folder: Path) -> Path:
    """A clone of the commit in `folder`, without photographs, caches and stored embeddings."""
    git("clone", "--quiet", "--no-hardlinks", str(root), str(folder))
    return folder


def files(folder: Path) -> list[str]:
    """The paths of a folder's photographs, in order."""
    return [str(file) for file in sorted(folder.iterdir())]


def equal_work(side: int, epochs: int) -> dict[str, Any]:
    """The settings by which the pipeline does what the wiki's method does, and no epoch less."""
    return {
        "augment.size": side,
        "augment.copies": 0,
        "train.head": "dense",
        "train.pooling.layers": "last_block",
        "train.pooling.statistics": "mean",
        "train.epochs": epochs,
        "train.patience": epochs,
    }


def members_of(networks: Sequence[str]) -> Sequence[str]:
    """The smaller set of members that is measured."""
    return networks[-2:]


def changed(clone: Path, networks: Sequence[str]) -> dict[str, dict[str, float]]:
    """What a run takes with another "loss", then with other "members"; then all are members again."""
    change(clone, {"train.loss.penalty": 2.0})
    seconds = {"loss": run(REPRO, clone)}
    change(clone, {"ensemble.members": list(members_of(networks))})
    seconds["members"] = run(REPRO, clone)
    change(clone, {"ensemble.members": list(networks)})
    run(REPRO, clone)
    return seconds


def line(counts: pd.Series, values: pd.Series) -> dict[str, float]:
    """The least-squares line through `values` (n,) over `counts` (n,): slope, start, R^2."""
    slope, start = np.polyfit(counts, values, 1)
    fitted = start + slope * counts
    spread = ((values - values.mean()) ** 2).sum()
    missed = ((values - fitted) ** 2).sum()
    return {"slope": float(slope), "start": float(start), "r2": float(1 - missed / spread) if spread else 1.0}
