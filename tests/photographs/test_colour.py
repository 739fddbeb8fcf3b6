"""An embedded profile changes numbers, never the colours that people see."""

import io
import os
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from sabi.photographs.colour import to_srgb
from sabi.photographs.decoding import decode
from tests.conftest import ROOT

# Primaries as X, Y, Z under the white of ICC profiles (D50), and the exponent of the curve; None is sRGB's.
SRGB = ([(0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410)], None)
DISPLAY_P3 = ([(0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)], None)
ADOBE_RGB = (
    [(0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)],
    563 / 256,
)
PROPHOTO = ([(0.79767, 0.28804, 0), (0.13519, 0.71187, 0), (0.03134, 0.00009, 0.82491)], 1.8)
SPACES = {"Display P3": DISPLAY_P3, "Adobe RGB": ADOBE_RGB, "ProPhoto RGB": PROPHOTO}
D50 = (0.96420, 1, 0.82491)
# Rust, from dark to bright, steel, lichen; well inside every space.
COLOURS = np.random.default_rng(7).integers(20, 200, (16, 16, 3)) * [1.2, 0.95, 0.85]
COLOURS = np.round(np.clip(COLOURS, 0, 255)).astype(np.uint8)
GREYS = np.arange(256).reshape(16, 16).astype(np.uint8)


def fixed(*numbers: float) -> bytes:
    return struct.pack(f">{len(numbers)}i", *(round(number * 65536) for number in numbers))


def curve(exponent: float | None) -> bytes:
    if exponent is None:  # sRGB's, piecewise
        return b"para\0\0\0\0\0\3\0\0" + fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    return b"curv\0\0\0\0\0\0\0\1" + struct.pack(">HH", round(exponent * 256), 0)


