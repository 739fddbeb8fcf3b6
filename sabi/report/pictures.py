"""Small pictures of photographs, for pages and workbooks."""

import io
from collections.abc import Sequence
from pathlib import Path

from sabi.photographs.decoding import decode
from sabi.runtime.threads import map_threads

SIDE = 160  # the longer one's pixels
MOST = 1000  # on one page; browsers and spreadsheet programs become slow with more


def thumbnails(files: Sequence[Path]) -> list[bytes]:
    """A JPEG of each photograph, upright, with its proportions."""
    return map_threads(thumbnail, files)


def thumbnail(file: Path) -> bytes:
    image = decode(file)
    image.thumbnail((SIDE, SIDE))
    stream = io.BytesIO()
    image.save(stream, format="JPEG", quality=80)
    return stream.getvalue()
