"""One table from one process: complete, the same bytes after an interruption, nothing overwritten."""

import pyarrow.parquet as pq
import pytest

from sabi.cluster import shards
from sabi.cluster.survey import TABLE, grade_into_table
from sabi.cluster.worker import ShardWorker
from sabi.grading.grader import Grader
from sabi.runtime.errors import InputError
from tests.conftest import shell

pytestmark = pytest.mark.slow


def test_the_table_says_what_the_grader_says(folder, drawings, tmp_path):
    counted = grade_into_table(tmp_path / "out", [str(drawings)], folder / "model", 32, ray=False)
    table = pq.read_table(tmp_path / "out" / TABLE).to_pylist()
    files = sorted(drawings.iterdir())
    assert [row["path"] for row in table] == [file.as_posix() for file in files]
    rows = Grader.load(folder / "model").grade(files)
    assert [(row["score"], row["grade"], row["low"], row["high"], row["look"]) for row in table] == [
        (row.score, row.name, row.low, row.high, row.look) for row in rows
    ]
    assert [row["path"] for row in table if row["reason"]] == [(drawings / "notes.txt").as_posix()]
    assert (sum(counted.grades.values()), counted.rejected, counted.photographs) == (80, 1, 81)
    assert (counted.shards, counted.again, counted.workers) == (3, 0, 1)
    assert [file.name for file in (tmp_path / "out").iterdir()] == [TABLE]
    with pytest.raises(InputError, match="is there already"):
        grade_into_table(tmp_path / "out", [str(drawings)], folder / "model", 32, ray=False)


def test_what_was_interrupted_goes_on_to_the_same_bytes(folder, drawings, tmp_path, monkeypatch):
    grade_into_table(tmp_path / "whole", [str(drawings)], folder / "model", 10, ray=False)
    real, seen = ShardWorker.grade, []

    def interrupted(self, shard):
        if len(seen) == 4:
            raise KeyboardInterrupt
        seen.append(shard)
        real(self, shard)

    monkeypatch.setattr(ShardWorker, "grade", interrupted)
    with pytest.raises(KeyboardInterrupt):
        grade_into_table(tmp_path / "out", [str(drawings)], folder / "model", 10, ray=False)
    monkeypatch.setattr(ShardWorker, "grade", real)
    cut = seen[1].file(tmp_path / "out" / "shards")
    cut.write_bytes(cut.read_bytes()[:100])
    counted = grade_into_table(tmp_path / "out", [str(drawings)], folder / "model", 10, ray=False)
    assert counted.shards == 9 - 3
    assert (tmp_path / "out" / TABLE).read_bytes() == (tmp_path / "whole" / TABLE).read_bytes()


def test_one_by_one_gives_the_same_rows_but_for_those_that_are_fatal(folder, drawings, tmp_path):
    from sabi.cluster.sources import find_sources

    [shard] = shards.cut(find_sources([str(drawings / "drawing0*.jpg")]), "model", 20)
    worker = ShardWorker(folder / "model", tmp_path)
    worker.start()
    worker.grade(shard)
    before = pq.read_table(shard.file(tmp_path)).to_pylist()
    worker.grade_one_by_one(shard, fatal=[3])
    after = pq.read_table(shard.file(tmp_path)).to_pylist()
    assert [row for place, row in enumerate(after) if place != 3] == before[:3] + before[4:]
    assert "twice" in after[3]["reason"] and after[3]["grade"] is None
    assert list(tmp_path.iterdir()) == [shard.file(tmp_path)]


def test_the_command_says_what_it_did(folder, drawings, tmp_path):
    command = f"python -m sabi.cli grade {drawings} --model {folder / 'model'} --engine process"
    said = shell(f"{command} --out out", tmp_path, fails=True)  # 1: one file is no photograph
    assert "1 could not be graded; the table: out/grades.parquet" in said
    assert "--address is that of a Ray cluster" in shell(
        f"{command} --out two --address x", tmp_path, fails=True
    )
    assert "need pages" in shell(f"{command} --out two --sort", tmp_path, fails=True)
    assert not (tmp_path / "two").exists()