def profile(kind: bytes, space: bytes, pcs: bytes, tags: dict[bytes, bytes]) -> bytes:
    """An ICC profile made by hand, of version 4."""
    tags = {b"wtpt": b"XYZ \0\0\0\0" + fixed(*D50)} | tags
    place, table, data = 132 + 12 * len(tags), b"", b""
    for name, content in tags.items():
        table += name + struct.pack(">II", place + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    header = bytearray(128)
    header[8:12], header[12:24], header[36:40] = b"\4\0\0\0", kind + space + pcs, b"acsp"
    header[68:80] = fixed(*D50)
    header[:4] = struct.pack(">I", place + len(data))
    return bytes(header) + struct.pack(">I", len(tags)) + table + data


def of_primaries(primaries: list, exponent: float | None) -> bytes:
    tags = {name + b"TRC": curve(exponent) for name in (b"r", b"g", b"b")}
    for name, xyz in zip((b"r", b"g", b"b"), primaries, strict=True):
        tags[name + b"XYZ"] = b"XYZ \0\0\0\0" + fixed(*xyz)
    return profile(b"mntr", b"RGB ", b"XYZ ", tags)


def of_greys(exponent: float | None) -> bytes:
    return profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": curve(exponent)})


def of_inks() -> bytes:
    """A profile of CMYK whose black ink alone tells anything: the lightness; all else is neutral."""
    straight, sixteen = bytes(range(256)), range(16)
    table = b"".join(bytes([0 if inks & 1 else 255, 128, 128]) for inks in sixteen)  # black varies fastest
    unit = fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + unit + straight * 4 + table + straight * 3
    return profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": lut, b"A2B1": lut})


def linear(values: np.ndarray, exponent: float | None) -> np.ndarray:
    if exponent is None:
        return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return values**exponent


def in_space(colours: np.ndarray, primaries: list, exponent: float | None) -> np.ndarray:
    """sRGB `colours` as the numbers of another space, by the spaces' definitions."""
    xyz = linear(colours / 255, None) @ np.array(SRGB[0])
    light = np.clip(xyz @ np.linalg.inv(np.array(primaries)), 0, 1)
    if exponent is None:
        coded = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    else:
        coded = light ** (1 / exponent)
    return np.round(coded * 255).astype(np.uint8)


def far(image: Image.Image, expected: np.ndarray) -> int:
    assert image.mode == "RGB"
    return int(np.abs(np.asarray(image, int) - expected.astype(int)).max())


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize(
    ("kind", "options"),
    [("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True}), ("HEIF", {"quality": -1, "chroma": 444})],
)
def test_the_same_colours_in_another_space_are_the_same_pixels(name, kind, options):
    primaries, exponent = SPACES[name]
    numbers = in_space(COLOURS, primaries, exponent)
    data = encoded(Image.fromarray(numbers), kind, icc_profile=of_primaries(primaries, exponent), **options)
    # A step of the wider space is up to three of sRGB's; HEIC rounds once more, in YCbCr.
    assert far(decode(data), COLOURS) <= (8 if kind == "HEIF" else 3)
    assert far(Image.fromarray(numbers), COLOURS) > 12  # what ignoring the profile would give


def test_a_jpeg_of_a_phone_has_the_colours_of_the_same_jpeg_in_srgb():
    smooth = Image.fromarray(COLOURS).resize((160, 160), Image.Resampling.BICUBIC)
    numbers = Image.fromarray(in_space(np.asarray(smooth), *DISPLAY_P3))
    options = {"quality": 98, "subsampling": 0}
    phone = decode(encoded(numbers, "JPEG", icc_profile=of_primaries(*DISPLAY_P3), **options))
    plain = np.asarray(decode(encoded(smooth, "JPEG", **options)), int)
    assert np.abs(np.asarray(phone, int) - plain).mean() < 1
    assert np.abs(np.asarray(numbers, int) - plain).mean() > 4


@pytest.mark.parametrize(
    "own",
    [of_primaries(*SRGB), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()],
    ids=["by hand", "LittleCMS"],
)
def test_srgb_s_own_profile_changes_no_pixel(own):
    plain, tagged = (encoded(Image.fromarray(COLOURS), "JPEG", **k) for k in ({}, {"icc_profile": own}))
    assert decode(plain).tobytes() == decode(tagged).tobytes()
    image = Image.fromarray(COLOURS)
    assert to_srgb(image, own) is image  # not even copied


P3 = of_primaries(*DISPLAY_P3)


@pytest.mark.parametrize(
    "bad",
    [b"", b"no profile", P3[:100], P3[:200], P3[:-60], P3.replace(b"acsp", b"????"), bytes(len(P3))],
    ids=["empty", "text", "header cut", "table cut", "curves cut", "no signature", "zeros"],
)
def test_a_damaged_profile_is_ignored(bad):
    assert far(to_srgb(Image.fromarray(COLOURS), bad), COLOURS) == 0


@settings(max_examples=60)
@given(st.binary(max_size=40), st.integers(0, len(P3)), st.integers(0, len(P3)))
def test_whatever_a_profile_holds_the_photograph_is_kept(other, start, end):
    image = to_srgb(Image.fromarray(COLOURS), P3[:start] + other + P3[end:])
    assert image.mode == "RGB" and image.size == (16, 16)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize(("fits", "other"), [("L", of_greys(1.0)), ("RGB", P3), ("CMYK", of_inks())])
def test_a_profile_of_another_kind_of_pixels_is_ignored(mode, fits, other):
    image = Image.fromarray(COLOURS).convert(mode)
    plain = np.asarray(image.convert("RGB"))
    assert (far(to_srgb(image, other), plain) == 0) == (mode != fits)


def test_greys_are_read_by_their_profile():
    expected = np.asarray(in_space(np.repeat(GREYS[..., None], 3, axis=2), SRGB[0], None))
    light = np.round(linear(GREYS / 255, None) * 255).astype(np.uint8)
    bright = light > 40  # darker, a step of linear light is many of sRGB's
    data = encoded(Image.fromarray(light), "PNG", icc_profile=of_greys(1.0))
    assert far(Image.fromarray(np.asarray(decode(data))[bright][None]), expected[bright][None]) <= 2
    assert far(to_srgb(Image.fromarray(GREYS), of_greys(None)), expected) == 0


def test_inks_are_read_by_their_profile():
    inks = np.zeros((16, 16, 4), np.uint8)
    inks[..., 0], inks[..., 3] = 200, GREYS
    image = Image.frombytes("CMYK", (16, 16), inks.tobytes())
    seen = np.asarray(decode(encoded(image, "TIFF", icc_profile=of_inks())), int)
    assert np.ptp(seen, axis=2).max() <= 2  # the cyan would show otherwise
    assert seen[0, 0].min() > 250 and seen[-1, -1].max() < 5 and (np.diff(seen[..., 0].ravel()) <= 0).all()


def test_transparent_parts_are_white_and_the_others_converted():
    alpha = np.where(GREYS > 99, 255, 0).astype(np.uint8)
    numbers = np.dstack([in_space(COLOURS, *DISPLAY_P3), alpha])
    seen = np.asarray(decode(encoded(Image.fromarray(numbers), "PNG", icc_profile=P3)))
    assert (seen[alpha == 0] == 255).all()
    assert np.abs(seen[alpha > 0].astype(int) - COLOURS[alpha > 0]).max() <= 3


def test_a_palette_and_16_bit_greys_are_converted_too():
    image = Image.fromarray(in_space(COLOURS, *DISPLAY_P3)).quantize(256)
    assert far(decode(encoded(image, "PNG", icc_profile=P3)), COLOURS) <= 3
    deep = Image.fromarray(GREYS.astype(np.uint16) * 257)
    plain = encoded(Image.fromarray(GREYS), "PNG", icc_profile=of_greys(1.0))
    assert decode(encoded(deep, "PNG", icc_profile=of_greys(1.0))).tobytes() == decode(plain).tobytes()


def test_many_threads_give_the_pixels_of_one():
    files = [
        encoded(Image.fromarray(np.roll(COLOURS, turn, axis=0)), "PNG", icc_profile=of_primaries(*space))
        for turn in range(8)
        for space in SPACES.values()
    ]
    one = [decode(file).tobytes() for file in files]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda file: decode(file).tobytes(), files * 2)) == one * 2


def test_colours_are_the_same_on_a_processor_with_fewer_instructions():
    """LittleCMS calls `pow` of the C library, which has a version for each kind of processor."""
    steps = np.arange(0, 256, 5).astype(np.uint8)
    grid = Image.fromarray(np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(52, -1, 3))
    code = (
        "import sys; from PIL import Image; from sabi.photographs.colour import to_srgb; "
        "grid, *profiles = (bytes.fromhex(line) for line in sys.stdin); "
        f"grid = Image.frombytes('RGB', {grid.size}, grid); "
        "print(*[to_srgb(grid, profile).tobytes().hex() for profile in profiles], sep='\\n')"
    )
    profiles = [of_primaries(*space) for space in SPACES.values()]
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA"},
        input="\n".join(data.hex() for data in [grid.tobytes(), *profiles]),
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.split() == [to_srgb(grid, profile).tobytes().hex() for profile in profiles]
