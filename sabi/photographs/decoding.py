"""Photographs on disk: judging whether they can be used, decoding them."""

import io
import math
import re
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pillow_heif
import simplejpeg
from PIL import ExifTags, Image, TiffImagePlugin

from sabi.photographs.colour import to_srgb
from sabi.photographs.files import Unusable

# Pillow knows HEIC after this alone. One thread each, because photographs are decoded at once already.
pillow_heif.register_heif_opener(decode_threads=1)
FORMATS = ("JPEG", "PNG", "HEIF", "TIFF", "WEBP")  # a phone's multi-picture MPO is opened as JPEG

PNG = b"\x89PNG\r\n\x1a\n"
KEPT = (b"iCCP", b"eXIf", b"acTL")  # a PNG's colour profile, orientation, and whether it is animated
# Libjpeg's warnings that tell a damaged picture: its data end too early, make no sense, or are left over
# where tables, a scan or the end (markers c0 to df) come. What it says of metadata harms no picture.
DAMAGE = re.compile(
    "premature end|bad Huffman code|bad arithmetic code|found marker|Inconsistent progression"
    "|extraneous bytes before marker 0x[cd]",
    re.IGNORECASE,
)
# Zeros before an end mark, but for one that belongs to a stuffed byte of the picture, FF 00.
PADDING = re.compile(rb"(?:(?<![\xff\x00])|(?<=\xff\x00))\x00++(?=\xff++\xd9)")
# Left where a copy broke off after its place on the disk was reserved; no compressed picture has such a run.
HALF_COPIED = bytes(4096)
TURNS = {  # by orientation; others need none
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = {
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
}
COLOURSPACES = {"L": "GRAY", "RGB": "RGB"}  # of simplejpeg, by Pillow's modes
# TIFF's tags: kind of page, bits a pixel, meaning of 0.
SMALLER_COPY, BITS, ZERO_IS = 254, 258, 262
ZERO_IS_BLACK = 1

# What the sample generator writes into its files' headers.
DRAWING_MARK = b"sabi sample drawing, not a photograph of steel"

# Sizes are checked here against the user's limit, which may be over Pillow's.
Image.MAX_IMAGE_PIXELS = None


# How many times smaller, a side, a photograph of a width and height may be decoded.
Smaller = Callable[[int, int], float]


def decode(photograph: Path | bytes, *, min_side: int = 1, max_megapixels: float = math.inf) -> Image.Image:
    """An upright 8-bit sRGB image of a JPEG, PNG, HEIC, TIFF or WebP file, given by its path or its bytes.

    The orientation is applied, and an embedded colour profile. CMYK, palette,
    grey and 1-bit images are converted; of 16 bits the high byte is kept;
    transparent parts become white. Of a phone's multi-picture JPEG the first
    picture is taken, of a HEIC file its primary one, of a TIFF file the first
    page if the others are smaller copies of it. Metadata may be damaged.

    Raises `Unusable` for what is no such file, is damaged, is animated or has
    several pages, has a side under `min_side` pixels or more than
    `max_megapixels` million pixels (checked before decoding).
    """
    return decode_smaller(photograph, _whole_size, min_side=min_side, max_megapixels=max_megapixels)[0]


def _whole_size(width: int, height: int) -> float:
    return 1


def decode_smaller(
    photograph: Path | bytes, smaller: Smaller, *, min_side: int = 1, max_megapixels: float = math.inf
) -> tuple[Image.Image, tuple[int, int]]:
    """`decode`, and the whole photograph's upright width and height.

    A JPEG is decoded 2, 4 or 8 times smaller, a side, if `smaller` says so: libjpeg then leaves out high
    frequencies (a smaller inverse cosine transform) and takes half the time. It still reads the
    file to its end, so damage is found. All other formats are decoded whole.
    """
    try:
        # A stream, not a path: Pillow would map an uncompressed TIFF, and turns a mapped one wrongly.
        with io.BytesIO(photograph) if isinstance(photograph, bytes) else photograph.open("rb") as stream:
            try:
                return _decoded(stream, smaller, min_side, max_megapixels)
            except (Unusable, MemoryError):
                raise
            except Exception:
                stream.seek(0)
                if stream.read(len(PNG)) != PNG:
                    raise
                data = _whole(stream)
                bare = _without_metadata(data)
                if bare == data:
                    raise
                return _decoded(io.BytesIO(bare), smaller, min_side, max_megapixels)
    except (Unusable, MemoryError):
        raise
    except Image.UnidentifiedImageError:
        size = len(photograph) if isinstance(photograph, bytes) else photograph.stat().st_size
        reason = "not a JPEG, PNG, HEIC, TIFF or WebP image, or damaged at its beginning"
        raise Unusable(reason if size else "empty file") from None
    except Exception as error:  # Pillow's decoders raise anything on damaged files.
        detail = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise Unusable(f"cannot be decoded: {detail}") from None


def _decoded(
    stream: BinaryIO, smaller: Smaller, min_side: int, max_megapixels: float
) -> tuple[Image.Image, tuple[int, int]]:
    with warnings.catch_warnings(action="ignore"), Image.open(stream, formats=FORMATS) as image:
        check_size(image, min_side, max_megapixels)
        _check_single(image)
        width, height = image.size
        profile = image.info.get("icc_profile")
        pixels: Image.Image = image
        if image.format in ("JPEG", "MPO"):
            pixels = _jpeg(image, _whole(stream), _divisor(smaller(width, height)))
        else:
            image.load()
            # Pillow decodes these to grey or black without a word.
            if image.format == "PNG":
                _check_png(_whole(stream))
            elif image.format in ("HEIF", "WEBP") and _whole(stream).endswith(HALF_COPIED):
                raise Unusable("damaged (its second part is zeros); copy it from the camera again")
        # Not ImageOps.exif_transpose, which rewrites all metadata, and fails where it cannot.
        turn = _turn(image)
        upright = _rgb(pixels, profile)
        if turn in SIDEWAYS:
            width, height = height, width
        return upright if turn is None else upright.transpose(turn), (width, height)


def _whole(stream: BinaryIO) -> bytes:
    stream.seek(0)
    return stream.read()


def _turn(image: Image.Image) -> Image.Transpose | None:
    """What makes a loaded image upright. Pillow has turned TIFF and HEIC already, and says so."""
    try:
        return TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # Pillow's readers raise anything on damaged metadata.
        return None


def _check_single(image: Image.Image) -> None:
    """Raise `Unusable` for an animation, or for pages that are several photographs."""
    frames = getattr(image, "n_frames", 1)
    if image.format in ("PNG", "WEBP") and frames > 1:
        raise Unusable(f"animated ({frames} frames); save one frame as a PNG or JPEG")
    if isinstance(image, TiffImagePlugin.TiffImageFile) and frames > 1:
        for page in range(1, frames):
            image.seek(page)
            if not image.tag_v2.get(SMALLER_COPY, 0) & 1:
                raise Unusable(f"{frames} pages; save each as a file of its own")
        image.seek(0)


def _divisor(most: float) -> int:
    """How many times smaller libjpeg can decode that is not more than `most`."""
    return max((times for times in (8, 4, 2) if times <= most), default=1)


def _jpeg(image: Image.Image, data: bytes, divisor: int) -> Image.Image:
    """The pixels of a JPEG file that was opened, sides `divisor` times smaller; raises `Unusable` if damaged.

    In one pass that tells damage, too, where libjpeg warns of nothing and knows the colours; else Pillow
    decodes, which gives the same pixels, and the damage is looked for.
    """
    if image.mode in COLOURSPACES:
        sides = {"min_width": -(-image.width // divisor), "min_height": -(-image.height // divisor)}
        try:
            pixels = simplejpeg.decode_jpeg(data, COLOURSPACES[image.mode], strict=True, **sides)
        except ValueError:
            pass
        else:
            return Image.fromarray(pixels[..., 0] if image.mode == "L" else pixels)
    image.draft(image.mode, (image.width // divisor, image.height // divisor))
    image.load()
    _check_jpeg(data)
    return image


def _check_jpeg(data: bytes) -> None:
    """Raise `Unusable` if libjpeg warns that the picture in a JPEG file is damaged.

    Zeros before the end mark may be padding that some cameras write, or a hole
    that took the end of the picture. As fill bytes, which belong to no picture,
    they do no harm in the first case and leave the picture too short in the second.
    """
    damage = _damage(data)
    if damage and _damage(PADDING.sub(lambda zeros: b"\xff" * len(zeros[0]), data)):
        raise Unusable(f"damaged ({damage}); copy it from the camera again")


def _damage(jpeg: bytes) -> str | None:
    """libjpeg's first warning if it tells damage to the picture, not to metadata.

    An eighth of the size in grey: every code of the picture is read all the same.
    """
    try:
        simplejpeg.decode_jpeg(jpeg, colorspace="GRAY", min_factor=8, strict=True)
    except ValueError as warning:
        return str(warning) if DAMAGE.search(str(warning)) else None
    return None


def _check_png(data: bytes) -> None:
    """Raise `Unusable` if a checksum of the picture in a PNG file is wrong.

    Pillow compares few of them, and takes zeros, of which a half copied file
    consists to its end, for black.
    """
    for name, _, sound in _chunks(data):
        if name.isalpha() and name[:1].isupper() and not sound:
            raise Unusable(f"damaged (wrong checksum of {name.decode()}); copy it from the camera again")


def _without_metadata(png: bytes) -> bytes:
    """A PNG file without texts and other metadata, which Pillow refuses if they are long or damaged."""
    kept = [
        chunk
        for name, chunk, sound in _chunks(png)
        if name[:1].isupper() or name == b"tRNS" or (name in KEPT and sound)
    ]
    return PNG + b"".join(kept)


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """The chunks of a PNG file, the last perhaps cut: name, all bytes, whether their checksum is right."""
    place, name = len(PNG), b""
    while place < len(png) and name != b"IEND":
        end = place + 12 + int.from_bytes(png[place : place + 4])
        name, chunk = png[place + 4 : place + 8], png[place:end]
        yield name, chunk, zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:])
        place = end


def check_size(image: Image.Image, min_side: int, max_megapixels: float) -> None:
    """Raise `Unusable` for a side under `min_side` pixels, or more than `max_megapixels` million pixels."""
    width, height = image.size
    if min(width, height) < min_side:
        raise Unusable(f"{width} x {height} pixels; the shorter side must have {min_side} (split.min_side)")
    if width * height > max_megapixels * 1e6:
        raise Unusable(
            f"{width} x {height} pixels are more than {max_megapixels:g} million (split.max_megapixels)"
        )


def _rgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """A loaded image in 8-bit sRGB, its colours those of `profile`, transparent parts white."""
    if image.mode in ("I", "F"):
        raise Unusable("its pixels are 32-bit numbers; save it with 8 or 16 bits")
    if image.mode.startswith("I"):  # 16-bit grey; convert("RGB") would clip it to white
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            _check_deep(image)
        deep = np.asarray(image).astype(np.uint32)
        transparent = image.info.get("transparency", -1)
        grey = Image.fromarray(np.where(deep == transparent, 255, deep >> 8).astype(np.uint8))
        return to_srgb(grey, profile)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        colours = image.convert("L") if image.mode in ("L", "LA") else rgba.convert("RGB")
        colours = to_srgb(colours, profile)
        colours.putalpha(rgba.getchannel("A"))
        background = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(background, colours).convert("RGB")
    return to_srgb(image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB"), profile)


def _check_deep(image: TiffImagePlugin.TiffImageFile) -> None:
    """Raise `Unusable` for grey that Pillow would take for another: of 12 bits, or with 0 for white."""
    if image.tag_v2.get(BITS) != (16,) or image.tag_v2.get(ZERO_IS) != ZERO_IS_BLACK:
        raise Unusable("12-bit or inverted grey; save it with 8 or 16 bits, 0 for black")


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
    scale and its middle is cut out, as far as it shows so much: see `check_coverage`.
    """
    middle = None
    if target is not None:
        width, height = image.size
        assert mm_per_pixel is not None  # as `check_coverage` says
        side = min(size * target / mm_per_pixel, width, height)  # never over a border by rounding
        left, top = (width - side) / 2, (height - side) / 2
        # Resizing a part gives the same pixels as cutting it out of the whole, resized; and is faster.
        middle = (left, top, left + side, top + side)
    # Pillow averages over all pixels that become one, so that fine grain leaves no false pattern.
    return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC, box=middle))
