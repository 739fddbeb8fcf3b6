"""The members' scores into one per photograph: `python -m stages.ensemble`."""

import shutil
from pathlib import Path

import numpy as np

from sabi.grading import ensembling
from sabi.networks import STANDARD
from sabi.settings.params import Params
from sabi.stage import run
from sabi.tables import MANIFEST, TRAINED, read_graded, read_table, write_json, write_table

METRICS = Path("metrics/train")
OUT = Path("data/ensemble")


def main(params: Params) -> None:
    remove_former_candidates([*STANDARD, *params.networks])
    method = params.ensemble.method
    tables = [read_table(TRAINED / member / "predictions.csv") for member in params.ensemble.members]
    grades = read_graded(MANIFEST, params.labels.rating).set_index("path").grade
    combined = tables[0][["path", "partition"]]
    scores = np.stack([table.score for table in tables])
    validation = (combined.partition == "validation").to_numpy()
    truth = grades[combined.path[validation]].to_numpy()
    weights = ensembling.weights(scores[:, validation], truth, method)

    scores_table = combined.assign(score=ensembling.combine(scores, method, weights))
    write_table(scores_table, OUT / "scores.csv")
    by_member = dict(zip(params.ensemble.members, weights, strict=True))
    unseen = [read_table(TRAINED / member / "out_of_fold.csv") for member in params.ensemble.members]
    if any(table.empty for table in unseen):  # of a member that no cross-validation has scored
        unseen = [table[:0] for table in unseen]
    scores = np.stack([table.score for table in unseen])
    combined = unseen[0].assign(score=ensembling.combine(scores, method, weights))
    write_table(combined, OUT / "out_of_fold.csv")
    made = ensembling.Ensemble(method=method, weights=by_member).model_dump()
    write_json(made, OUT / "ensemble.json")
    print(f"ensemble: {made}")


def remove_former_candidates(networks: list[str]) -> None:
    """Delete what an earlier set of candidates left: networks that no stage of today's trains.

    `data/networks` is a dependency as a whole, because `dvc.yaml` cannot list the
    candidates' here; what lies there must not depend on what was tried before.
    DVC reads it again after this stage.
    """
    for left in TRAINED.iterdir():
        if left.name not in networks:
            shutil.rmtree(left) if left.is_dir() else left.unlink()
            (METRICS / f"{left.name}.json").unlink(missing_ok=True)


if __name__ == "__main__":
    run(main)
