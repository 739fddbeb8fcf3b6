"""What was graded in data/unlabelled, as the report shows it, and what tells it from every other run."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from sabi.grades import Grades
from sabi.grading.model import identity
from sabi.grading.specimens import ACT, SOUND, WATCH, action, roll_up
from sabi.photographs import measurements
from sabi.photographs.dates import date_of
from sabi.photographs.partition import specimen_of
from sabi.report.pictures import as_trained, small, thumbnails
from sabi.settings.params import Params
from sabi.tables import MODEL, read_graded, read_measurements, read_table

TABLE = Path("data/grades/unlabelled.csv")
MEASURED = Path("data/grades/unlabelled_measurements.csv")
SORTED = Path("data/grades/unlabelled")
UNLIKE = 6  # that are shown beside the nearest that is known
MOST = 200  # pictures of the worst: the report is written in seconds, and mailed
TRACKED = ("data/raw", "data/unlabelled")


def graded_photographs(params: Params) -> pd.DataFrame:
    """The table that `binning` wrote with specimen, bridge, date, position, action and file, worst first.

    Specimen, bridge and date are empty where they are not known; scores are on the scale of the names.
    At the end is what the survey measured.
    """
    table, rating = read_table(TABLE), params.labels.rating
    bridge = params.report.bridge
    files = [SORTED / f"score{grade}" / path for grade, path in zip(table.grade, table.path, strict=True)]
    positions = read_graded(TABLE, rating).grade
    known = table.assign(
        specimen=[specimen_of(path, params.split.specimen) or "" for path in table.path],
        bridge=[(bridge and specimen_of(path, bridge)) or "" for path in table.path],
        date=[date_of(path, file) for path, file in zip(table.path, files, strict=True)],
        position=positions,
        action=[action(position, rating) for position in positions],
        file=files,
    )
    known = known.merge(read_measurements(MEASURED), on="path", how="left")
    return known.sort_values(["position", "score", "path"], kind="stable", ignore_index=True)


def summed_up(graded: pd.DataFrame, rating: Grades) -> dict[str, Any]:
    """What is to be said of all of them: `counts` by action, `newest` (a day or empty), `groups`.

    `to_look_at` is a number. `groups` has rows by "bridge" and by "specimen", each where any is known,
    with medians of the `measurements`, names of columns.
    """
    return {
        "counts": [(name, int((graded.action == name).sum())) for name in (ACT, WATCH, SOUND)],
        "newest": max(graded.date, default=""),
        "measurements": measurements.names(graded),
        "to_look_at": int((graded["look"] != "").sum()),
        "groups": {
            by: roll_up(graded, by, rating).to_dict("records")
            for by in ("bridge", "specimen")
            if graded[by].any()
        },
    }


def pictures_of(graded: pd.DataFrame) -> list[tuple[dict[str, Any], bytes]]:
    """The worst with a small picture of each, a JPEG."""
    shown = graded[:MOST]
    return list(zip(shown.drop(columns="file").to_dict("records"), thumbnails(shown.file), strict=True))


def most_unlike(graded: pd.DataFrame, manifest: pd.DataFrame) -> list[dict[str, Any]]:
    """Those that are unlike what the networks have learnt from, the farthest first, `UNLIKE` at most.

    Each with JPEGs of itself, `picture`, and of the training photograph nearest to it, `known`.
    """
    unlike = np.array(["unlike" in look.split() for look in graded["look"]], bool)
    farthest = graded[unlike].sort_values("distance", ascending=False, kind="stable")[:UNLIKE]
    picture = as_trained(manifest)
    known = [small(picture(path)) for path in farthest.nearest]
    pictures = zip(thumbnails(farthest.file), known, strict=True)
    rows = farthest.drop(columns="file").to_dict("records")
    return [
        row | {"picture": mine, "known": other} for row, (mine, other) in zip(rows, pictures, strict=True)
    ]


def origin() -> tuple[dict[str, str], str]:
    """DVC's hash of each folder of photographs that it tracks, and the model's identity.

    Not the commit: the page is one of its files, and a file cannot hold its own commit's hash.
    """
    hashes = {}
    for folder in TRACKED:
        tracked = Path(f"{folder}.dvc")
        if tracked.exists():
            output = yaml.safe_load(tracked.read_text(encoding="utf-8"))["outs"][0]
            hashes[folder] = output.get("md5", "–")
    return hashes, identity(MODEL)
