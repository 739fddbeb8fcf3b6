"""How much memory a survey of many large photographs needs: `sabi bench --only crowd`.

Some drawings as large as a camera's photographs stand for all, under many names: whatever is
kept of a photograph that was graded would be kept of each name.
"""

import os
from pathlib import Path
from typing import Any

import pandas as pd

from sabi.bench.clones import SABI, cloned, files, line, run
from sabi.bench.laboratory import Survey, photograph
from sabi.runtime.errors import InputError
from sabi.tables import MODEL, read_json

DISTINCT = 10  # photographs, each under many names


def measure(root: Path, folder: Path, survey: Survey, counts: tuple[int, ...]) -> dict[str, Any]:
    """Seconds, and MiB of the process, of `sabi grade --engine process` for `counts` photographs of `survey`.

    The model is that of the repository in `root`; raises `InputError` if it has none.
    """
    if not (root / MODEL).is_dir():
        raise InputError(f"{root / MODEL}: no model to grade with; `make repro` makes it")
    clone = cloned(root, folder / "clone")
    photograph(folder / "photographs", survey, None, DISTINCT)
    distinct = [Path(file) for file in files(folder / "photographs")]
    points = []
    for count in counts:
        names = folder / f"names{count}"
        names.mkdir()
        for number in range(count):
            os.link(distinct[number % DISTINCT], names / f"{number:06d}.jpg")
        command = [*SABI, "grade", str(names), "--model", str(root / MODEL)]
        command += ["--out", str(folder / f"graded{count}"), "--engine", "process"]
        points.append({"photographs": count} | run(command, clone))
    table = pd.DataFrame(points)
    model = read_json(root / MODEL / "model.json")
    return {
        "points": points,
        "megapixels": survey.width**2 * 3 / 4e6,
        "side": model["size"],
        "networks": list(model["weights"]),
        "peak_mib": line(table.photographs, table.peak_mib),
    }
