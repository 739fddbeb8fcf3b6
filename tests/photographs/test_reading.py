"""A photograph is read once, and what is looked up is what was read, whatever happens to the store."""

import hashlib
import io
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sabi.photographs import reading
from sabi.photographs.decoding import DRAWING_MARK, decode, prepared
from sabi.photographs.features import FEATURES, measure
from sabi.photographs.files import Unusable
from sabi.photographs.reading import Reading, Wanted, read_all, read_array, whole_pixel_sha256
from sabi.runtime.store import Store

WANTED = Wanted(size=16, target=None, min_side=8, max_megapixels=1)
SCALED = Wanted(size=16, target=0.5, min_side=8, max_megapixels=1)
NOISE = np.random.default_rng(5).integers(0, 256, (40, 60, 3), np.uint8)


def encoded(pixels: np.ndarray, kind: str = "PNG", **options) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


@pytest.fixture
def folder(tmp_path) -> Path:
    """Three photographs, one of them twice, one too small, one damaged, one that is none."""
    (tmp_path / "photographs").mkdir()
    files = {
        "a.png": encoded(NOISE),
        "b.jpg": encoded(NOISE[::-1], "JPEG", comment=DRAWING_MARK),
        "again.png": encoded(NOISE),
        "small.png": encoded(NOISE[:5]),
        "half.jpg": encoded(NOISE, "JPEG")[:700],
        "notes.txt": b"no photograph",
    }
    for name, content in files.items():
        (tmp_path / "photographs" / name).write_bytes(content)
    return tmp_path


def read(photograph: Path | bytes, mm_per_pixel: float | None, wanted: Wanted) -> Reading | Unusable:
    [one] = read_all([photograph], [mm_per_pixel], wanted, None)
    return one


def all_of(folder: Path, store: Store | None, wanted: Wanted = WANTED, scale: float | None = None) -> list:
    files = sorted((folder / "photographs").iterdir())
    return [comparable(one) for one in read_all(files, [scale] * len(files), wanted, store)]


def comparable(one: Reading | Unusable) -> tuple:
    if isinstance(one, Unusable):
        return (str(one),)
    return one.decoded, one.features, one.pixels.shape, one.pixels.tobytes()


@pytest.fixture
def decoded(monkeypatch) -> list[bytes]:
    """The contents that were decoded, of what can be."""
    seen: list[bytes] = []
    real = reading.decode_smaller

    def decode_smaller(content, *rest, **limits):
        image = real(content, *rest, **limits)
        seen.append(content)
        return image

    monkeypatch.setattr(reading, "decode_smaller", decode_smaller)
    return seen


def test_what_is_read_is_what_was_asked_for():
    one = read(encoded(NOISE, "JPEG", comment=DRAWING_MARK), None, WANTED)
    image = decode(encoded(NOISE, "JPEG"))
    assert np.array_equal(one.pixels, prepared(image, 16, None, None))
    assert one.features == measure(image) and list(one.features) == list(FEATURES)
    assert (one.decoded.width, one.decoded.height, one.decoded.drawing) == (60, 40, True)


def test_pixels_are_recognised_in_another_file_and_the_same_bytes_in_another_shape_are_others():
    contents = {
        "fast": encoded(NOISE, compress_level=1),
        "small": encoded(NOISE, compress_level=9),
        "mirrored": encoded(NOISE[:, ::-1]),
        "wide": encoded(np.full((8, 32, 3), 9, np.uint8)),
        "high": encoded(np.full((32, 8, 3), 9, np.uint8)),
    }
    seen = {name: read(content, None, WANTED).decoded for name, content in contents.items()}
    assert all(seen[name].sha256 == hashlib.sha256(contents[name]).hexdigest() for name in seen)
    assert seen["fast"].pixel_sha256 == seen["small"].pixel_sha256
    assert len({one.pixel_sha256 for one in seen.values()}) == 4


