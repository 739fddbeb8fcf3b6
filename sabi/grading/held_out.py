"""The photographs of validation and test, doubted as new ones will be."""

from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from sabi.grading.doubt import Doubt, Seen, learn, told
from sabi.grading.grader import Grader
from sabi.grading.novelty import Neighbours, spread
from sabi.models.member import EMBEDDINGS, standardised
from sabi.photographs import quality
from sabi.settings.params import Params
from sabi.tables import TRAINED, write_table

AUGMENTED = Path("data/augment")
PARTITIONS = ("validation", "test")


def _training(manifest: pd.DataFrame, members: list[str]) -> Neighbours:
    """Those of `manifest`, by path in the order of the embeddings, that new ones are held against."""
    rows = np.flatnonzero(manifest.partition == "train")
    rows = rows[spread(len(rows))]
    return Neighbours(manifest.index[rows].tolist(), _features(rows, members))


def doubts(
    graded: pd.DataFrame,
    scored: dict[str, pd.DataFrame],
    manifest: pd.DataFrame,
    thresholds: list[float],
    params: Params,
) -> tuple[Doubt, Neighbours, pd.DataFrame]:
    """What validation teaches about doubt, the training photographs, and `graded` with what is doubted.

    `graded` (path, partition, score, grade by position) are validation, then test, in the
    manifest's order, `scored` the tables of the ensemble's members, `manifest` is by path.
    """
    members, rating = list(scored), params.labels.rating
    training = _training(manifest, members)
    known = manifest.assign(row=range(len(manifest))).loc[graded.path]
    distances, nearest = training.nearest(_features(known.row.to_numpy(), members))
    pictures = np.concatenate([np.load(AUGMENTED / f"{part}.npy", mmap_mode="r")[0] for part in PARTITIONS])
    sharpness = np.array([quality.sharpness(picture) for picture in pictures])

    held = (graded.partition == "validation").to_numpy()
    validation = pd.DataFrame(
        {"score": graded.score, "actual": known.grade.to_numpy(), "specimen": known.specimen.to_numpy()}
    )
    doubt = learn(validation[held], distances[held], sharpness[held], rating, params.evaluate)
    each = np.stack([table.score for table in scored.values()])
    faults = [
        quality.fault(picture, sharp, doubt.sharpness)
        for picture, sharp in zip(pictures, sharpness, strict=True)
    ]
    seen = Seen(graded.score.to_numpy(), each, distances, nearest, faults)
    found = told(doubt, seen, graded.grade.to_numpy(), thresholds, rating)
    return doubt, training, graded.assign(**found.set_index(graded.index))


def misgraded(judged: pd.DataFrame) -> pd.DataFrame:
    """The rows whose grade `predicted` is not the `actual`, those whose `score` is farthest from it first."""
    wrong = judged[judged.predicted != judged.actual]
    far = (wrong.score - wrong.actual).abs()
    return wrong.loc[far.sort_values(ascending=False, kind="stable").index]


def explain(
    grader: Grader,
    graded: pd.DataFrame,
    manifest: pd.DataFrame,
    features: pd.DataFrame,
    count: int,
    out: Path,
) -> None:
    """Show in PNGs in `out` what pulls the scores of the `count` worst misgraded test photographs.

    `graded` is as for `doubts`, `features` are measured in the same photographs, `manifest` is by
    path. The table `photographs.csv` has the path of each file. Embeddings are kept: the worst often
    stay the worst when heads or members change.
    """
    test = graded[graded.partition == "test"]
    pixels = np.load(AUGMENTED / "test.npy", mmap_mode="r")[0]
    row_of = {path: row for row, path in enumerate(test.path)}
    judged = test.assign(predicted=test.grade, actual=manifest.grade.loc[test.path].to_numpy())
    worst = misgraded(judged)[:count]
    out.mkdir(parents=True, exist_ok=True)
    files = [f"{place}.png" for place in range(1, len(worst) + 1)]
    for file, row in zip(tqdm(files, desc="why", unit="photo"), worst.itertuples(), strict=True):
        seen = np.asarray(pixels[row_of[row.path]])
        grader.explained(seen, features.loc[row.Index].tolist(), keep=True).save(out / file)
    write_table(pd.DataFrame({"path": worst.path, "file": files}), out / "photographs.csv")


def _features(rows: np.ndarray, members: list[str]) -> np.ndarray:
    """What the members' heads see of the photographs in these rows of the manifest, side by side."""
    return np.hstack(
        [
            standardised(TRAINED / member, np.load(TRAINED / member / EMBEDDINGS, mmap_mode="r")[rows])
            for member in members
        ]
    )
