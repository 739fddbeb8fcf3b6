"""Scripts that the pipeline is measured against, `wiki_method.py` and `careful_method.py`, and their jobs."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sabi.bench.clones import architecture, run
from sabi.settings.reading import read_yaml
from sabi.tables import MANIFEST, read_table, write_json


def job_of(
    clone: Path, raw: Path, new: Sequence[str], networks: Sequence[str], work: tuple[int, int]
) -> dict[str, Any]:
    """What a script is told, as `wiki_method.py` says, but for the folder of its models.

    With the partitions and scores of the pipeline in `clone`, whose photographs lie in `raw`;
    those of test are to be graded, and those `new`. `work` is the side of photographs and epochs.
    """
    manifest = read_table(clone / MANIFEST)
    parts = {
        part: [(str(raw / path), score) for path, score in zip(rows.path, rows.soft_score, strict=True)]
        for part, rows in manifest.groupby("partition")
    }
    side, epochs = work
    return {
        "networks": [architecture(name) for name in networks],
        "side": side,
        "seed": 0,
        "epochs": epochs,
        "batch": read_yaml((clone / "params.yaml").read_text(encoding="utf-8"))["train"]["batch_size"],
        "train": parts["train"],
        "validation": parts["validation"],
        "grade": [*(file for file, _ in parts["test"]), *new],
    }


def script(name: str, job: dict[str, Any], folder: Path) -> dict[str, float]:
    """Run a script on a `job`, graded photographs into `folder`; seconds and memory as `run` tells them."""
    file = folder.with_suffix(".json")
    write_json(job | {"sorted": str(folder)}, file)
    place = Path(__file__).with_name(f"{name}.py")
    return run([sys.executable, "-P", str(place), str(file)], folder.parent)
