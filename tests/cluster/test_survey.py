"""One table from one process: complete, the same bytes after an interruption, nothing overwritten."""

import fcntl
import shutil
import sys

import pyarrow.parquet as pq
import pytest

from sabi.cluster import shards
from sabi.cluster.sources import find_sources
from sabi.cluster.survey import MARK, TABLE, grade_into_table
from sabi.cluster.worker import ShardWorker
from sabi.grading.grader import Grader
from sabi.grading.model import identity
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
    [shard] = shards.cut(find_sources([str(drawings / "drawing0*.jpg")]), "model", 20)
    worker = ShardWorker(folder / "model", identity(folder / "model"), tmp_path)
    worker.start()
    worker.grade(shard)
    before = pq.read_table(shard.file(tmp_path)).to_pylist()
    worker.grade_one_by_one(shard, [3], tmp_path / "note")
    after = pq.read_table(shard.file(tmp_path)).to_pylist()
    assert [row for place, row in enumerate(after) if place != 3] == before[:3] + before[4:]
    assert "twice" in after[3]["reason"] and after[3]["grade"] is None
    # Also where none is left, so that no place was noted.
    [alone] = shards.cut(find_sources([str(drawings / "drawing01.jpg")]), "model", 1)
    worker.grade_one_by_one(alone, [0], tmp_path / "note")
    assert "twice" in pq.read_table(alone.file(tmp_path)).to_pylist()[0]["reason"]
    alone.file(tmp_path).unlink()
    assert list(tmp_path.iterdir()) == [shard.file(tmp_path)]


def test_the_command_says_what_it_did(folder, drawings, tmp_path):
    command = f"python -m sabi.cli grade {drawings} --model {folder / 'model'} --engine process"
    said = shell(f"{command} --out out", tmp_path, fails=True)  # 1: one file is no photograph
    assert "1 could not be graded; the table: out/grades.parquet" in said
    assert "--address goes with --engine ray" in shell(
        f"{command} --out two --address x", tmp_path, fails=True
    )
    assert "not with --engine" in shell(f"{command} --out two --sort", tmp_path, fails=True)
    assert not (tmp_path / "two").exists()


@pytest.mark.parametrize(
    ("given", "model", "said"),
    [
        ("nowhere", "model", "nowhere: no such file"),
        (".", "none", "none: no such folder; name"),
    ],
)
def test_what_is_not_there_is_told_and_no_folder_is_left(folder, tmp_path, monkeypatch, given, model, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=said):
        grade_into_table(tmp_path / "out", [given], folder / model, 32, ray=False)
    assert list(tmp_path.iterdir()) == []


def test_without_ray_it_is_told_how_to_get_it(folder, drawings, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)  # as where it is not installed
    with pytest.raises(InputError, match="Ray is not installed; type `make ray`"):
        grade_into_table(tmp_path / "out", [str(drawings)], folder / "model", 32, ray=True)


def test_a_folder_of_others_is_left_alone_even_if_it_holds_shards(folder, drawings, tmp_path):
    (tmp_path / "out/shards").mkdir(parents=True)
    (tmp_path / "out/shards/mine.parquet").write_text("mine")
    with pytest.raises(InputError, match="is there already and stays as it is"):
        grade_into_table(tmp_path / "out", [str(drawings)], folder / "model", 32, ray=False)
    assert (tmp_path / "out/shards/mine.parquet").read_text() == "mine"


def test_who_is_at_work_there_keeps_others_out(folder, drawings, tmp_path):
    (tmp_path / "out/shards").mkdir(parents=True)
    with (tmp_path / "out/shards" / MARK).open("w") as mark:
        fcntl.flock(mark, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another `sabi grade` is at work there"):
            grade_into_table(tmp_path / "out", [str(drawings)], folder / "model", 32, ray=False)


def test_a_table_within_the_photographs_folder_is_no_photograph(folder, drawings, tmp_path):
    given = tmp_path / "given"
    shutil.copytree(drawings, given)
    (given / "out/shards").mkdir(parents=True)
    (given / "out/shards" / MARK).touch()
    (given / "out/shards/0.parquet").write_text("of an interrupted call")
    grade_into_table(given / "out", [str(given)], folder / "model", 32, ray=False)
    assert len(pq.read_table(given / "out" / TABLE)) == 81


def test_another_model_under_the_same_path_is_refused(folder, tmp_path):
    with pytest.raises(InputError, match="another model"):
        ShardWorker(folder / "model", "0" * 64, tmp_path).start()
