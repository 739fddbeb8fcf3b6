"""Shards: named by what is in them, believed only whole, merged to the same bytes whatever their number."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sabi.cluster import shards
from sabi.cluster.sources import Source
from sabi.grading.grader import Grader, Row
from sabi.grading.model import ModelSpec


def sources(count: int, version: str = "1") -> list[Source]:
    return [Source(f"drawing{number:03d}.jpg", f"/x/{number:03d}", None, version) for number in range(count)]


def rows(count: int) -> list[Row]:
    graded = [Row(1 + number / 7, 1, "poor", "poor", "fair", "border", "n", 0.5) for number in range(count)]
    return [Row(reason="no photograph") if number % 5 == 3 else row for number, row in enumerate(graded)]


@pytest.fixture(scope="module")
def spec(folder) -> ModelSpec:
    return Grader.load(folder / "model").spec


@given(count=st.integers(0, 40), size=st.integers(1, 12))
def test_every_photograph_is_in_one_shard(count, size):
    whole = shards.cut(sources(count), "model", size)
    assert [source for shard in whole for source in shard.sources] == sources(count)
    assert all(len(shard.sources) <= size for shard in whole)
    assert len({shard.name for shard in whole}) == len(whole)


def test_a_name_tells_the_photographs_and_the_model():
    [one] = shards.cut(sources(3), "model", 3)
    assert shards.cut(sources(3), "model", 3) == [one]
    [changed] = shards.cut(sources(3, version="2"), "model", 3)
    [other] = shards.cut(sources(3), "another", 3)
    assert len({one.name, changed.name, other.name}) == 3


def graded(folder: Path, spec: ModelSpec, count: int, size: int) -> list[shards.Shard]:
    whole = shards.cut(sources(count), "model", size)
    every = iter(rows(count))
    for shard in whole:
        shards.write(shard, [next(every) for _ in shard.sources], spec, folder)
    return whole


def test_a_shard_written_twice_has_the_same_bytes_and_leaves_nothing_else(tmp_path, spec):
    [shard] = graded(tmp_path, spec, 6, 6)
    before = shard.file(tmp_path).read_bytes()
    graded(tmp_path, spec, 6, 6)
    assert shard.file(tmp_path).read_bytes() == before
    assert list(tmp_path.iterdir()) == [shard.file(tmp_path)]


@pytest.mark.parametrize("damage", ["missing", "cut", "of others", "empty"])
def test_a_file_that_is_not_sound_counts_for_nothing(tmp_path, spec, damage):
    one, other = graded(tmp_path, spec, 8, 4)
    file = one.file(tmp_path)
    assert shards.done(one, tmp_path)
    if damage == "missing":
        file.unlink()
    elif damage == "of others":
        file.write_bytes(other.file(tmp_path).read_bytes())
    else:
        file.write_bytes(file.read_bytes()[: 0 if damage == "empty" else -20])
    assert not shards.done(one, tmp_path)


def test_the_table_has_every_row_once_in_order(tmp_path, spec):
    whole = graded(tmp_path, spec, 17, 5)
    shards.merge(whole, tmp_path, tmp_path / "table.parquet")
    table = pq.read_table(tmp_path / "table.parquet")
    assert table.schema == shards.SCHEMA
    assert table.column("path").to_pylist() == [source.path for source in sources(17)]
    assert table.column("score").to_pylist() == [row.score for row in rows(17)]
    assert table.column("reason").to_pylist() == [row.reason for row in rows(17)]
    assert table.column("specimen").to_pylist() == [f"drawing{number:03d}" for number in range(17)]


def test_a_name_that_is_no_text_is_printable_in_every_column(tmp_path, spec):
    odd = Source("br\udcffcke/1.jpg", "/x/1", None, "1")
    [shard] = shards.cut([odd], "model", 1)
    patterns = {"specimen": "(br.cke)", "bridge": "(br.)"}
    shards.write(shard, rows(1), spec.model_copy(update=patterns), tmp_path)
    assert shards.done(shard, tmp_path)
    [row] = pq.read_table(shard.file(tmp_path)).to_pylist()
    assert row["specimen"] and row["bridge"]
