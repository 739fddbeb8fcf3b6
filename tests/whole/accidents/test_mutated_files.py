"""Photographs that were cut, overwritten or mixed up on their way: each is used or told, none is lost."""

import io
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from sabi.photographs.decoding import decode
from sabi.photographs.manifest import split
from sabi.photographs.surface import draw, to_8_bit
from sabi.settings.loading import load
from tests.conftest import ROOT

FILES = 300
GROSS = 2  # mean difference from the original, of 255


def cut(data: bytearray, chance: random.Random) -> bytearray:
    return data[: chance.randrange(len(data))]


def cut_with_end(data: bytearray, chance: random.Random) -> bytearray:
    """Of a PNG the end of its last chunk."""
    return cut(data, chance) + (data[-2:] if data[:2] == b"\xff\xd8" else data[-12:])


def flip(data: bytearray, chance: random.Random) -> bytearray:
    for _ in range(chance.choice([1, 1, 3, 20])):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return data


def hole(data: bytearray, chance: random.Random) -> bytearray:
    start = chance.randrange(len(data))
    end = min(start + chance.randrange(1, len(data)), len(data))
    data[start:end] = bytes(end - start)
    return data


def swap(data: bytearray, chance: random.Random) -> bytearray:
    a, b, c = sorted(chance.sample(range(len(data)), 3))
    return data[:a] + data[b:c] + data[a:b] + data[c:]


def append(data: bytearray, chance: random.Random) -> bytearray:
    return data + chance.randbytes(chance.randrange(1, 500))


MUTATIONS: list[Callable[[bytearray, random.Random], bytearray]] = [
    cut,
    cut_with_end,
    flip,
    hole,
    swap,
    append,
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Mutated files, and the originals of the JPEGs beside them in a folder of the same names."""
    base = tmp_path_factory.mktemp("mutated")
    chance = random.Random(20)
    surfaces = [draw(float(grade), np.random.default_rng(grade), 132, 150, 0.3) for grade in range(1, 6)]
    for number in range(FILES):
        grade = number % 5 + 1
        surface = np.roll(surfaces[grade - 1], number, axis=0)  # no two with the same pixels
        stream = io.BytesIO()
        kind, options = [
            ("JPEG", {"quality": 90}),
            ("PNG", {}),
            ("JPEG", {"quality": 95, "progressive": True}),
            ("PNG", {"compress_level": 0}),
        ][number % 4]
        to_8_bit(surface).save(stream, kind, **options)
        data = bytearray(stream.getvalue())
        name = f"{grade}_{number:03d}.{kind.lower()}"
        for place, content in (
            ("originals", data),
            ("raw", MUTATIONS[number // 4 % len(MUTATIONS)](bytearray(data), chance)),
        ):
            (base / place).mkdir(exist_ok=True)
            (base / place / name).write_bytes(content)
    return base


@pytest.mark.slow
def test_every_mutated_file_is_used_or_told(folder):
    chosen = load(ROOT / "params.yaml")
    manifest, rejected, _, _ = split(folder / "raw", chosen)
    assert sorted([*manifest.path, *rejected.path]) == sorted(
        path.name for path in (folder / "raw").iterdir()
    )
    assert len(manifest) + len(rejected) == FILES
    assert min(len(manifest), len(rejected)) > FILES / 10  # of both, enough to say something
    assert rejected.reason.str.len().gt(0).all() and not rejected.reason.str.contains("\n").any()
    assert not rejected.reason.str.contains(str(folder), regex=False).any()

    changed = {path for path in manifest.path if gross(folder, path)}
    # A PNG has checksums; of a JPEG a changed code may be another right one, which nobody can tell.
    assert all(path.endswith(".jpeg") for path in changed)
    for path in changed:
        simplejpeg.decode_jpeg((folder / "raw" / path).read_bytes(), strict=True)  # raises if libjpeg warns
    assert len(changed) < FILES / 20


def gross(folder: Path, path: str) -> bool:
    """Whether the pixels of a mutated file are others than the original's."""
    seen, right = (np.asarray(decode(folder / place / path), int) for place in ("raw", "originals"))
    return seen.shape != right.shape or bool(np.abs(seen - right).mean() > GROSS)
