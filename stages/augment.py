"""Decodes, resizes and augments, one array a partition: `python -m stages.augment`."""

from functools import partial
from pathlib import Path

import numpy as np

from sabi.augmentation import augmented
from sabi.handover import MANIFEST, read_table
from sabi.params import Augment, Params
from sabi.partition import PARTITIONS
from sabi.photographs import decode, map_threads, resized
from sabi.stage import run

RAW = Path("data/raw")
OUT = Path("data/augment")


def fill(versions: np.ndarray, paths: list[str], params: Augment, row: int) -> None:
    """Write photograph `row` and its copies into `versions` (version, photograph, h, w, 3)."""
    versions[0, row] = resized(decode(RAW / paths[row]), params.size)
    for copy in range(1, len(versions)):
        versions[copy, row] = augmented(versions[0, row], copy, params)


def main(params: Params) -> None:
    manifest = read_table(MANIFEST)
    size = params.augment.size
    OUT.mkdir(parents=True, exist_ok=True)
    for part in PARTITIONS:
        paths = manifest.path[manifest.partition == part].tolist()
        shape = (1 + (params.augment.copies if part == "train" else 0), len(paths), size, size, 3)
        # On disk from the start: memory does not grow with the number of photographs.
        versions = np.lib.format.open_memmap(OUT / f"{part}.npy", "w+", np.uint8, shape)
        fill_row = partial(fill, versions, paths, params.augment)
        map_threads(fill_row, range(len(paths)), f"augment {part}")
        versions.flush()


if __name__ == "__main__":
    run(main)