def test_the_size_is_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    one = read(encoded(NOISE, "JPEG", exif=exif), None, WANTED).decoded
    assert (one.width, one.height) == (40, 60)


def test_a_large_photograph_is_read_smaller_with_its_own_size_and_nearly_its_own_features():
    coarse = Image.fromarray(NOISE).resize((1600, 1200), Image.Resampling.BICUBIC)
    content = encoded(np.asarray(coarse), "JPEG", quality=95)
    wanted = Wanted(16, None, 8, 10)
    one, whole = read(content, None, wanted), decode(content)
    assert (one.decoded.width, one.decoded.height) == whole.size
    apart = np.abs(one.pixels.astype(int) - prepared(whole, 16, None, None))
    assert apart.max() <= 6 and apart.mean() < 1
    assert one.features == pytest.approx(measure(whole), rel=0.05)


@pytest.mark.parametrize(("width", "scale"), [(1600, 0.05), (800, 0.1), (400, 0.2)])
def test_with_a_scale_the_square_has_as_many_millimetres_however_it_was_decoded(width, scale):
    coarse = Image.fromarray(NOISE).resize((width, width * 3 // 4), Image.Resampling.BICUBIC)
    content = encoded(np.asarray(coarse), "JPEG", quality=95)
    wanted = Wanted(16, 1.0, 8, 10)
    square = prepared(decode(content), 16, scale, 1.0)
    assert np.abs(read(content, scale, wanted).pixels.astype(int) - square).mean() < 2


def test_a_photograph_that_shows_too_little_is_read_without_pixels():
    one = read(encoded(NOISE), 0.01, SCALED)
    assert one.pixels.size == 0 and one.decoded.width == 60 and one.features["grain_size"] > 0


def test_the_same_is_read_with_a_cold_a_warm_and_a_half_warm_store(folder, decoded):
    without = all_of(folder, None)
    assert [len(one) for one in without] == [4, 4, 4, 1, 1, 1]
    first = sorted((folder / "photographs").iterdir())[:2]
    with Store(folder / "store.db") as store:
        list(read_all(first, [None] * 2, WANTED, store))
        decoded.clear()
        assert all_of(folder, store) == without
        assert len(decoded) == 1  # b.jpg: a.png and again.png are the first two
        decoded.clear()
        assert all_of(folder, store) == without and decoded == []
    with Store(folder / "store.db") as store:
        assert all_of(folder, store) == without and decoded == []


def test_what_is_asked_for_tells_readings_apart_and_the_scale_only_with_a_target(folder, decoded):
    with Store(folder / "store.db") as store:
        once = all_of(folder, store)
        decoded.clear()
        assert all_of(folder, store, scale=0.3) == once and decoded == []
        assert all_of(folder, store, SCALED, 0.3) != once and len(decoded) == 3
        decoded.clear()
        assert all_of(folder, store, SCALED, 0.3) != all_of(folder, store, SCALED, 0.25)
        assert len(decoded) == 3
        small = Wanted(16, None, min_side=4, max_megapixels=1)
        assert [len(one) for one in all_of(folder, store, small)] == [4, 4, 4, 1, 1, 4]


def test_a_file_that_changed_is_read_again(folder, decoded):
    with Store(folder / "store.db") as store:
        before = all_of(folder, store)
        (folder / "photographs/a.png").write_bytes(encoded(NOISE[:, ::-1]))
        decoded.clear()
        after = all_of(folder, store)
    assert len(decoded) == 1 and after[0] != before[0] and after[1:] == before[1:]


def test_a_file_that_cannot_be_read_is_told_and_not_kept(folder, decoded):
    file = folder / "photographs/a.png"
    file.unlink()
    file.symlink_to(folder / "gone.png")
    with Store(folder / "store.db") as store:
        assert "there is no such file" in all_of(folder, store)[0][0]
        file.unlink()
        file.write_bytes(encoded(NOISE))
        assert len(all_of(folder, store)[0]) == 4


def test_a_damaged_entry_is_read_again(folder, decoded):
    with Store(folder / "store.db") as store:
        before = all_of(folder, store)
    with closing(sqlite3.connect(folder / "store.db", isolation_level=None)) as db:
        db.execute(
            "update kept set content = zeroblob(length(content)) where entry = (select min(id) from entry)"
        )
    decoded.clear()
    with Store(folder / "store.db") as store:
        assert all_of(folder, store) == before and len({*decoded}) == 1


def test_what_cannot_be_used_is_judged_again_each_time(folder, monkeypatch):
    with Store(folder / "store.db") as store:
        with monkeypatch.context() as short:

            def out_of_memory(*_, **__):
                raise Unusable("cannot be decoded: out of memory")

            short.setattr(reading, "decode_smaller", out_of_memory)
            assert {len(one) for one in all_of(folder, store)} == {1}
        assert all_of(folder, store) == all_of(folder, None)


def test_processes_and_threads_may_read_at_once(folder):
    without, seen = all_of(folder, None), []

    def at_work() -> None:
        with Store(folder / "store.db") as store:
            seen.append(all_of(folder, store))

    threads = [threading.Thread(target=at_work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [without] * 4


def test_a_bound_on_the_store_loses_time_and_nothing_else(folder):
    with Store(folder / "store.db", limit=40_000) as store:
        assert all_of(folder, store) == all_of(folder, store) == all_of(folder, None)


def test_photographs_at_the_limit_of_what_they_must_show_are_read_however_they_are_decoded():
    """Rounded to whole pixels, the smaller photograph shows a little less than the whole one."""
    coarse = Image.fromarray(NOISE).resize((4030, 3024), Image.Resampling.BICUBIC)
    wanted = Wanted(224, 1.35, 8, 20)
    one = read(encoded(np.asarray(coarse), "JPEG"), 0.1, wanted)
    assert one.pixels.shape == (224, 224, 3) and not one.decoded.whole
    assert read(encoded(np.asarray(coarse), "JPEG"), 0.0999, wanted).pixels.size == 0


def test_pixels_that_were_decoded_smaller_are_known_in_another_format_when_decoded_whole(tmp_path):
    coarse = Image.fromarray(NOISE).resize((1200, 900), Image.Resampling.BICUBIC)
    (tmp_path / "a.jpg").write_bytes(encoded(np.asarray(coarse), "JPEG"))
    (tmp_path / "a.png").write_bytes(encoded(np.asarray(decode(tmp_path / "a.jpg"))))
    wanted = Wanted(16, None, 8, 10)
    small, whole = (read(tmp_path / name, None, wanted).decoded for name in ("a.jpg", "a.png"))
    assert (small.whole, whole.whole) == (False, True) and small.pixel_sha256 != whole.pixel_sha256
    assert whole_pixel_sha256(tmp_path / "a.jpg") == whole.pixel_sha256


def test_an_array_is_a_photograph_of_its_own():
    one = read_array(NOISE, None, WANTED, measured=True)
    assert one.pixels.tobytes() == read(encoded(NOISE), None, WANTED).pixels.tobytes()
    assert one.features == read(encoded(NOISE), None, WANTED).features
    assert read_array(NOISE, None, WANTED, measured=False).features == {}
    assert "must be (height, width, 3) uint8" in str(read_array(NOISE[..., 0], None, WANTED, measured=True))
    assert "split.min_side" in str(read_array(NOISE[:5], None, WANTED, measured=True))


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 255))
def test_what_was_packed_is_unpacked_to_the_last_bit(value, grey):
    known = read(encoded(NOISE), None, WANTED)
    made = Reading(known.decoded, {"grain_size": value}, np.full((3, 3, 3), grey, np.uint8))
    assert comparable(reading._unpacked(reading._packed(made))) == comparable(made)
