"""Every file a user may put there is decoded exactly, or refused with a reason that holds no path."""

import io
import os
import struct
import tempfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin, TiffImagePlugin

from sabi.photographs.decoding import check_coverage, decode, decode_smaller, prepared
from sabi.photographs.files import Unusable
from sabi.photographs.reading import Wanted, read_all

NOISE = np.random.default_rng(5).integers(0, 256, (24, 20, 3), np.uint8)
PALETTE = np.random.default_rng(6).integers(0, 256, (4, 3), np.uint8)
INDEX = NOISE[..., 0] % 4
WHITE = np.uint8(255)


def encoded(pixels: np.ndarray | Image.Image, kind: str = "PNG", **options) -> bytes:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def palette_image() -> Image.Image:
    image = Image.fromarray(INDEX).convert("P")
    image.frombytes(INDEX.tobytes())
    image.putpalette(PALETTE.tobytes())
    return image


def png(width: int, height: int, depth: int, colour: int, rows: bytes, transparent: bytes = b"") -> bytes:
    """A PNG file made by hand, for what Pillow does not write."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))]
    chunks += [(b"tRNS", transparent)] if transparent else []
    chunks += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    parts = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def png_rows(samples: np.ndarray) -> bytes:
    """16-bit samples (height, ...) as the unfiltered rows of a PNG."""
    return b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)


def declaring(jpeg: bytes, width: int, height: int) -> bytes:
    """`jpeg` with another size in its frame header."""
    start = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:start] + struct.pack(">HH", height, width) + jpeg[start + 4 :]


def pixels_of(file: Path, data: bytes, **limits) -> np.ndarray:
    file.write_bytes(data)
    image = decode(file, **limits)
    assert image.mode == "RGB"
    return np.asarray(image)


def reason_against(file: Path, **limits) -> str:
    with pytest.raises(Unusable) as caught:
        decode(file, **limits)
    reason = str(caught.value)
    assert str(file.parent) not in reason and file.name not in reason
    assert "\n" not in reason
    return reason


GREY = NOISE[..., 0]
DEEP = (np.arange(24 * 20, dtype=np.uint32).reshape(24, 20) * 65535 // 479).astype(np.uint16)
ALPHA = np.where(GREY > 99, 255, 0).astype(np.uint8)
ON_WHITE = np.where(ALPHA[..., None], NOISE, WHITE)
KEYED = np.where((NOISE[3, 4] == NOISE).all(-1, keepdims=True), WHITE, NOISE)
HALF = np.round(PALETTE[2] * (128 / 255) + 127)
SEMI = np.array([PALETTE[0], (255, 255, 255), HALF, PALETTE[3]])


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(encoded(NOISE), NOISE, id="RGB"),
        pytest.param(encoded(NOISE[:1, :1]), NOISE[:1, :1], id="1x1"),
        pytest.param(encoded(GREY), GREY, id="grey"),
        pytest.param(encoded(GREY > 127), WHITE * (GREY > 127), id="1-bit"),
        pytest.param(encoded(DEEP), DEEP >> 8, id="16-bit grey keeps the high byte"),
        pytest.param(
            png(20, 24, 16, 2, png_rows(NOISE.astype(np.uint16) * 256 + 77)), NOISE, id="16-bit RGB"
        ),
        pytest.param(
            png(20, 24, 16, 0, png_rows(DEEP), int(DEEP[3, 4]).to_bytes(2, "big")),
            np.where(DEEP[3, 4] == DEEP, WHITE, DEEP >> 8),
            id="16-bit grey with a transparent shade",
        ),
        pytest.param(encoded(palette_image()), PALETTE[INDEX], id="palette"),
        pytest.param(
            encoded(palette_image(), transparency=3),
            np.where((INDEX == 3)[..., None], WHITE, PALETTE[INDEX]),
            id="palette with a transparent entry",
        ),
        pytest.param(
            encoded(palette_image(), transparency=bytes([255, 0, 128, 255])),
            SEMI[INDEX],
            id="palette with a half transparent entry",
        ),
        pytest.param(encoded(np.dstack([NOISE, ALPHA])), ON_WHITE, id="RGBA"),
        pytest.param(encoded(np.dstack([GREY, ALPHA])), np.where(ALPHA, GREY, WHITE), id="grey and alpha"),
        pytest.param(
            encoded(NOISE, transparency=tuple(NOISE[3, 4].tolist())),
            KEYED,
            id="RGB with a transparent colour",
        ),
        pytest.param(
            encoded(GREY, transparency=int(GREY[3, 4])),
            np.where(GREY[3, 4] == GREY, WHITE, GREY),
            id="grey with a transparent shade",
        ),
    ],
)
def test_every_kind_of_png_becomes_its_8_bit_rgb_pixels_on_white(tmp_path, data, expected):
    pixels = pixels_of(tmp_path / "3_a.png", data)
    expected = expected if expected.ndim == 3 else np.repeat(expected[..., None], 3, axis=2)
    tolerance = int(expected.dtype.kind == "f")  # a blend may round either way
    assert np.abs(pixels - expected.astype(int)).max() <= tolerance


@pytest.mark.parametrize("mode", ["RGB", "CMYK", "L"])
@pytest.mark.parametrize("colour", [(160, 80, 40), (250, 250, 250), (10, 10, 10)])
def test_jpeg_colours_survive_in_every_mode(tmp_path, mode, colour):
    """CMYK is subtractive, and stored inverted: one mistake turns rust blue."""
    image = Image.new("RGB", (16, 16), colour)
    pixels = pixels_of(tmp_path / "3_a.jpg", encoded(image.convert(mode), "JPEG", quality=95))
    expected = image.convert("L").convert("RGB") if mode == "L" else image
    assert np.abs(pixels - np.asarray(expected).astype(int)).max() <= 6


UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
    9: lambda a: a,  # no such orientation
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize(
    ("kind", "source"),
    [
        ("JPEG", NOISE),
        ("PNG", DEEP),
        ("TIFF", NOISE),
        ("TIFF", GREY),
        ("TIFF", DEEP),
        ("WEBP", NOISE),
        ("MPO", NOISE),
    ],
)
def test_exif_orientation_is_applied(tmp_path, kind, source, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    several = {"save_all": True, "append_images": [Image.fromarray(source)]} if kind == "MPO" else {}
    lying = pixels_of(tmp_path / "lying", encoded(source, kind, **several))
    upright = pixels_of(tmp_path / "upright", encoded(source, kind, exif=exif, **several))
    assert np.array_equal(upright, UPRIGHT[orientation](lying))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_heic_is_applied_once(tmp_path, orientation):
    """It stands in the picture itself and, again, in its EXIF."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    large = NOISE.repeat(4, axis=0).repeat(4, axis=1)
    upright = pixels_of(
        tmp_path / "a.heic", encoded(large, "HEIF", quality=-1, chroma=444, exif=exif.tobytes())
    )
    assert np.abs(upright - UPRIGHT[orientation](large).astype(int)).max() <= 3


