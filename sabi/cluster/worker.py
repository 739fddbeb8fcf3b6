"""What grades one shard after another, in this process or in one that Ray has started."""

from collections.abc import Collection
from pathlib import Path

from sabi.cluster import shards
from sabi.cluster.shards import Shard
from sabi.cluster.sources import Source, read
from sabi.grading.grader import Row
from sabi.photographs.files import Unusable
from sabi.runtime.threads import map_threads
from sabi.serving.loading import load

AT_ONCE = 32  # photographs in memory: as files, those of an address
FATAL = "it ended the process that graded it, twice"


class ShardWorker:
    """Grades shards into a folder that whoever merges them reads too."""

    def __init__(self, model: Path, folder: Path) -> None:
        """`model` is the folder of a model, which is loaded when it is needed."""
        self._model, self._folder = model, folder

    def start(self) -> None:
        """Load the model; raises `InputError` if it is none."""
        self._grader = load(self._model, keep_readings=False)

    def grade(self, shard: Shard) -> None:
        """Grade a shard and write its file."""
        rows: list[Row] = []
        for start in range(0, len(shard.sources), AT_ONCE):
            rows += self._rows(shard.sources[start : start + AT_ONCE])
        self._write(shard, rows)

    def grade_one_by_one(self, shard: Shard, fatal: Collection[int]) -> None:
        """Grade a shard with a note of the photograph it is at; those at the places `fatal` get a reason."""
        note, rows = at(shard, self._folder), []
        for place, source in enumerate(shard.sources):
            if place in fatal:
                rows.append(Row(reason=FATAL))
            else:
                note.write_text(str(place), encoding="utf-8")
                rows += self._rows([source])
        self._write(shard, rows)
        note.unlink()

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


def at(shard: Shard, folder: Path) -> Path:
    """Where the place is noted of the photograph that `grade_one_by_one` is at."""
    return folder / f"{shard.name}.at"
