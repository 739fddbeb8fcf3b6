"""Decodes, scales, measures and augments, one array a partition: `python -m stages.augment`."""

import math
from pathlib import Path

import numpy as np
import pandas as pd

from sabi.photographs.augmentation import add_copies
from sabi.photographs.features import in_millimetres, in_unit
from sabi.photographs.files import Unusable
from sabi.photographs.partition import PARTITIONS
from sabi.photographs.reading import read_all, wanted_by
from sabi.report.contact_sheet import sheet_of_copies
from sabi.runtime.errors import InputError
from sabi.runtime.store import Store
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
    millimetres = in_millimetres(manifest)
    for part in PARTITIONS:
        rows = manifest[manifest.partition == part]
        shape = (1 + (params.augment.copies if part == "train" else 0), len(rows), size, size, 3)
        # On disk from the start: memory does not grow with the number of photographs.
        versions = new_array(OUT / f"{part}.npy", shape)
        scales = [None if math.isnan(scale) else scale for scale in rows.mm_per_pixel]
        files = [RAW / path for path in rows.path]
        with Store() as store:
            readings = read_all(files, scales, wanted_by(params), store, f"augment {part}")
            known = zip(rows.path, rows.sha256, scales, readings, strict=True)
            for row, (path, sha256, scale, reading) in enumerate(known):
                if isinstance(reading, Unusable) or reading.decoded.sha256 != sha256:
                    raise InputError(f"{RAW / path}: has changed since `split`; run `dvc repro` again")
                versions[0, row] = reading.pixels
                measured[path] = in_unit(reading.features, scale if millimetres else None)
        if part == "train":
            sheet = sheet_of_copies(versions[0], rows, params.labels.rating, params.augment)
            sheet.save(OUT / "copies.png")
            scores = add_copies(versions, rows.soft_score.to_numpy(float), params.augment)
            np.save(OUT / "train_scores.npy", scores)
        versions.flush()
    table = pd.DataFrame([{"path": path} | measured[path] for path in manifest.path])
    write_table(table, OUT / "measured.csv")


if __name__ == "__main__":
    run(main)
