"""A photograph read once: judged, decoded, scaled and measured; from then on looked up by its bytes.

Decoding is most of the work where photographs have 12 or 24 megapixels, and gives
the same for the same bytes. What came of it is kept in the store, beside embeddings,
under the file's SHA-256 and what was asked for. So `split`, `augment`, `binning` and
`sabi grade` decode a photograph once between them, and never again.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from sabi.photographs.decoding import (
    DRAWING_MARK,
    Smaller,
    check_coverage,
    check_size,
    decode,
    decode_smaller,
    prepared,
)
from sabi.photographs.features import WORKING_PIXELS, measure
from sabi.photographs.files import Unusable, check_name
from sabi.runtime.fingerprint import fingerprint
from sabi.runtime.store import Store
from sabi.runtime.threads import map_threads
from sabi.settings.params import Params

# What decides a reading, beside the photograph and what is asked for.
CODE = tuple(f"sabi/photographs/{name}.py" for name in ("colour", "decoding", "features", "files", "reading"))
LIBRARIES = ("pillow-heif", "scikit-image", "simplejpeg")
AT_ONCE = 64  # photographs between two commits of the store: what a kill loses at most
# A photograph may be decoded smaller as long as each pixel that is needed is the mean of 2 x 2.
OVERSAMPLED = 2


@dataclass(frozen=True)
class Wanted:
    """What is asked of photographs: the square that networks see, and the limits."""

    size: int  # of the square, pixels a side
    target: float | None  # its millimetres a pixel; None: the photograph is stretched to it
    min_side: int  # pixels
    max_megapixels: float


def wanted_by(params: Params) -> Wanted:
    """What the pipeline asks of its photographs."""
    return Wanted(
        params.augment.size, params.scale.target, params.split.min_side, params.split.max_megapixels
    )


@dataclass(frozen=True)
class Decoded:
    """What is to be known of a photograph beside its pixels."""

    sha256: str  # of the file's bytes
    pixel_sha256: str  # of the size and the upright 8-bit RGB pixels that were decoded
    drawing: bool  # made by sabi's sample generator
    width: int  # upright, pixels
    height: int
    whole: bool  # not decoded smaller


@dataclass(frozen=True)
class Reading:
    """A photograph that was decoded."""

    decoded: Decoded
    features: dict[str, float]  # of `sabi.photographs.features`, in its pixels; none if not measured
    pixels: np.ndarray  # as `prepared` gives them; none where `check_coverage` raises


def read_all(
    photographs: Sequence[Path | bytes],
    scales: Sequence[float | None],
    wanted: Wanted,
    store: Store | None,
    label: str | None = None,
) -> Iterator[Reading | Unusable]:
    """A reading of each photograph, a file or its bytes, or why it cannot be used; in order.

    `scales` are millimetres a pixel. Those that `store` has are not decoded, and those that it
    lacks are put there, some at a time. `label` shows a progress bar.
    """
    recipe = _recipe(wanted)
    given = list(zip(photographs, scales, strict=True))
    with tqdm(total=len(given), desc=label, disable=label is None, unit="photo") as bar:
        for start in range(0, len(given), AT_ONCE):
            some = given[start : start + AT_ONCE]
            kept: list[bytes | None] = [None] * len(some)
            if store is not None:
                # Files that are then decoded are read again: to hold so many would be half a gigabyte.
                keys = map_threads(lambda one: _key(_content(one[0]), one[1], wanted), some)
                kept = store.get(recipe, keys)
            lacking = [one for one, content in zip(some, kept, strict=True) if content is None]
            read_now = map_threads(lambda one: _read(*one, wanted), lacking)
            if store is not None:
                # What cannot be used is judged again each time: memory that was short is no verdict for good.
                sound = [(key, one) for key, one in read_now if isinstance(one, Reading)]
                store.put(recipe, [key for key, _ in sound], [_packed(one) for _, one in sound])
            fresh = iter(read_now)
            for content in kept:
                yield next(fresh)[1] if content is None else _unpacked(content)
                bar.update()


def _read(
    photograph: Path | bytes, mm_per_pixel: float | None, wanted: Wanted
) -> tuple[bytes, Reading | Unusable]:
    """What a reading is kept under, empty if there is no content, and the reading."""
    content = _content(photograph)
    if isinstance(content, Unusable):
        return b"", content
    key = _key(content, mm_per_pixel, wanted)
    try:
        image, size = decode_smaller(
            content,
            _smaller(mm_per_pixel, wanted),
            min_side=wanted.min_side,
            max_megapixels=wanted.max_megapixels,
        )
    except Unusable as reason:
        return key, reason
    features = measure(image, _times(image, size))
    return key, Reading(_decoded(image, size, content), features, _seen(image, size, mm_per_pixel, wanted))


def read_array(
    pixels: np.ndarray, mm_per_pixel: float | None, wanted: Wanted, measured: bool
) -> Reading | Unusable:
    """A reading of upright sRGB pixels (height, width, 3) uint8, which are their own file.

    It is not kept, so features are `measured` only for who needs them.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        return Unusable(f"an array {pixels.shape} of {pixels.dtype}; it must be (height, width, 3) uint8")
    image = Image.fromarray(pixels)
    try:
        check_size(image, wanted.min_side, wanted.max_megapixels)
    except Unusable as reason:
        return reason
    features = measure(image) if measured else {}
    return Reading(
        _decoded(image, image.size, image.tobytes()), features, _seen(image, image.size, mm_per_pixel, wanted)
    )


