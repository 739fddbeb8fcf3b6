"""Decodes, scales, measures and augments, one array a partition: `python -m stages.augment`."""

import math
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from sabi.photographs.augmentation import add_copies
from sabi.photographs.decoding import decode, prepared
from sabi.photographs.features import in_millimetres, measure
from sabi.photographs.partition import PARTITIONS
from sabi.report.contact_sheet import sheet_of_copies
from sabi.runtime.threads import map_threads
from sabi.settings.params import Params
from sabi.stage import run
from sabi.tables import MANIFEST, new_array, read_graded, write_table

RAW = Path("data/raw")
OUT = Path("data/augment")


def main(params: Params) -> None:
    manifest = read_graded(MANIFEST, params.labels.rating)
    size = params.augment.size
    OUT.mkdir(parents=True, exist_ok=True)
    measured: dict[str, dict[str, float]] = {}
    for part in PARTITIONS:
        rows = manifest[manifest.partition == part]
        shape = (1 + (params.augment.copies if part == "train" else 0), len(rows), size, size, 3)
        # On disk from the start: memory does not grow with the number of photographs.
        versions = new_array(OUT / f"{part}.npy", shape)
        read = partial(read_and_measure, versions[0], in_millimetres(manifest), params)
        features = map_threads(
            read, zip(range(len(rows)), rows.path, rows.mm_per_pixel, strict=True), f"augment {part}"
        )
        measured |= dict(zip(rows.path, features, strict=True))
        if part == "train":
            sheet = sheet_of_copies(versions[0], rows, params.labels.rating, params.augment)
            sheet.save(OUT / "copies.png")
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


if __name__ == "__main__":
    run(main)
