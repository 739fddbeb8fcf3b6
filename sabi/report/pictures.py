"""Small pictures of photographs, for pages and workbooks."""

import base64
import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from sabi.photographs.decoding import decode_smaller
from sabi.photographs.partition import PARTITIONS
from sabi.runtime.threads import map_threads

SIDE = 160  # the longer one's pixels
MOST = 1000  # on one page; browsers and spreadsheet programs become slow with more


def thumbnails(files: Sequence[Path]) -> list[bytes]:
    """A JPEG of each photograph, upright, with its proportions."""
    return map_threads(thumbnail, files)


def thumbnail(file: Path, min_side: int = 1, max_megapixels: float = math.inf) -> bytes:
    """A JPEG of one, decoded no larger than it takes; limits, and what is raised, are those of `decode`."""
    image, _ = decode_smaller(
        file, lambda *size: max(size) / (2 * SIDE), min_side=min_side, max_megapixels=max_megapixels
    )
    return small(image)


def small(image: Image.Image, side: int = SIDE) -> bytes:
    """A JPEG of an upright image, which is made smaller in its place."""
    image.thumbnail((side, side))
    stream = io.BytesIO()
    image.save(stream, format="JPEG", quality=80)
    return stream.getvalue()


def base64_of(content: bytes) -> str:
    """As a page holds it."""
    return base64.b64encode(content).decode("ascii")


def as_trained(manifest: pd.DataFrame) -> Callable[[str], Image.Image]:
    """What gives the photograph of a path of `manifest` as the networks see it."""
    stored = {part: np.load(f"data/augment/{part}.npy", mmap_mode="r")[0] for part in PARTITIONS}
    places = {
        path: (part, row)
        for part in PARTITIONS
        for row, path in enumerate(manifest.path[manifest.partition == part])
    }

    def picture(path: str) -> Image.Image:
        part, row = places[path]
        return Image.fromarray(stored[part][row])

    return picture
