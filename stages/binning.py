"""Scores to grades, and photographs without a grade sorted by theirs: `python -m stages.binning`."""

import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from sabi.grading import correction, ensembling
from sabi.grading.correction import Rule
from sabi.grading.thresholds import to_grades, tune_thresholds
from sabi.models import member as members
from sabi.photographs import labels
from sabi.photographs.decoding import decode, prepared
from sabi.photographs.features import FEATURES, in_millimetres, measure
from sabi.photographs.files import Unusable, check_name, find, printable
from sabi.runtime.determinism import fix_threads
from sabi.runtime.threads import map_threads
from sabi.settings.params import Params
from sabi.stage import run
from sabi.tables import MANIFEST, TRAINED, read_json, read_table, write_json, write_table

MEASURED = Path("data/augment/measured.csv")
UNLABELLED = Path("data/unlabelled")
OUT = Path("data/grades")
AT_ONCE = 256  # photographs of data/unlabelled in memory


def main(params: Params) -> None:
    manifest = read_table(MANIFEST).set_index("path")
    tables = {"ensemble": read_table("data/ensemble/scores.csv")}
    for member in params.networks:
        tables[member] = read_table(TRAINED / member / "predictions.csv")

    thresholds = {}
    for who, table in tables.items():
        validation = table[table.partition == "validation"]
        truth = manifest.grade[validation.path].to_numpy()
        thresholds[who] = (
            tune_thresholds(validation.score.to_numpy(), truth, len(params.labels.rating.names))
            if params.binning.method == "tuned"
            else params.binning.thresholds
        )
        tables[who] = table.assign(grade=to_grades(table.score.to_numpy(), thresholds[who]))
    write_json(thresholds, OUT / "thresholds.json")
    print(f"thresholds of the ensemble: {thresholds['ensemble']}")

    graded = tables.pop("ensemble")
    each = [table.assign(member=member) for member, table in tables.items()]
    write_table(pd.concat(each), OUT / "members.csv")
    rule = learn_correction(graded, thresholds["ensemble"], manifest, params)
    write_table(correct(graded, rule), OUT / "grades.csv")
    grade_unlabelled(thresholds["ensemble"], rule, in_millimetres(manifest), params)


def learn_correction(
    graded: pd.DataFrame, thresholds: list[float], manifest: pd.DataFrame, params: Params
) -> Rule | None:
    """The rule that corrects the ensemble's grades, if it is wanted and validation supports it.

    Writes `correction.json`: whether it is on, why not, and the rule.
    """
    chosen = params.binning.correction
    if chosen.method == "none":
        learnt = "binning.correction.method is none"
    else:
        validation = graded[graded.partition == "validation"]
        learnt = correction.fit(
            validation.score.to_numpy(),
            manifest.grade[validation.path].to_numpy(),
            measured(validation),
            manifest.specimen[validation.path].to_numpy(),
            thresholds,
            params.labels.rating.names.index(chosen.above) + 1,
            chosen.within,
        )
    rule = learnt if isinstance(learnt, Rule) else None
    reason = None if rule else learnt
    columns = ["distance", *FEATURES]
    made = {"on": rule is not None, "reason": reason, "rule": rule and asdict(rule) | {"columns": columns}}
    write_json(made, OUT / "correction.json")
    print(f"correction: {f'off, {reason}' if reason else 'on'}")
    return rule


def measured(table: pd.DataFrame) -> np.ndarray:
    """Measured features (n, f) of the photographs of a table, in its order."""
    return read_table(MEASURED).set_index("path").loc[table.path, list(FEATURES)].to_numpy(float)


def correct(graded: pd.DataFrame, rule: Rule | None) -> pd.DataFrame:
    """The table of path, partition, score and grade with the grades corrected by `rule`.

    Writes what it changed to `corrections.csv` (path, partition, score, before, after).
    """
    before = graded.grade
    if rule:
        after = correction.apply(rule, graded.score.to_numpy(), before.to_numpy(), measured(graded))
        graded = graded.assign(grade=after)
    changes = graded[["path", "partition", "score"]].assign(before=before, after=graded.grade)
    write_table(changes[changes.before != changes.after], OUT / "corrections.csv")
    return graded


