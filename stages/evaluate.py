"""Judges grades on the test partition, draws the maps of embeddings: `python -m stages.evaluate`."""

from pathlib import Path

import numpy as np

from sabi import projection
from sabi.handover import MANIFEST, read_table, write_json, write_table
from sabi.metrics import intervals, measure
from sabi.params import Params
from sabi.stage import run

OUT = Path("data/evaluate")
METRICS = Path("metrics")


def main(params: Params) -> None:
    manifest = read_table(MANIFEST)
    graded = {"ensemble": read_table("data/grades/grades.csv")}
    for member, table in read_table("data/grades/members.csv").groupby("member", sort=False):
        graded[member] = table

    bounds = {}
    for who, table in graded.items():
        test = table[table.partition == "test"].merge(
            manifest[["path", "specimen", "grade"]], on="path", suffixes=("", "_true")
        )
        judged = [test[column].to_numpy() for column in ("grade_true", "grade", "score")]
        write_json(measure(*judged), METRICS / f"{who}.json")
        bounds[who] = intervals(
            *judged,
            test.specimen.to_numpy(),
            resamples=params.evaluate.bootstrap.resamples,
            seed=params.evaluate.bootstrap.seed,
        )
        if who == "ensemble":
            plot = test.rename(columns={"grade_true": "actual", "grade": "predicted"})
            write_table(plot[["path", "actual", "predicted", "score"]], OUT / "predictions.csv")
    write_json(bounds, OUT / "intervals.json")

    embeddings = [np.load(f"data/members/{member}/embeddings.npy") for member in params.ensemble.members]
    maps = projection.project(embeddings, params.evaluate.projection)
    maps = maps.join(manifest[["path", "partition", "grade"]], on="row").drop(columns="row")
    write_table(maps, OUT / "projections.csv")


if __name__ == "__main__":
    run(main)
