"""What `sabi grade --engine` does: photographs in, one table of any number of rows out."""

import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
from tqdm import tqdm

from sabi.cluster import shards
from sabi.cluster.on_ray import grade_on_ray
from sabi.cluster.shards import Shard
from sabi.cluster.sources import Source, find_sources
from sabi.cluster.worker import ShardWorker
from sabi.grading.model import check, identity
from sabi.runtime.errors import system_refusals_told
from sabi.serving.batch import check_free, hold

TABLE, SHARDS = "grades.parquet", "shards"
MARK = "survey.lock"  # in the folder of shards: it is ours, and held by who is at work there


@dataclass(frozen=True)
class Counted:
    """What was made of the photographs."""

    grades: dict[str, int]  # photographs by the grade's name
    rejected: int
    photographs: int  # graded now, not by an earlier call
    seconds: float  # that this took
    shards: int  # graded now
    again: int  # times that a shard was tried again, because what graded it had ended
    workers: int  # processes that graded at once

    def measured(self) -> dict[str, float]:
        """What is to be recorded of it."""
        speed = self.photographs / self.seconds / self.workers
        return {
            "photographs": self.photographs,
            "rejected": self.rejected,
            "seconds": self.seconds,
            "shards": self.shards,
            "shards_again": self.again,
            "workers": self.workers,
            "photographs_per_second_per_worker": speed,
        }


def grade_into_table(
    out: Path, given: Sequence[str], model: Path, size: int, ray: bool, address: str | None = None
) -> Counted:
    """Grade the photographs that `given` names with the model in a folder, `size` of them a shard.

    `out` then holds `grades.parquet`, of `sabi.cluster.shards.SCHEMA`, sorted by path: the same bytes from
    this process and from those of `ray`, also after an interruption. Until then it holds what is
    graded, and the next call goes on. `address` is that of a Ray cluster.

    Raises `InputError` for a folder that is no model, photographs that are not there, an `out` that
    holds something else, and as `grade_on_ray` does.
    """
    check(model)
    folder = out / SHARDS
    if not (folder / MARK).exists():
        check_free(out)
    sources = find_sources(given)
    with system_refusals_told(out):
        folder.mkdir(parents=True, exist_ok=True)
    with (folder / MARK).open("w") as mark:
        hold(mark, out)
        counted = _graded(out, sources, model, size, ray, address)
    # First a name that no later call goes on with: removing takes a while.
    over = folder.rename(out / f"{SHARDS}.removed")
    shutil.rmtree(over)
    return counted


def _graded(
    out: Path, sources: list[Source], model: Path, size: int, ray: bool, address: str | None
) -> Counted:
    folder = out / SHARDS
    inside = f"{out.absolute()}{os.sep}"  # what an earlier call wrote, if the survey's folder is around it
    outside = [source for source in sources if not source.place.startswith(inside)]
    known = identity(model)
    whole = shards.cut(outside, known, size)
    left = [shard for shard in whole if not shards.done(shard, folder)]
    start, again, workers = time.monotonic(), 0, 1
    graded_now = sum(len(shard.sources) for shard in left)
    with tqdm(total=len(outside), initial=len(outside) - graded_now, desc="grade", unit="photo") as bar:

        def graded(shard: Shard) -> None:
            bar.update(len(shard.sources))

        if left and ray:
            # Ray's processes have another working directory.
            again, workers = grade_on_ray(left, model.absolute(), folder.absolute(), address, graded)
        elif left:
            worker = ShardWorker(model, known, folder)
            worker.start()
            for shard in left:
                worker.grade(shard)
                graded(shard)
    seconds = time.monotonic() - start
    shards.merge(whole, folder, out / TABLE)
    counts = pq.read_table(out / TABLE, columns=["grade"]).column("grade").value_counts().to_pylist()
    grades = {one["values"]: one["counts"] for one in counts}
    rejected = grades.pop(None, 0)
    return Counted(dict(sorted(grades.items())), rejected, graded_now, seconds, len(left), again, workers)
