"""Scores to grades, and photographs without a grade sorted by theirs: `python -m stages.binning`."""

from dataclasses import asdict
from pathlib import Path

import pandas as pd

from sabi.grading import correction
from sabi.grading.ensembling import Ensemble
from sabi.grading.folder import check_graded, grade_folder, sort_into_folders
from sabi.grading.grader import Grader
from sabi.grading.model import ModelSpec, save
from sabi.grading.thresholds import to_grades, tune_thresholds
from sabi.photographs.features import FEATURES, in_millimetres
from sabi.runtime.determinism import fix_threads
from sabi.settings.params import Params
from sabi.stage import run
from sabi.tables import MANIFEST, MODEL, TRAINED, read_json, read_table, write_json, write_table

UNLABELLED, OUT = Path("data/unlabelled"), Path("data/grades")
UNLABELLED_REJECTED = OUT / "unlabelled_rejected.csv"


def main(params: Params) -> None:
    manifest = read_table(MANIFEST).set_index("path")
    tables = {name: read_table(TRAINED / name / "predictions.csv") for name in params.networks}
    tables = {"ensemble": read_table("data/ensemble/scores.csv")} | tables
    thresholds = {who: thresholds_for(table, manifest, params) for who, table in tables.items()}
    write_json(thresholds, OUT / "thresholds.json")
    print(f"thresholds of the ensemble: {thresholds['ensemble']}")
    for who, table in tables.items():
        tables[who] = table.assign(grade=to_grades(table.score.to_numpy(), thresholds[who]))

    graded = tables.pop("ensemble")
    write_table(pd.concat(table.assign(member=who) for who, table in tables.items()), OUT / "members.csv")
    features = read_table("data/augment/measured.csv").set_index("path").loc[graded.path, list(FEATURES)]
    features.index = graded.index
    rule, reason = correction.learn(graded, features, manifest, thresholds["ensemble"], params)
    columns = {"columns": ["distance", *FEATURES]}
    learnt = {"on": rule is not None, "reason": reason, "rule": rule and asdict(rule) | columns}
    write_json(learnt, OUT / "correction.json")
    print(f"correction: {f'off, {reason}' if reason else 'on'}")
    corrected = correction.corrected(graded, features, rule)
    write_table(corrected, OUT / "grades.csv")
    write_table(correction.changes(graded, corrected), OUT / "corrections.csv")

    ensemble = Ensemble(**read_json("data/ensemble/ensemble.json"))
    spec = ModelSpec.of(params, in_millimetres(manifest), ensemble, thresholds["ensemble"], rule)
    save(MODEL, spec, TRAINED)
    fix_threads(1)  # for each of the batches that are embedded at once
    unlabelled, rejected = grade_folder(Grader.load(MODEL), UNLABELLED)
    write_table(unlabelled, OUT / "unlabelled.csv")
    write_table(rejected, UNLABELLED_REJECTED)
    sort_into_folders(UNLABELLED, unlabelled, spec.grades, OUT / "unlabelled")
    told = f": {UNLABELLED_REJECTED} says why" if len(rejected) else ""
    print(f"unlabelled: {len(unlabelled)} photographs graded, {len(rejected)} files rejected{told}")
    check_graded(unlabelled, rejected, UNLABELLED)


def thresholds_for(table: pd.DataFrame, manifest: pd.DataFrame, params: Params) -> list[float]:
    """The thresholds of the scores (path, partition, score): those given, or tuned on validation."""
    if params.binning.method == "fixed":
        return params.binning.thresholds
    validation = table[table.partition == "validation"]
    truth = manifest.grade[validation.path].to_numpy()
    return tune_thresholds(validation.score.to_numpy(), truth, len(params.labels.grades))


if __name__ == "__main__":
    run(main)
