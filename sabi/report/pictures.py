"""Small pictures of photographs, for pages and workbooks."""

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from sabi.photographs.decoding import decode
from sabi.runtime.threads import map_threads

SIDE = 160  # the longer one's pixels
MOST = 1000  # on one page; browsers and spreadsheet programs become slow with more


def thumbnails(files: Sequence[Path]) -> list[bytes]:
    """A JPEG of each photograph, upright, with its proportions."""
    return map_threads(thumbnail, files)


def thumbnail(file: Path) -> bytes:
    return small(decode(file))


def small(image: Image.Image) -> bytes:
    """A JPEG of an upright image, which is made smaller in its place."""
    image.thumbnail((SIDE, SIDE))
    stream = io.BytesIO()
    image.save(stream, format="JPEG", quality=80)
    return stream.getvalue()
