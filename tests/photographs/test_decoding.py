"""Every file a user may put there is decoded exactly, or refused with a reason that holds no path."""

import hashlib
import io
import os
import struct
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from sabi.photographs.decoding import DRAWING_MARK, check_coverage, decode, examine, prepared
from sabi.photographs.files import Unusable

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
@pytest.mark.parametrize(("kind", "source"), [("JPEG", NOISE), ("PNG", DEEP)])
def test_exif_orientation_is_applied(tmp_path, kind, source, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    lying = pixels_of(tmp_path / "lying", encoded(source, kind))
    upright = pixels_of(tmp_path / "upright", encoded(source, kind, exif=exif))
    assert np.array_equal(upright, UPRIGHT[orientation](lying))


def test_the_first_picture_of_a_phone_s_multi_picture_jpeg_is_taken(tmp_path):
    single = pixels_of(tmp_path / "one.jpg", encoded(NOISE, "JPEG"))
    both = encoded(NOISE, "MPO", save_all=True, append_images=[Image.fromarray(255 - NOISE)])
    assert np.array_equal(pixels_of(tmp_path / "two.jpg", both), single)


INTACT = {
    "baseline JPEG": encoded(NOISE, "JPEG"),
    "progressive JPEG": encoded(NOISE, "JPEG", progressive=True),
    "PNG": encoded(NOISE),
}


@settings(deadline=None, max_examples=150)
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


@settings(deadline=None, max_examples=200)
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
        pytest.param("錆の写真\n".encode(), "not a JPEG or PNG image", id="text"),
        pytest.param(encoded(GREY, "GIF"), "not a JPEG or PNG image", id="GIF"),
        pytest.param(encoded(NOISE, "TIFF"), "not a JPEG or PNG image", id="TIFF"),
        pytest.param(INTACT["baseline JPEG"][:-200], "cannot be decoded: ", id="truncated JPEG"),
        pytest.param(INTACT["PNG"][:-200], "cannot be decoded: ", id="truncated PNG"),
        pytest.param(
            encoded(NOISE, save_all=True, append_images=[Image.fromarray(NOISE[::-1])]),
            "animated (2 frames)",
            id="animated",
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
    result = examine(file, min_side=8, max_megapixels=1)
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


def test_examine_hashes_the_file_and_its_upright_pixels(tmp_path):
    """Pixels are recognised in another file; the same bytes in another shape are other pixels."""
    contents = {
        "fast.png": encoded(NOISE, compress_level=1),
        "small.png": encoded(NOISE, compress_level=9),
        "mirrored.png": encoded(NOISE[:, ::-1]),
        "wide.png": encoded(np.full((2, 8, 3), 9, np.uint8)),
        "high.png": encoded(np.full((8, 2, 3), 9, np.uint8)),
    }
    seen = {}
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
        seen[name] = examine(tmp_path / name, min_side=1, max_megapixels=1)
        assert seen[name].sha256 == hashlib.sha256(data).hexdigest()
        assert not seen[name].drawing
    assert seen["fast.png"].pixel_sha256 == seen["small.png"].pixel_sha256
    assert len({decoded.pixel_sha256 for decoded in seen.values()}) == 4


def test_the_sample_s_mark_in_the_header_tells_a_drawing(tmp_path):
    (tmp_path / "a.jpg").write_bytes(encoded(NOISE, "JPEG", comment=DRAWING_MARK))
    assert examine(tmp_path / "a.jpg", min_side=1, max_megapixels=1).drawing


def test_examine_gives_the_upright_size(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "a.jpg").write_bytes(encoded(NOISE, "JPEG", exif=exif))
    decoded = examine(tmp_path / "a.jpg", min_side=1, max_megapixels=1)
    assert (decoded.width, decoded.height) == (24, 20)


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
def test_whatever_passes_the_check_can_be_prepared_and_nothing_else(width, height, scale, target):
    assume(max(width, height) * scale / target < 5000)
    image = Image.new("RGB", (width, height))
    if min(width, height) * scale >= 32 * target:
        check_coverage(width, height, scale, 32, target)
        assert prepared(image, 32, scale, target).shape == (32, 32, 3)
    else:
        with pytest.raises(Unusable, match="mm are needed either way"):
            check_coverage(width, height, scale, 32, target)
        with pytest.raises(Unusable, match="mm are needed either way"):
            prepared(image, 32, scale, target)


def test_a_photograph_that_shows_too_little_is_told_what_it_shows_and_what_is_needed():
    check_coverage(160, 128, 0.5, 128, 0.5)
    with pytest.raises(Unusable, match=r"^shows 80 x 63.5 mm; 64 mm are needed"):
        check_coverage(160, 127, 0.5, 128, 0.5)


def test_an_unknown_scale_matters_only_where_there_is_a_target():
    check_coverage(10, 10, None, 128, None)
    with pytest.raises(Unusable, match=r"scale is unknown, but scale.target is set; give mm_per_pixel"):
        check_coverage(1000, 1000, None, 128, 0.5)


# Names.
