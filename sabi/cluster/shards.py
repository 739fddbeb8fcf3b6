"""A large survey cut into shards: each is graded as a whole, into a file of its own.

A shard's name tells what is in it: the photographs as they are and the model. Its
file is written aside and renamed, so a file that is there is whole. To grade a shard twice
gives the same file again: whatever dies in between, each photograph is in the table once.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from sabi.cluster.sources import Source
from sabi.grading.grader import Row
from sabi.grading.model import ModelSpec
from sabi.photographs.files import printable
from sabi.serving.tables import specimen_and_bridge

SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("specimen", pa.string()),  # what the model's pattern finds in the path, empty if nothing
        ("bridge", pa.string()),
        ("grade", pa.string()),  # the name; this and what follows are null where there is a reason
        ("score", pa.float64()),
        ("low", pa.string()),  # the worst and the best grade that it may be
        ("high", pa.string()),
        ("look", pa.string()),  # why an inspector should look at it, `sabi.grading.doubt.REASONS`
        ("reason", pa.string()),  # why the photograph has no grade
    ]
)


@dataclass(frozen=True)
class Shard:
    """Some photographs that are graded together."""

    name: str
    sources: tuple[Source, ...]

    def file(self, folder: Path) -> Path:
        """Where its rows are."""
        return folder / f"{self.name}.parquet"


def cut(sources: Sequence[Source], model: str, size: int) -> list[Shard]:
    """`sources` in shards of `size`, in order; `model` tells the model from every other."""
    shards = []
    for start in range(0, len(sources), size):
        some = tuple(sources[start : start + size])
        content = json.dumps([model, [astuple(source) for source in some]])
        shards.append(Shard(hashlib.sha256(content.encode()).hexdigest()[:32], some))
    return shards


def write(shard: Shard, rows: Sequence[Row], spec: ModelSpec, folder: Path) -> None:
    """Write the rows of a shard, in the order of its photographs."""
    records = [_record(source, row, spec) for source, row in zip(shard.sources, rows, strict=True)]
    # Two may be at the same shard, where one is believed to be dead; each has a file of its own.
    partial = folder / f"{shard.name}.parquet.{os.uname().nodename}-{os.getpid()}.partial"
    with _whole(shard.file(folder), partial) as stream:
        pq.write_table(pa.Table.from_pylist(records, SCHEMA), stream)


def done(shard: Shard, folder: Path) -> bool:
    """Whether the shard's file is there and holds just its photographs."""
    try:
        paths = pq.read_table(shard.file(folder)).column("path").to_pylist()
    except (OSError, pa.ArrowException, KeyError):
        return False
    return paths == [printable(source.path) for source in shard.sources]


def merge(shards: Iterable[Shard], folder: Path, out: Path) -> None:
    """Write the rows of all shards, in order, as one table; a shard is in memory at a time."""
    partial = out.with_name(f"{out.name}.partial")
    with _whole(out, partial) as stream, pq.ParquetWriter(stream, SCHEMA) as writer:
        for shard in shards:
            writer.write_table(pq.read_table(shard.file(folder), schema=SCHEMA))


@contextmanager
def _whole(file: Path, partial: Path) -> Iterator[BinaryIO]:
    """A stream into `partial` that becomes `file` after the block, when all of it is on the disk."""
    with partial.open("wb") as stream:
        yield stream
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(file)


def _record(source: Source, row: Row, spec: ModelSpec) -> dict[str, str | float | None]:
    specimen, bridge = specimen_and_bridge(source.path, spec)
    return {
        "path": printable(source.path),
        "specimen": specimen,
        "bridge": bridge,
        "grade": row.name,
        "score": row.score,
        "low": row.low,
        "high": row.high,
        "look": row.look,
        "reason": row.reason,
    }
