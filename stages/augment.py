"""Decodes, scales, measures and augments, one array a partition: `python -m stages.augment`."""

import math
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from sabi.photographs.augmentation import augmented
from sabi.photographs.decoding import decode, prepared
from sabi.photographs.features import in_millimetres, measure
from sabi.photographs.partition import PARTITIONS
from sabi.report.contact_sheet import paste
from sabi.report.grade_labels import grade_labels
from sabi.runtime.threads import map_threads
from sabi.settings.augment import Augment
from sabi.settings.params import Params
from sabi.stage import run
from sabi.tables import MANIFEST, read_table, write_table

RAW = Path("data/raw")
OUT = Path("data/augment")
# Of the contact sheet: the copies beside a photograph.
SHOWN_COPIES = range(1, 7)


def main(params: Params) -> None:
    manifest = read_table(MANIFEST)
    size = params.augment.size
    OUT.mkdir(parents=True, exist_ok=True)
    measured = {}
    for part in PARTITIONS:
        rows = manifest[manifest.partition == part]
        shape = (1 + (params.augment.copies if part == "train" else 0), len(rows), size, size, 3)
        # On disk from the start: memory does not grow with the number of photographs.
        versions = np.lib.format.open_memmap(OUT / f"{part}.npy", "w+", np.uint8, shape)
        read = partial(read_and_measure, versions[0], in_millimetres(manifest), params)
        features = map_threads(
            read, zip(range(len(rows)), rows.path, rows.mm_per_pixel, strict=True), f"augment {part}"
        )
        measured |= dict(zip(rows.path, features, strict=True))
        if part == "train":
            draw_sheet(versions[0], rows, params).save(OUT / "copies.png")
            scores = add_copies(versions, rows.soft_score.to_numpy(float), params.augment)
            np.save(OUT / "train_scores.npy", scores)
        versions.flush()
    table = pd.DataFrame([{"path": path} | measured[path] for path in manifest.path])
    write_table(table, OUT / "measured.csv")


def read_and_measure(
    pixels: np.ndarray, millimetres: bool, params: Params, photograph: tuple[int, str, float]
) -> dict[str, float]:
    """Write a photograph (row, path, millimetres a pixel or NaN) into its row of `pixels`; its features.

    The features are in `millimetres` or in the photograph's pixels.
    """
    row, path, scale = photograph
    mm_per_pixel = None if math.isnan(scale) else scale
    image = decode(RAW / path)
    pixels[row] = prepared(image, params.augment.size, mm_per_pixel, params.scale.target)
    return measure(image, mm_per_pixel if millimetres else None)


def add_copies(versions: np.ndarray, scores: np.ndarray, params: Augment) -> np.ndarray:
    """Fill all but the first of `versions` (version, n, h, w, 3) with copies of it.

    Returns what each version is trained on, (version, n) float64; `scores` (n,) are the first's.
    """
    aims = np.tile(scores, (len(versions), 1))

    def fill(row: int) -> None:
        for copy in range(1, len(versions)):
            copies, aim = augmented(versions[0], scores, [row], copy, params)
            versions[copy, row], aims[copy, row] = copies[0], aim[0]

    if len(versions) > 1:
        map_threads(fill, range(len(scores)), "augment copies")
    return aims


def draw_sheet(pixels: np.ndarray, rows: pd.DataFrame, params: Params) -> Image.Image:
    """Two photographs of each grade with their copies beside them, as an image.

    `pixels` (n, size, size, 3) are the training photographs, `rows` (n,) theirs of the manifest.
    """
    scores = rows.soft_score.to_numpy(float)
    strips = []
    for number, name in zip(params.labels.rating.numbers, grade_labels(params.labels.rating), strict=True):
        found = np.flatnonzero(rows.grade == number)
        # From both ends, because neighbours are of one specimen.
        for row in sorted({*found[:1], *found[-1:]}):
            copies = [augmented(pixels, scores, [row], copy, params.augment)[0][0] for copy in SHOWN_COPIES]
            strips.append((name, [pixels[row], *copies]))
    return paste(strips, ["original", *(f"copy {copy}" for copy in SHOWN_COPIES)])


if __name__ == "__main__":
    run(main)
