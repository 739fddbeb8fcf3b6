"""Scores to grades, and photographs without a grade sorted by theirs: `python -m stages.binning`."""

from pathlib import Path

import pandas as pd

from sabi.grading import correction
from sabi.grading.ensembling import Ensemble
from sabi.grading.folder import grade_unlabelled
from sabi.grading.grader import Grader
from sabi.grading.held_out import doubts, explain
from sabi.grading.model import ModelSpec, save
from sabi.grading.thresholds import thresholds_for, to_grades
from sabi.photographs.features import FEATURES, in_millimetres
from sabi.runtime.determinism import fix_threads
from sabi.settings.params import Params
from sabi.stage import run
from sabi.tables import (
    MANIFEST,
    MODEL,
    TRAINED,
    read_graded,
    read_json,
    read_table,
    write_graded,
    write_json,
)

UNLABELLED, OUT = Path("data/unlabelled"), Path("data/grades")


def main(params: Params) -> None:
    rating = params.labels.rating
    manifest = read_graded(MANIFEST, rating).set_index("path")
    tables = {name: read_table(TRAINED / name / "predictions.csv") for name in params.networks}
    tables = {"ensemble": read_table("data/ensemble/scores.csv")} | tables
    thresholds = {who: thresholds_for(table, manifest, params) for who, table in tables.items()}
    shown = {who: rating.shown(values).tolist() for who, values in thresholds.items()}
    write_json(shown, OUT / "thresholds.json")
    print(f"thresholds of the ensemble: {shown['ensemble']}")
    for who, table in tables.items():
        tables[who] = table.assign(grade=to_grades(table.score.to_numpy(), thresholds[who]))
    graded = tables.pop("ensemble")
    write_graded(pd.concat(t.assign(member=who) for who, t in tables.items()), rating, OUT / "members.csv")
    features = graded[["path"]].merge(read_table("data/augment/measured.csv"), how="left")[list(FEATURES)]
    rule, reason = correction.learn(graded, features, manifest, thresholds["ensemble"], params)
    write_json(correction.described(rule, reason, rating), OUT / "correction.json")
    print(f"correction: {f'off, {reason}' if reason else 'on'}")
    corrected = correction.corrected(graded, features, rule)
    write_graded(correction.changes(graded, corrected), rating, OUT / "corrections.csv")
    ensemble = Ensemble(**read_json("data/ensemble/ensemble.json"))
    members = {member: tables[member] for member in ensemble.weights}
    doubt, training, doubted = doubts(corrected, members, manifest, thresholds["ensemble"], params)
    write_graded(doubted, rating, OUT / "grades.csv")

    spec = ModelSpec.of(params, in_millimetres(manifest), ensemble, thresholds["ensemble"], rule, doubt)
    save(MODEL, spec, TRAINED, training)
    fix_threads(1)  # for each of the batches that are embedded at once
    grader = Grader.load(MODEL)
    explain(grader, doubted, manifest, features, params.report.why, OUT / "why")
    grade_unlabelled(grader, UNLABELLED, OUT)


if __name__ == "__main__":
    run(main)
