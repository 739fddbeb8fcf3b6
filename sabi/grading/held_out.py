"""The photographs of validation and test, doubted as new ones will be."""

from pathlib import Path

import numpy as np
import pandas as pd

from sabi.grading.doubt import Doubt, Seen, learn, told
from sabi.grading.novelty import Neighbours, spread
from sabi.models.member import EMBEDDINGS, standardised
from sabi.photographs import quality
from sabi.settings.params import Params
from sabi.tables import TRAINED

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


def _features(rows: np.ndarray, members: list[str]) -> np.ndarray:
    """What the members' heads see of the photographs in these rows of the manifest, side by side."""
    return np.hstack(
        [
            standardised(TRAINED / member, np.load(TRAINED / member / EMBEDDINGS, mmap_mode="r")[rows])
            for member in members
        ]
    )
