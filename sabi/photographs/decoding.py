"""Photographs on disk: judging whether they can be used, decoding them."""

import hashlib
import io
import math
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from sabi.photographs.files import Unusable

# What the sample generator writes into its files' headers.
DRAWING_MARK = b"sabi sample drawing, not a photograph of steel"

# Sizes are checked here against the user's limit, which may be over Pillow's.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True)
class Decoded:
    """What the `split` stage needs to know of a photograph, not its pixels."""

    sha256: str  # of the file's bytes
    pixel_sha256: str  # of the size and upright 8-bit RGB pixels
    drawing: bool  # made by sabi's sample generator
    width: int  # upright, pixels
    height: int


def decode(photograph: Path | bytes, *, min_side: int = 1, max_megapixels: float = math.inf) -> Image.Image:
    """An upright 8-bit RGB image of a JPEG or PNG file, given by its path or its bytes.

    The EXIF orientation is applied. CMYK, palette, grey and 1-bit images are
    converted; of 16-bit grey the high byte is kept; transparent parts become
    white. Of a phone's multi-picture JPEG the first picture is taken.

    Raises `Unusable` for what is no such file, is damaged or animated, has a
    side under `min_side` pixels or more than `max_megapixels` million pixels
    (checked before decoding).
    """
    source = io.BytesIO(photograph) if isinstance(photograph, bytes) else photograph
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(source, formats=("JPEG", "PNG")) as image:
            check_size(image, min_side, max_megapixels)
            frames = getattr(image, "n_frames", 1)
            if image.format == "PNG" and frames > 1:
                raise Unusable(f"animated ({frames} frames); save one frame as a PNG or JPEG")
            image.load()
            return _rgb(ImageOps.exif_transpose(image))
    except (Unusable, MemoryError):
        raise
    except Image.UnidentifiedImageError:
        size = len(photograph) if isinstance(photograph, bytes) else photograph.stat().st_size
        reason = "not a JPEG or PNG image" if size else "empty file"
        raise Unusable(reason) from None
    except Exception as error:  # Pillow's decoders raise anything on damaged files.
        detail = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise Unusable(f"cannot be decoded: {detail}") from None


def check_size(image: Image.Image, min_side: int, max_megapixels: float) -> None:
    """Raise `Unusable` for a side under `min_side` pixels, or more than `max_megapixels` million pixels."""
    width, height = image.size
    if min(width, height) < min_side:
        raise Unusable(f"{width} x {height} pixels; the shorter side must have {min_side} (split.min_side)")
    if width * height > max_megapixels * 1e6:
        raise Unusable(
            f"{width} x {height} pixels are more than {max_megapixels:g} million (split.max_megapixels)"
        )


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit grey; convert("RGB") would clip it to white
        deep = np.asarray(image).astype(np.uint32)
        transparent = image.info.get("transparency", -1)
        return Image.fromarray(np.where(deep == transparent, 255, deep >> 8).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        background = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(background, image).convert("RGB")
    # Pillow would copy: of a large photograph, a hundred megabytes in every thread.
    return image if image.mode == "RGB" else image.convert("RGB")


def examine(file: Path, *, min_side: int, max_megapixels: float) -> Decoded | Unusable:
    """Hashes and size of a photograph, or why it cannot be used."""
    try:
        image = decode(file, min_side=min_side, max_megapixels=max_megapixels)
    except Unusable as reason:
        return reason
    pixels = hashlib.sha256(repr(image.size).encode())
    pixels.update(image.tobytes())
    with file.open("rb") as stream:
        content = hashlib.file_digest(stream, "sha256")
        stream.seek(0)
        drawing = DRAWING_MARK in stream.read(1024)
    return Decoded(content.hexdigest(), pixels.hexdigest(), drawing, *image.size)


def check_coverage(
    width: int, height: int, mm_per_pixel: float | None, size: int, target: float | None
) -> None:
    """Raise `Unusable` unless a photograph shows the square that `prepared` cuts out of it.

    `width` and `height` in pixels of `mm_per_pixel`; the square has `size`
    pixels of `target` millimetres a side. Without a target everything passes.
    """
    if target is None:
        return
    if mm_per_pixel is None:
        raise Unusable(
            "its scale is unknown, but scale.target is set; give mm_per_pixel in labels.csv, "
            "or scale.photographs"
        )
    if min(width, height) * mm_per_pixel < size * target:
        raise Unusable(
            f"shows {width * mm_per_pixel:.4g} x {height * mm_per_pixel:.4g} mm; {size * target:.4g} mm are "
            "needed either way (augment.size x scale.target)"
        )


def prepared(image: Image.Image, size: int, mm_per_pixel: float | None, target: float | None) -> np.ndarray:
    """`image` as the networks see it, (size, size, 3) uint8.

    Without `target` it is stretched to a square, as the wiki's script does.
    With it, in millimetres a pixel, it is resized from `mm_per_pixel` to that
    scale and its middle is cut out; raises `Unusable` as `check_coverage` does.
    """
    middle = None
    if target is not None:
        width, height = image.size
        check_coverage(width, height, mm_per_pixel, size, target)
        assert mm_per_pixel is not None  # as was checked
        side = min(size * target / mm_per_pixel, width, height)  # never over a border by rounding
        left, top = (width - side) / 2, (height - side) / 2
        # Resizing a part gives the same pixels as cutting it out of the whole, resized; and is faster.
        middle = (left, top, left + side, top + side)
    # Pillow averages over all pixels that become one, so that fine grain leaves no false pattern.
    return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC, box=middle))