def grade_unlabelled(thresholds: list[float], rule: Rule | None, millimetres: bool, params: Params) -> None:
    """Grade `data/unlabelled` and copy each photograph into the folder of its grade, `score<grade>`.

    Writes `unlabelled.csv` (path, score, grade) and `unlabelled_rejected.csv` (path, reason).
    """
    fix_threads(1)  # for each of the batches that are embedded at once
    ensemble = read_json("data/ensemble/ensemble.json")
    models = [read_json(TRAINED / member / "model.json") for member in ensemble["weights"]]
    wanted = rule is not None or any(model["measured"] for model in models)
    scales = labels.scales(UNLABELLED)

    def look(path: str) -> tuple[np.ndarray, list[float]] | Unusable:
        scale = scales.get(path, params.scale.photographs)
        try:
            check_name(UNLABELLED, path)
            limits = {"min_side": params.split.min_side, "max_megapixels": params.split.max_megapixels}
            image = decode(UNLABELLED / path, **limits)
            pixels = prepared(image, params.augment.size, scale, params.scale.target)
            return pixels, measure_like_training(image, scale, millimetres) if wanted else []
        except Unusable as reason:
            return reason

    found = [path for path in find(UNLABELLED) if path != labels.FILE]
    scorers = [members.scorer(TRAINED / member) for member in ensemble["weights"]] if found else []
    graded, rejected = [], []
    # Some at a time: memory does not grow with the number of photographs.
    with tqdm(total=len(found), desc="grade unlabelled", unit="photo") as bar:
        for start in range(0, len(found), AT_ONCE):
            some = found[start : start + AT_ONCE]
            seen = dict(zip(some, map_threads(look, some), strict=True))
            for path in some:
                if isinstance(seen[path], Unusable):
                    rejected.append((printable(path), str(seen.pop(path))))
            if seen:
                pixels, features = (np.array(column) for column in zip(*seen.values(), strict=True))
                each = np.stack([score(pixels, features if wanted else None) for score in scorers])
                scores = ensembling.combine(each, ensemble["method"], list(ensemble["weights"].values()))
                grades = to_grades(scores, thresholds)
                grades = correction.apply(rule, scores, grades, features) if rule else grades
                graded += zip(seen, scores, grades, strict=True)
            bar.update(len(some))

    table = pd.DataFrame(graded, columns=["path", "score", "grade"])
    write_table(table, OUT / "unlabelled.csv")
    write_table(pd.DataFrame(rejected, columns=["path", "reason"]), OUT / "unlabelled_rejected.csv")
    sort_into_folders(table, params.labels.rating.names)
    print(f"unlabelled: {len(graded)} photographs graded, {len(rejected)} files rejected")


def measure_like_training(image: Image.Image, scale: float | None, millimetres: bool) -> list[float]:
    """`FEATURES` of a photograph of `scale` millimetres a pixel in the unit of the training photographs'."""
    if millimetres and scale is None:
        raise Unusable(
            "its scale is unknown, but grains were learnt in millimetres; "
            "give mm_per_pixel in labels.csv, or scale.photographs"
        )
    features = measure(image, scale if millimetres else None)
    return [features[name] for name in FEATURES]


def sort_into_folders(graded: pd.DataFrame, names: tuple[str, ...]) -> None:
    """Copy each photograph of `data/unlabelled` into the folder of its grade; every grade has one."""
    for name in names:
        (OUT / "unlabelled" / f"score{name}").mkdir(parents=True, exist_ok=True)
    for path, grade in zip(graded.path, graded.grade, strict=True):
        target = OUT / "unlabelled" / f"score{names[grade - 1]}" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(UNLABELLED / path, target)


if __name__ == "__main__":
    run(main)