def exif_with(place: int, changed: bytes) -> bytes:
    """EXIF that says orientation 6 and a camera, with other bytes at a place of it."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x011A] = 6, "a camera", 72.0
    exif.get_ifd(0x8825)[2] = (35.0, 41.0, 22.0)
    data = bytearray(exif.tobytes())
    data[place : place + len(changed)] = changed
    return bytes(data)


SPOILT = exif_with(0, b"").replace(struct.pack(">II", 72, 1), struct.pack(">II", 72, 0))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "MPO", "WEBP"])
def test_orientation_is_read_beside_a_tag_that_nobody_can_write_back(tmp_path, kind):
    """A denominator of 0, which cameras write for "unknown"."""
    assert exif_with(0, b"") != SPOILT
    several = {"save_all": True, "append_images": [Image.fromarray(NOISE)]} if kind == "MPO" else {}
    lying = pixels_of(tmp_path / "lying", encoded(NOISE, kind, **several))
    upright = pixels_of(tmp_path / "upright", encoded(NOISE, kind, exif=SPOILT, **several))
    assert np.array_equal(upright, UPRIGHT[6](lying))


@settings(max_examples=150)
@given(
    kind=st.sampled_from(["JPEG", "PNG", "WEBP"]),
    place=st.integers(6, len(SPOILT) - 1),
    changed=st.binary(min_size=1, max_size=30),
)
def test_whatever_exif_holds_the_photograph_is_used(kind, place, changed):
    exif = exif_with(place, changed)[: len(SPOILT)]
    lying = np.asarray(decode(encoded(NOISE, kind)))
    seen = np.asarray(decode(encoded(NOISE, kind, exif=exif)))
    assert any(np.array_equal(seen, turn(lying)) for turn in UPRIGHT.values())


def png_with(name: bytes, content: bytes, checksum: int | None = None) -> bytes:
    """A PNG file of NOISE with one more chunk after its header."""
    plain = encoded(NOISE)
    end = plain.index(b"IHDR") + 4 + 13 + 4
    checksum = zlib.crc32(name + content) if checksum is None else checksum
    chunk = struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)
    return plain[:end] + chunk + plain[end:]


def test_a_png_with_a_long_history_is_used(tmp_path):
    texts = PngImagePlugin.PngInfo()
    for name in ("before", "again"):
        texts.add_itxt(name, "history " * 300_000, zip=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(NOISE, pnginfo=texts, exif=exif)
    assert np.array_equal(pixels_of(tmp_path / "3_a.png", data), UPRIGHT[6](NOISE))


@pytest.mark.parametrize(
    ("name", "content", "checksum"),
    [
        (b"iTXt", b"key\0\1\0\0\0not compressed", None),
        (b"zTXt", b"key\0\0not compressed", None),
        (b"zTXt", b"key\0\7unknown method", None),
        (b"tEXt", b"key\0value", 5),
        (b"iTXt", b"", None),
        (b"eXIf", b"no exif", None),
        (b"eXIf", b"MM\0*\0\0\0\x08", 5),
        (b"iCCP", b"profile\0\0not compressed", None),
        (b"iCCP", b"profile", 5),
        (b"pHYs", b"", None),
        (b"tIME", b"short", 5),
        (b"gAMA", b"", None),
        (b"prVt", b"of some program", 5),
    ],
)
def test_damaged_metadata_of_a_png_do_not_matter(tmp_path, name, content, checksum):
    assert np.array_equal(pixels_of(tmp_path / "3_a.png", png_with(name, content, checksum)), NOISE)


@pytest.mark.parametrize("name", [b"COM", b"APP1", b"APP2", b"APP13"])
@pytest.mark.parametrize(
    "content", [b"", b"Exif\0\0", b"ICC_PROFILE\0\1\2", b"Photoshop 3.0\x008BIM\4", b"MPF\0II*"]
)
def test_damaged_metadata_of_a_jpeg_do_not_matter(tmp_path, name, content):
    plain = encoded(NOISE, "JPEG")
    marker = {b"COM": 0xFE, b"APP1": 0xE1, b"APP2": 0xE2, b"APP13": 0xED}[name]
    data = plain[:20] + struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content + plain[20:]
    assert pixels_of(tmp_path / "a.jpg", data).tobytes() == pixels_of(tmp_path / "b.jpg", plain).tobytes()


def test_the_first_picture_of_a_phone_s_multi_picture_jpeg_is_taken(tmp_path):
    single = pixels_of(tmp_path / "one.jpg", encoded(NOISE, "JPEG"))
    both = encoded(NOISE, "MPO", save_all=True, append_images=[Image.fromarray(255 - NOISE)])
    assert np.array_equal(pixels_of(tmp_path / "two.jpg", both), single)


def test_what_follows_the_first_picture_may_be_damaged(tmp_path):
    both = encoded(NOISE, "MPO", save_all=True, append_images=[Image.fromarray(255 - NOISE)])
    whole = pixels_of(tmp_path / "two.jpg", both)
    assert np.array_equal(pixels_of(tmp_path / "cut.jpg", both[:-300]), whole)


# Smooth, as steel is: of noise nearly every code is long.
SMOOTH = np.asarray(Image.fromarray(NOISE).resize((160, 192), Image.Resampling.BICUBIC))
JPEGS = {
    "baseline": encoded(SMOOTH, "JPEG"),
    "progressive": encoded(SMOOTH, "JPEG", progressive=True),
    "best": encoded(SMOOTH, "JPEG", quality=100, subsampling=0),
    "grey": encoded(SMOOTH[..., 0], "JPEG"),
    "CMYK": encoded(Image.fromarray(SMOOTH).convert("CMYK"), "JPEG"),
    "restarts": encoded(SMOOTH, "JPEG", restart_marker_rows=2),
    "two pictures": encoded(SMOOTH, "MPO", save_all=True, append_images=[Image.fromarray(NOISE)]),
}
END = b"\xff\xd9"


@pytest.mark.parametrize("kind", JPEGS)
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_jpeg_that_lost_a_part_is_refused_whatever_stands_in_its_place(tmp_path, kind, share):
    """Pillow shows grey there, without a word."""
    data = JPEGS[kind]
    data = data[: data.index(END, data.index(b"\xff\xda")) + 2]  # the first picture alone
    start = data.index(b"\xff\xda") + 20
    place = start + int((len(data) - start) * share)
    zeros = bytes(len(data) - place)
    for damaged in (
        data[:place] + END,
        data[:place] + zeros,
        data[:place] + zeros[2:] + END,
        data[:place] + b"\xff" * len(zeros),
        data[:start] + bytes(place - start) + data[place:],
        data[:place] + data[start:place] + END,
    ):
        file = tmp_path / "3_a.jpg"
        file.write_bytes(damaged)
        assert reason_against(file).startswith(("damaged (", "cannot be decoded: "))


@pytest.mark.parametrize("kind", JPEGS)
@pytest.mark.parametrize(
    "padded",
    [
        lambda jpeg: jpeg + b"\0\0\0",
        lambda jpeg: jpeg + bytes(5000),
        lambda jpeg: jpeg + b"SEFT of a phone" + END,
        lambda jpeg: jpeg[:-2] + bytes(7) + END,
        lambda jpeg: jpeg[:-2] + bytes(400) + END,
        lambda jpeg: jpeg[:-2] + b"\xff" * 400 + END,
        lambda jpeg: jpeg[:-2] + bytes(40) + b"\xff" * 40 + END,
    ],
)
def test_what_cameras_put_around_the_end_of_a_picture_is_no_damage(tmp_path, kind, padded):
    data = JPEGS[kind]
    whole = pixels_of(tmp_path / "a.jpg", data)
    assert np.array_equal(pixels_of(tmp_path / "b.jpg", padded(data)), whole)


@pytest.mark.parametrize("level", [0, 6])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_a_changed_or_missing_part_of_the_picture_of_a_png_is_damage(tmp_path, level, share):
    data = bytearray(encoded(SMOOTH, compress_level=level))
    place = 60 + int((len(data) - 90) * share)
    for damage in (bytes([data[place] ^ 64]), bytes(len(data) - place), bytes(len(data) - place - 12)):
        data[place : place + len(damage)] = damage
        (tmp_path / "3_a.png").write_bytes(data)
        assert reason_against(tmp_path / "3_a.png").startswith(
            ("cannot be decoded: ", "damaged (wrong checks")
        )


@pytest.mark.parametrize("kind", ["HEIF", "WEBP"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_half_copied_file_of_a_phone_is_refused(tmp_path, kind, share):
    """libheif and libwebp decode zeros to some colour without a word."""
    data = encoded(np.random.default_rng(1).integers(0, 256, (256, 320, 3), np.uint8), kind, quality=95)
    place = int(len(data) * share)
    assert len(data) - place > 4096
    (tmp_path / "3_a.heic").write_bytes(data[:place] + bytes(len(data) - place))
    assert reason_against(tmp_path / "3_a.heic").startswith("damaged (its second part is zeros)")
    decode(data + bytes(100))


@pytest.mark.parametrize("kind", ["HEIF", "WEBP", "TIFF"])
@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.6, 0.95])
def test_another_file_cut_short_is_refused(tmp_path, kind, share):
    data = encoded(SMOOTH, kind)
    (tmp_path / "3_a.jpg").write_bytes(data[: int(len(data) * share)])
    reason_against(tmp_path / "3_a.jpg")


@pytest.mark.parametrize(
    ("data", "expected", "tolerance"),
    [
        pytest.param(encoded(NOISE, "TIFF"), NOISE, 0, id="TIFF"),
        pytest.param(encoded(NOISE, "TIFF", compression="tiff_lzw"), NOISE, 0, id="TIFF, LZW"),
        pytest.param(encoded(NOISE, "TIFF", compression="tiff_adobe_deflate"), NOISE, 0, id="TIFF, deflate"),
        pytest.param(encoded(DEEP, "TIFF"), DEEP >> 8, 0, id="TIFF, 16-bit grey"),
        pytest.param(encoded(NOISE, "WEBP", lossless=True), NOISE, 0, id="WebP"),
        pytest.param(
            encoded(np.dstack([NOISE, ALPHA]), "WEBP", lossless=True), ON_WHITE, 0, id="WebP, alpha"
        ),
        pytest.param(encoded(SMOOTH, "WEBP", quality=95), SMOOTH, 40, id="WebP, lossy"),
        pytest.param(encoded(SMOOTH, "HEIF", quality=-1, chroma=444), SMOOTH, 3, id="HEIC"),
        pytest.param(encoded(SMOOTH[..., 0], "HEIF", quality=-1), SMOOTH[..., 0], 3, id="HEIC, grey"),
    ],
)
def test_other_formats_are_read_like_jpeg_and_png_whatever_their_name(tmp_path, data, expected, tolerance):
    expected = expected if expected.ndim == 3 else np.repeat(expected[..., None], 3, axis=2)
    for name in ("3_a.jpg", "3_a.heic"):
        assert np.abs(pixels_of(tmp_path / name, data) - expected.astype(int)).max() <= tolerance


def tiff_pages(*pages: tuple[np.ndarray, int]) -> bytes:
    """A TIFF file of pages, each with its kind: 0 for a picture, 1 for a smaller copy of another."""
    images = []
    for pixels, kind in pages:
        image = Image.fromarray(pixels)
        image.encoderinfo = {"tiffinfo": {254: kind}}
        images.append(image)
    stream = io.BytesIO()
    with TiffImagePlugin.AppendingTiffWriter(stream, True) as writer:
        for image in images:
            image.save(writer, "TIFF", tiffinfo=image.encoderinfo["tiffinfo"])
            writer.newFrame()
    return stream.getvalue()


def test_a_tiff_with_several_pages_is_refused_unless_they_are_copies_of_the_first(tmp_path):
    with_copies = tiff_pages((NOISE, 0), (NOISE[::2, ::2], 1), (NOISE[::4, ::4], 1))
    assert np.array_equal(pixels_of(tmp_path / "3_a.tif", with_copies), NOISE)
    (tmp_path / "3_b.tif").write_bytes(tiff_pages((NOISE, 0), (NOISE[::2, ::2], 1), (NOISE[::-1], 0)))
    assert reason_against(tmp_path / "3_b.tif") == "3 pages; save each as a file of its own"


def test_of_several_pictures_in_heic_the_primary_one_is_taken(tmp_path):
    other = Image.fromarray(255 - SMOOTH)
    options = {"quality": -1, "chroma": 444, "save_all": True, "append_images": [other]}
    for primary, expected in ((0, SMOOTH), (1, 255 - SMOOTH)):
        data = encoded(SMOOTH, "HEIF", primary_index=primary, **options)
        assert np.abs(pixels_of(tmp_path / "a.heic", data) - expected.astype(int)).max() <= 3


def test_formats_give_the_same_pixels_in_many_threads():
    files = [
        encoded(np.roll(SMOOTH, 8 * turn, axis=0), kind)
        for turn in range(6)
        for kind in ("HEIF", "WEBP", "TIFF", "JPEG")
    ]
    files += [JPEGS["baseline"][:-900] + END]

    def seen(file: bytes) -> bytes | str:
        try:
            return decode(file).tobytes()
        except Unusable as reason:
            return str(reason)

    one = [seen(file) for file in files]
    assert str(one[-1]).startswith("damaged (")
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(seen, files * 4)) == one * 4


INTACT = {
    "baseline JPEG": encoded(NOISE, "JPEG"),
    "progressive JPEG": encoded(NOISE, "JPEG", progressive=True),
    "PNG": encoded(NOISE),
}


@settings(max_examples=150)
@given(kind=st.sampled_from(list(INTACT)), data=st.data())
def test_a_truncated_file_is_refused_or_shows_every_pixel(kind, data):
    """A photograph cut short never comes through with grey instead of steel."""
    intact = INTACT[kind]
    length = data.draw(st.integers(0, len(intact) - 1))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "3_a.jpg"
        if length < len(intact) * 0.95:
            file.write_bytes(intact[:length])
            reason_against(file)
            return
        whole = pixels_of(file, intact)
        try:
            assert np.array_equal(pixels_of(file, intact[:length]), whole)
        except Unusable:
            reason_against(file)


@settings(max_examples=200)
@given(
    kind=st.sampled_from(list(INTACT)),
    damage=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=6
    ),
)
def test_damaged_bytes_give_an_rgb_image_or_a_reason_and_nothing_else(kind, damage):
    data = bytearray(INTACT[kind])
    for place, change in damage:
        data[int(place * len(data))] ^= change
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "3_a.jpg"
        try:
            assert pixels_of(file, bytes(data), max_megapixels=1).ndim == 3
        except Unusable:
            reason_against(file, max_megapixels=1)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "empty file", id="empty"),
        pytest.param("錆の写真\n".encode(), "not a JPEG, PNG, HEIC, TIFF or WebP image", id="text"),
        pytest.param(encoded(GREY, "GIF"), "not a JPEG, PNG, HEIC, TIFF or WebP image", id="GIF"),
        pytest.param(
            encoded(Image.fromarray(GREY).convert("F"), "TIFF"), "32-bit numbers", id="floating point TIFF"
        ),
        pytest.param(
            encoded(DEEP, "TIFF", tiffinfo={262: 0}), "12-bit or inverted grey", id="TIFF with 0 for white"
        ),
        pytest.param(INTACT["baseline JPEG"][:-200], "cannot be decoded: ", id="truncated JPEG"),
        pytest.param(INTACT["PNG"][:-200], "cannot be decoded: ", id="truncated PNG"),
        pytest.param(
            encoded(NOISE, save_all=True, append_images=[Image.fromarray(NOISE[::-1])]),
            "animated (2 frames)",
            id="animated",
        ),
        pytest.param(
            encoded(NOISE, "WEBP", save_all=True, append_images=[Image.fromarray(NOISE[::-1])]),
            "animated (2 frames)",
            id="animated WebP",
        ),
        # Far more pixels than memory, in few bytes: only reading the header first gives this reason.
        pytest.param(
            png(60000, 60000, 8, 2, b"\0"), "60000 x 60000 pixels are more than 1 million", id="PNG bomb"
        ),
        pytest.param(
            declaring(INTACT["baseline JPEG"], 65000, 64000),
            "65000 x 64000 pixels are more than 1 million (split.max_megapixels)",
            id="JPEG bomb",
        ),
        pytest.param(
            encoded(NOISE[:, :7]), "7 x 24 pixels; the shorter side must have 8 (split.min_side)", id="small"
        ),
    ],
)
def test_what_is_no_photograph_is_refused_with_its_reason(tmp_path, data, reason):
    file = tmp_path / "3_a.jpg"
    file.write_bytes(data)
    assert reason in reason_against(file, min_side=8, max_megapixels=1)
    [result] = read_all([file], [None], Wanted(8, None, min_side=8, max_megapixels=1), None)
    assert isinstance(result, Unusable) and reason in str(result)


def test_the_limits_of_size_are_allowed_themselves(tmp_path):
    file = tmp_path / "a.png"
    assert np.array_equal(pixels_of(file, encoded(NOISE), min_side=20, max_megapixels=480e-6), NOISE)
    assert "split.min_side" in reason_against(file, min_side=21)
    assert "split.max_megapixels" in reason_against(file, max_megapixels=479e-6)


def test_a_broken_link_and_a_folder_are_refused(tmp_path):
    (tmp_path / "3_a.jpg").symlink_to(tmp_path / "gone.jpg")
    assert "No such file" in reason_against(tmp_path / "3_a.jpg")
    (tmp_path / "3_b.jpg").mkdir()
    assert "directory" in reason_against(tmp_path / "3_b.jpg")


def test_an_unreadable_file_is_refused(tmp_path):
    file = tmp_path / "3_a.jpg"
    file.write_bytes(INTACT["baseline JPEG"])
    file.chmod(0)
    if os.access(file, os.R_OK):
        pytest.skip("root reads every file")
    assert "ermission" in reason_against(file)


# Smaller.


def photograph(width: int, height: int, kind: str = "JPEG", **options) -> bytes:
    """Blobs and noise, as photographs have."""
    random = np.random.default_rng(7)
    coarse = Image.fromarray(random.integers(0, 256, (9, 12, 3), np.uint8)).resize((width, height))
    noisy = np.asarray(coarse).astype(int) + random.integers(-20, 21, (height, width, 3))
    return encoded(noisy.clip(0, 255).astype(np.uint8), kind, **options)


@pytest.mark.parametrize(
    ("most", "divisor"), [(0.3, 1), (1.99, 1), (2, 2), (3.9, 2), (4, 4), (7.9, 4), (9, 8)]
)
@pytest.mark.parametrize(("width", "height"), [(320, 240), (333, 251), (1001, 17)])
def test_a_jpeg_is_decoded_no_smaller_than_it_may_be(width, height, most, divisor):
    image, size = decode_smaller(photograph(width, height), lambda *_: most)
    assert size == (width, height)
    assert image.size == (-(-width // divisor), -(-height // divisor))


@pytest.mark.parametrize("divisor", [1, 2, 4, 8])
@pytest.mark.parametrize("kind", ["baseline", "progressive", "grey", "4:2:0", "4:4:4", "a warning"])
def test_one_pass_gives_the_pixels_that_pillow_gives(kind, divisor, monkeypatch):
    options = {"progressive": {"progressive": True}, "4:2:0": {"subsampling": 2}, "4:4:4": {"subsampling": 0}}
    data = photograph(333, 250, quality=90, **options.get(kind, {}))
    if kind == "grey":
        data = encoded(np.asarray(decode(data).convert("L")), "JPEG")
    if kind == "a warning":  # of metadata: libjpeg is not trusted with the pixels
        data = data[:2] + b"\xff\xe1\x00\x02" + data[2:]
    once, _ = decode_smaller(data, lambda *_: divisor)
    with Image.open(io.BytesIO(data)) as image:
        image.draft(image.mode, (image.width // divisor, image.height // divisor))
        assert np.array_equal(np.asarray(image.convert("RGB")), np.asarray(once))

    def refuse(*_, **__):
        raise ValueError("a warning")

    monkeypatch.setattr(simplejpeg, "decode_jpeg", refuse)
    monkeypatch.setattr("sabi.photographs.decoding._damage", lambda data: None)
    assert decode_smaller(data, lambda *_: divisor)[0].tobytes() == once.tobytes()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_smaller_photograph_is_upright_with_its_own_size(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image, size = decode_smaller(photograph(320, 200, exif=exif), lambda *_: 4)
    assert size == ((320, 200) if orientation < 5 else (200, 320))
    assert image.size == (size[0] // 4, size[1] // 4)
    whole = decode(photograph(320, 200, exif=exif)).reduce(4)
    assert np.abs(np.asarray(whole, int) - np.asarray(image, int)).mean() < 3


@pytest.mark.parametrize("share", [0.3, 0.6, 0.97])
@pytest.mark.parametrize("divisor", [1, 8])
def test_damage_is_found_however_small_it_is_decoded(share, divisor):
    data = photograph(640, 480)
    cut = data[: int(share * len(data))]
    with pytest.raises(Unusable, match=r"damaged|truncated"):
        decode_smaller(cut, lambda *_: divisor)
    with pytest.raises(Unusable, match=r"damaged|truncated"):
        decode_smaller(cut + bytes(len(data) - len(cut)), lambda *_: divisor)


def test_other_formats_are_decoded_whole():
    image, size = decode_smaller(photograph(320, 240, "PNG"), lambda *_: 8)
    assert image.size == size == (320, 240)


# One scale.


@pytest.mark.parametrize("mm_per_pixel", [None, 0.1])
def test_without_a_target_a_photograph_is_stretched_to_a_square_whole(mm_per_pixel):
    image = Image.fromarray(NOISE)
    assert np.array_equal(prepared(image, 32, mm_per_pixel, None), image.resize((32, 32), Image.BICUBIC))
    assert np.array_equal(prepared(Image.fromarray(NOISE[:20]), 20, mm_per_pixel, None), NOISE[:20])


@given(width=st.integers(12, 60), height=st.integers(12, 60), scale=st.floats(0.001, 100))
def test_at_its_own_scale_the_middle_is_cut_out_unchanged(width, height, scale):
    width, height = width // 2 * 2, height // 2 * 2  # a middle between whole pixels
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, 3), np.uint8)
    cut = prepared(Image.fromarray(pixels), 12, scale, scale)
    top, left = (height - 12) // 2, (width - 12) // 2
    assert np.array_equal(cut, pixels[top : top + 12, left : left + 12])


@pytest.mark.parametrize("factor", [2, 3, 0.5])
def test_another_scale_is_that_of_the_whole_resized_before_the_cut(factor):
    pixels = np.random.default_rng(3).integers(0, 256, (72, 96, 3), np.uint8)
    image = Image.fromarray(pixels)
    whole = np.asarray(image.resize((round(96 / factor), round(72 / factor)), Image.BICUBIC))
    top, left = (whole.shape[0] - 16) // 2, (whole.shape[1] - 16) // 2
    cut = prepared(image, 16, 0.1, 0.1 * factor)
    assert np.abs(cut - whole[top : top + 16, left : left + 16].astype(int)).max() <= 1


def stripes(width: int, height: int, period: float) -> Image.Image:
    wave = 128 + 100 * np.sin(2 * np.pi * np.arange(width) / period)
    return Image.fromarray(np.tile(wave.astype(np.uint8)[None, :, None], (height, 1, 3)))


@pytest.mark.parametrize("mm_per_pixel", [0.05, 0.1, 0.3, 0.5])
def test_a_millimetre_of_grain_is_as_large_from_every_camera(mm_per_pixel):
    """Stripes every 4 mm, seen through cameras of different scale, are every 8 pixels."""
    image = stripes(round(80 / mm_per_pixel), round(60 / mm_per_pixel), period=4 / mm_per_pixel)
    cut = prepared(image, 64, mm_per_pixel, 0.5)
    spectrum = np.abs(np.fft.rfft(cut[32, :, 0] - cut[32, :, 0].mean()))
    assert spectrum.argmax() == 64 / 8


def test_grain_finer_than_a_pixel_leaves_no_false_pattern():
    assert np.ptp(prepared(stripes(512, 512, period=2.2), 64, 0.1, 0.8).astype(int)) < 12


@given(
    width=st.integers(1, 400),
    height=st.integers(1, 400),
    scale=st.floats(0.001, 100),
    target=st.floats(0.001, 100),
)
def test_whatever_passes_the_check_can_be_prepared(width, height, scale, target):
    assume(max(width, height) * scale / target < 5000)
    image = Image.new("RGB", (width, height))
    if min(width, height) * scale >= 32 * target:
        check_coverage(width, height, scale, 32, target)
        assert prepared(image, 32, scale, target).shape == (32, 32, 3)
    else:
        with pytest.raises(Unusable, match="mm are needed either way"):
            check_coverage(width, height, scale, 32, target)


def test_a_photograph_that_shows_too_little_is_told_what_it_shows_and_what_is_needed():
    check_coverage(160, 128, 0.5, 128, 0.5)
    with pytest.raises(Unusable, match=r"^shows 80 x 63.5 mm; 64 mm are needed"):
        check_coverage(160, 127, 0.5, 128, 0.5)


def test_an_unknown_scale_matters_only_where_there_is_a_target():
    check_coverage(10, 10, None, 128, None)
    with pytest.raises(Unusable, match=r"scale is unknown, but scale.target is set; give mm_per_pixel"):
        check_coverage(1000, 1000, None, 128, 0.5)


# Names.