def _decoded(image: Image.Image, size: tuple[int, int], content: bytes) -> Decoded:
    """Of an image that may be smaller than the photograph's `size`, decoded from `content`."""
    drawing = DRAWING_MARK in content[:1024]
    digest = hashlib.sha256(content).hexdigest()
    return Decoded(digest, _pixel_sha256(image, size), drawing, *size, image.size == size)


def _seen(
    image: Image.Image, size: tuple[int, int], mm_per_pixel: float | None, wanted: Wanted
) -> np.ndarray:
    """What networks see of an image that may be smaller than the photograph's `size`."""
    try:
        check_coverage(*size, mm_per_pixel, wanted.size, wanted.target)
    except Unusable:
        return np.zeros((0, 0, 3), np.uint8)
    scale = None if mm_per_pixel is None else mm_per_pixel * _times(image, size)
    return prepared(image, wanted.size, scale, wanted.target)


def _times(image: Image.Image, size: tuple[int, int]) -> float:
    """How many times smaller, a side, an image is than the photograph's `size`."""
    return math.sqrt(size[0] * size[1] / (image.width * image.height))


def whole_pixel_sha256(file: Path) -> str:
    """The `Decoded.pixel_sha256` of a photograph decoded whole; raises `Unusable` as `decode` does."""
    image = decode(file)
    return _pixel_sha256(image, image.size)


def _pixel_sha256(image: Image.Image, size: tuple[int, int]) -> str:
    pixels = hashlib.sha256(repr(size).encode())
    pixels.update(image.tobytes())
    return pixels.hexdigest()


def _content(photograph: Path | bytes) -> bytes | Unusable:
    if isinstance(photograph, bytes):
        return photograph
    try:
        check_name(photograph)
        return photograph.read_bytes()
    except Unusable as reason:
        return reason
    except FileNotFoundError:
        return Unusable("there is no such file; it was moved, or is a link that leads nowhere")
    except OSError as error:
        return Unusable(f"cannot be decoded: {error.strerror}")


def _smaller(mm_per_pixel: float | None, wanted: Wanted) -> Smaller:
    """How many times smaller, a side, photographs may be decoded for what is wanted of them."""

    def smaller(width: int, height: int) -> float:
        measured = math.sqrt(width * height / WORKING_PIXELS)
        if wanted.target is None:
            seen = min(width, height) / wanted.size
        else:
            seen = wanted.target / mm_per_pixel if mm_per_pixel else math.inf
        return min(measured, seen) / OVERSAMPLED

    return smaller


@cache
def _recipe(wanted: Wanted) -> str:
    values = asdict(wanted) | {"libraries": [version(library) for library in LIBRARIES]}
    return fingerprint(values, CODE)


def _key(content: bytes | Unusable, mm_per_pixel: float | None, wanted: Wanted) -> bytes:
    """What a reading is kept under; empty if there is no content."""
    if isinstance(content, Unusable):
        return b""
    scale = None if wanted.target is None else mm_per_pixel
    return hashlib.sha256(f"{scale!r} ".encode() + hashlib.sha256(content).digest()).digest()


def _packed(reading: Reading) -> bytes:
    told = {
        "decoded": asdict(reading.decoded),
        "features": reading.features,
        "shape": reading.pixels.shape,
    }
    return json.dumps(told).encode() + b"\n" + reading.pixels.tobytes()


def _unpacked(content: bytes) -> Reading:
    header, _, pixels = content.partition(b"\n")
    told = json.loads(header)
    array = np.frombuffer(pixels, np.uint8).reshape(told["shape"])
    return Reading(Decoded(**told["decoded"]), told["features"], array)
