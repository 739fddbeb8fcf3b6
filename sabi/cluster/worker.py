"""What grades one shard after another, in this process or in one that Ray has started."""

import os
from collections.abc import Collection
from pathlib import Path

import numpy as np

from sabi.cluster import shards
from sabi.cluster.shards import Shard
from sabi.cluster.sources import Source, read
from sabi.grading.grader import Row
from sabi.grading.model import identity
from sabi.photographs.files import Unusable
from sabi.runtime.errors import InputError
from sabi.runtime.threads import map_threads
from sabi.serving.loading import load

AT_ONCE = 32  # photographs in memory: as files, those of an address
FATAL = "it ended the process that graded it, twice"


class ShardWorker:
    """Grades shards into a folder that whoever merges them reads too."""

    def __init__(self, model: Path, known: str, folder: Path) -> None:
        """`model` is the folder of a model, `known` its `identity`; shards are written into `folder`."""
        self._model, self._known, self._folder = model, known, folder

    def start(self) -> None:
        """Load the model and its networks; raises `InputError` if it is none, or another."""
        self._grader = load(self._model, keep_readings=False)
        if identity(self._model) != self._known:
            raise InputError(
                f"{self._model}: another model on {os.uname().nodename} than where `sabi grade` was called; "
                "put it where all machines see it"
            )
        # The networks are loaded with the first photograph. If that fails, none of the survey's is to blame.
        spec = self._grader.spec
        side = max(spec.size, spec.min_side)
        self._grader.grade(
            [np.zeros((side, side, 3), np.uint8)], [spec.target_mm_per_pixel or 1.0], keep=False
        )

    def grade(self, shard: Shard) -> None:
        """Grade a shard and write its file."""
        rows: list[Row] = []
        for start in range(0, len(shard.sources), AT_ONCE):
            rows += self._rows(shard.sources[start : start + AT_ONCE])
        self._write(shard, rows)

    def grade_one_by_one(self, shard: Shard, fatal: Collection[int], note: Path) -> None:
        """Grade a shard, the place it is at in the file `note`; those at the places `fatal` get a reason."""
        rows: list[Row] = []
        for place, source in enumerate(shard.sources):
            if place in fatal:
                rows.append(Row(reason=FATAL))
            else:
                note.write_text(str(place), encoding="utf-8")
                rows += self._rows([source])
        self._write(shard, rows)
        note.unlink(missing_ok=True)

    def _rows(self, sources: Collection[Source]) -> list[Row]:
        read_now = map_threads(read, sources)
        usable = [
            (one, source.mm_per_pixel)
            for one, source in zip(read_now, sources, strict=True)
            if not isinstance(one, Unusable)
        ]
        photographs, scales = [one for one, _ in usable], [scale for _, scale in usable]
        # Embeddings are not kept: a photograph of millions is graded once.
        graded = iter(self._grader.grade(photographs, scales, keep=False))
        return [Row(reason=str(one)) if isinstance(one, Unusable) else next(graded) for one in read_now]

    def _write(self, shard: Shard, rows: list[Row]) -> None:
        shards.write(shard, rows, self._grader.spec, self._folder)
