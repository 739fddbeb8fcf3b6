"""The members' scores into one per photograph: `python -m stages.ensemble`."""

from pathlib import Path

import numpy as np

from sabi import ensembling
from sabi.handover import MANIFEST, read_table, write_json, write_table
from sabi.params import Params
from sabi.stage import run

OUT = Path("data/ensemble")


def main(params: Params) -> None:
    method = params.ensemble.method
    tables = [read_table(f"data/members/{member}/predictions.csv") for member in params.ensemble.members]
    grades = read_table(MANIFEST).set_index("path").grade
    combined = tables[0][["path", "partition"]]
    scores = np.stack([table.score for table in tables])
    validation = (combined.partition == "validation").to_numpy()
    truth = grades[combined.path[validation]].to_numpy()
    weights = ensembling.weights(scores[:, validation], truth, method)

    scores_table = combined.assign(score=ensembling.combine(scores, method, weights))
    write_table(scores_table, OUT / "scores.csv")
    made = {"method": method, "weights": dict(zip(params.ensemble.members, weights, strict=True))}
    write_json(made, OUT / "ensemble.json")
    print(f"ensemble: {made}")


if __name__ == "__main__":
    run(main)
