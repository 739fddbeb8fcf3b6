"""Scores to grades, and photographs without a grade sorted by theirs: `python -m stages.binning`."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from sabi import ensembling, members
from sabi.binning import to_grades, tune_thresholds
from sabi.grades import GRADES
from sabi.handover import MANIFEST, read_json, read_table, write_json, write_table
from sabi.params import Params
from sabi.photographs import Unusable, check_name, decode, find, map_threads, printable, resized
from sabi.stage import run

UNLABELLED = Path("data/unlabelled")
OUT = Path("data/grades")


def main(params: Params) -> None:
    truth = read_table(MANIFEST).set_index("path").grade
    tables = {"ensemble": read_table("data/ensemble/scores.csv")}
    for member in params.networks.model_dump():
        tables[member] = read_table(members.MEMBERS / member / "predictions.csv")

    thresholds = {}
    for who, table in tables.items():
        validation = table[table.partition == "validation"]
        thresholds[who] = (
            tune_thresholds(validation.score.to_numpy(), truth[validation.path].to_numpy())
            if params.binning.method == "tuned"
            else params.binning.thresholds
        )
        tables[who] = table.assign(grade=to_grades(table.score.to_numpy(), thresholds[who]))
    write_table(tables.pop("ensemble"), OUT / "grades.csv")
    each = [table.assign(member=member) for member, table in tables.items()]
    write_table(pd.concat(each), OUT / "members.csv")
    write_json(thresholds, OUT / "thresholds.json")
    print(f"thresholds of the ensemble: {thresholds['ensemble']}")
    grade_unlabelled(thresholds["ensemble"], params)


def grade_unlabelled(thresholds: list[float], params: Params) -> None:
    """Grade `data/unlabelled` and copy each photograph into the folder of its grade, score1..score5.

    Writes `unlabelled.csv` (path, score, grade) and `unlabelled_rejected.csv` (path, reason).
    """
    usable: dict[str, np.ndarray] = {}
    rejected = []
    found = find(UNLABELLED)

    def look(path: str) -> np.ndarray | Unusable:
        try:
            check_name(UNLABELLED, path)
            limits = {"min_side": params.split.min_side, "max_megapixels": params.split.max_megapixels}
            return resized(decode(UNLABELLED / path, **limits), params.augment.size)
        except Unusable as reason:
            return reason

    for path, result in zip(found, map_threads(look, found, "read unlabelled"), strict=True):
        if isinstance(result, Unusable):
            rejected.append((printable(path), str(result)))
        else:
            usable[path] = result
    for grade in GRADES:
        (OUT / "unlabelled" / f"score{grade}").mkdir(parents=True, exist_ok=True)
    graded = pd.DataFrame({"path": list(usable)}, dtype=str)
    graded["score"] = score(list(usable.values())) if usable else []
    graded["grade"] = to_grades(graded.score.to_numpy(float), thresholds)
    for path, grade in zip(graded.path, graded.grade, strict=True):
        target = OUT / "unlabelled" / f"score{grade}" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(UNLABELLED / path, target)
    write_table(graded, OUT / "unlabelled.csv")
    write_table(pd.DataFrame(rejected, columns=["path", "reason"]), OUT / "unlabelled_rejected.csv")
    print(f"unlabelled: {len(graded)} photographs graded, {len(rejected)} files rejected")


def score(photographs: list[np.ndarray]) -> np.ndarray:
    """Scores of the ensemble (n,) for photographs of shape (size, size, 3) uint8."""
    ensemble = read_json("data/ensemble/ensemble.json")
    pixels = np.stack(photographs)
    scores = [
        members.scorer(members.MEMBERS / member)(pixels, f"{member}: grade unlabelled")
        for member in ensemble["weights"]
    ]
    return ensembling.combine(np.stack(scores), ensemble["method"], list(ensemble["weights"].values()))


if __name__ == "__main__":
    run(main)
