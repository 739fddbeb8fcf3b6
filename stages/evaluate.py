"""Judges test grades and validation scores, maps the embeddings: `python -m stages.evaluate`."""

from pathlib import Path

import numpy as np
import pandas as pd

from sabi.evaluation import projection, sets
from sabi.evaluation.agreement import agreement
from sabi.evaluation.audit import audit
from sabi.evaluation.metrics import counts, intervals, measure, score_errors
from sabi.settings.params import Params
from sabi.stage import run
from sabi.tables import (
    INSPECTORS,
    MANIFEST,
    PREDICTION_COLUMNS,
    PREDICTIONS,
    SET_COLUMNS,
    TRAINED,
    read_graded,
    read_table,
    write_graded,
    write_json,
)

OUT = Path("data/evaluate")
METRICS = Path("metrics")


def main(params: Params) -> None:
    rating = params.labels.rating
    manifest = read_graded(MANIFEST, rating)
    graded = {"ensemble": read_graded("data/grades/grades.csv", rating)}
    for member, table in read_graded("data/grades/members.csv", rating).groupby("member", sort=False):
        graded[member] = table

    metrics, bounds, validation = {}, {}, {}
    true = manifest[["path", "sha256", "specimen", "grade"]]
    for who, table in graded.items():
        known = table.merge(true, on="path", suffixes=("", "_true"))
        validation[who] = score_errors(known[known.partition == "validation"])
        test = known[known.partition == "test"]
        truth, grades, scores = (test[name].to_numpy() for name in ("grade_true", "grade", "score"))
        specimens, bootstrap = test.specimen.to_numpy(), params.evaluate.bootstrap
        metrics[who] = measure(truth, grades, scores, rating)
        bounds[who] = intervals(truth, grades, scores, specimens, rating, bootstrap)
        if who == "ensemble":
            judged = test.rename(columns={"grade_true": "actual", "grade": "predicted"})
            metrics[who] |= sets.measure(judged, rating)
            metrics[who]["counts"] = counts(truth, grades, specimens, rating)
            bounds[who] |= sets.intervals(judged, rating, bootstrap)
            write_graded(judged[PREDICTION_COLUMNS + SET_COLUMNS], rating, PREDICTIONS)
    write_json(metrics.pop("ensemble"), METRICS / "ensemble.json")
    write_json(metrics, METRICS / "members.json")
    write_json(validation, METRICS / "validation.json")
    write_json(bounds, OUT / "intervals.json")

    agreed = agreement(read_graded(INSPECTORS, rating), judged, rating)
    write_json(agreed, OUT / "agreement.json")
    seen = pd.concat([graded["ensemble"], read_table("data/ensemble/out_of_fold.csv")])
    write_graded(audit(manifest, seen), rating, OUT / "doubtful_labels.csv")
    embeddings = [np.load(TRAINED / member / "embeddings.npy") for member in params.ensemble.members]
    maps = projection.project(embeddings, params.evaluate.projection)
    maps = maps.join(manifest[["path", "partition", "grade"]], on="row").drop(columns="row")
    write_graded(maps, rating, OUT / "projections.csv")


if __name__ == "__main__":
    run(main)
