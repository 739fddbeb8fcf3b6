"""The store of embeddings: what it gives is what would have been computed, whatever happens to its file."""

import hashlib
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sabi.backbones.store import BATCHES, cached
from sabi.runtime.store import Store
from tests.conftest import ROOT

RECIPE, OTHER = "ab" * 32, "cd" * 32
FEATURES = 700
BATCH = 2
CHUNK = BATCHES * BATCH


def photographs(numbers) -> np.ndarray:
    """(n, 2, 2, 3) uint8; equal numbers, equal photographs."""
    numbers = list(numbers)
    pixels = np.zeros((len(numbers), 2, 2, 3), np.uint8)
    pixels[:, 0, 0, 0] = numbers
    return pixels


def embedding(photograph: np.ndarray) -> np.ndarray:
    """Any bits at all, NaN among them, that the photograph's content decides."""
    return np.frombuffer(hashlib.shake_256(photograph.tobytes()).digest(FEATURES * 4), np.float32)


class Compute:
    """Counts how often the photograph of each number is computed."""

    def __init__(self) -> None:
        self.computed = Counter()
        self.largest = 0

    def __call__(self, pixels: np.ndarray, label: str | None) -> np.ndarray:
        self.computed.update(pixels[:, 0, 0, 0].tolist())
        self.largest = max(self.largest, len(pixels))
        return embedded(pixels[:, 0, 0, 0])


def embedded(numbers) -> np.ndarray:
    """What `Compute` gives, (n, FEATURES); no numbers, no rows."""
    return np.array([embedding(photograph) for photograph in photographs(numbers)], np.float32)


def assert_right(embeddings: np.ndarray, pixels: np.ndarray) -> None:
    assert embeddings.dtype == np.float32
    assert embeddings.tobytes() == embedded(pixels[:, 0, 0, 0]).tobytes()


def run(file: Path, numbers, recipe: str = RECIPE) -> tuple[Counter, int]:
    """What a run over the photographs of these numbers computed, and how many it reused."""
    pixels, compute = photographs(numbers), Compute()
    with Store(file) as store:
        embeddings, reused = cached(store, recipe, pixels, compute, BATCH)
    assert_right(embeddings, pixels)
    return compute.computed, reused


def digests(numbers) -> list[bytes]:
    return [hashlib.sha256(photograph.tobytes()).digest() for photograph in photographs(numbers)]


def sql(file: Path, *statements: str) -> list[tuple]:
    """Change or read the database behind the store's back; rows of the last statement."""
    with closing(sqlite3.connect(file)) as db, db:
        for statement in statements:
            rows = db.execute(statement).fetchall()
    return rows


numbers = st.lists(st.integers(0, 30), min_size=1, max_size=40)


@settings(max_examples=40)
@given(numbers, numbers)
def test_each_content_is_computed_once_ever_and_stays_in_its_place(first, second):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "embeddings.db"
        assert run(file, first) == (Counter(set(first)), 0)
        reused = [number for number in second if number in first]
        assert run(file, second) == (Counter(set(second) - set(first)), len(reused))
        assert run(file, second) == (Counter(), len(second))


@settings(max_examples=40)
@given(st.data())
def test_what_is_put_comes_back_bit_for_bit_under_its_own_recipe_alone(data):
    embeddings = data.draw(arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 50))))
    keys = data.draw(st.lists(st.binary(max_size=40), min_size=5, max_size=5, unique=True))[: len(embeddings)]
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "embeddings.db") as store:
        store.put(RECIPE, keys, embeddings)
        assert store.get(RECIPE, keys) == [row.tobytes() for row in embeddings]
        assert store.get(OTHER, keys) == [None] * len(keys)


def test_computing_goes_in_chunks_of_whole_batches(tmp_path):
    compute = Compute()
    with Store(tmp_path / "embeddings.db") as store:
        cached(store, RECIPE, photographs(range(3 * CHUNK + 1)), compute, BATCH)
    assert compute.largest == CHUNK


def test_photographs_are_looked_up_some_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr("sabi.backbones.store.LOOKUPS", 4)
    run(tmp_path / "embeddings.db", range(0, 30, 3))
    missing = Counter(number for number in range(30) if number % 3)
    assert run(tmp_path / "embeddings.db", range(30)) == (missing, 10)


def test_another_recipe_shares_nothing(tmp_path):
    file = tmp_path / "embeddings.db"
    run(file, range(5))
    assert run(file, range(5), OTHER) == (Counter(range(5)), 0)
    assert run(file, range(5)) == (Counter(), 5)


def test_the_store_is_in_the_real_repository_also_from_a_copy_of_it(tmp_path, monkeypatch):
    (tmp_path / "copy").mkdir()
    monkeypatch.chdir(tmp_path / "copy")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    with Store() as store:
        store.put(RECIPE, digests([1]), embedded([1]))
    assert run(tmp_path / "embeddings.db", [1]) == (Counter(), 1)
    assert not list((tmp_path / "copy").iterdir())


def test_a_label_shows_progress_while_something_is_computed(tmp_path, capsys):
    with Store(tmp_path / "embeddings.db") as store:
        for label, shown in ((None, False), ("mobilenet", True), ("mobilenet", False)):
            pixels = photographs([1] if label is None else [1, 2])
            cached(store, RECIPE, pixels, Compute(), BATCH, label)
            assert ("mobilenet" in capsys.readouterr().err) == shown


# Photograph 2 is entry 3, of four.
ROW_DAMAGE = {
    "a bit of the content": "update kept set content = x'01' || substr(content, 2) where entry = 3",
    "content cut short": "update kept set content = substr(content, 1, length(content) - 4) where entry = 3",
    "content that is text": "update kept set content = 'rust' where entry = 3",
    "the length": "update kept set length = length - 4 where entry = 3",
    "the checksum": "update kept set checksum = zeroblob(32) where entry = 3",
    "another's row": "update kept set (length, checksum, content) = "
    "(select length, checksum, content from kept where entry = 1) where entry = 3",
    "another's recipe": f"update entry set recipe = '{OTHER}' where id = 3",
    "no content": "delete from kept where entry = 3",
}


@pytest.mark.parametrize("statement", ROW_DAMAGE.values(), ids=ROW_DAMAGE)
def test_a_damaged_row_is_deleted_and_computed_again(tmp_path, capsys, statement):
    file = tmp_path / "embeddings.db"
    run(file, range(4))
    sql(file, statement)
    recipe = OTHER if "recipe" in statement else RECIPE
    with Store(file) as store:
        assert store.get(recipe, digests([2])) == [None]
    assert sql(file, "select id from entry") == [(1,), (2,), (4,)]
    assert run(file, range(4)) == (Counter([2]), 3)
    assert run(file, range(4)) == (Counter(), 4)
    assert capsys.readouterr().err == ""


FILE_DAMAGE = {
    "not a database": lambda content: b"rust" * 5000,
    "a short text": lambda content: b"rust",
    "cut in half": lambda content: content[: len(content) // 2],
    "first page lost": lambda content: bytes(4096) + content[4096:],
    "names of columns changed": lambda content: content.replace(b"checksum", b"checkrum"),
    "a name that is no text": lambda content: content.replace(b"entry_by_use", b"entry_by_us\xff", 1),
    "all but the first page overwritten": lambda content: content[:4096] + b"\xff" * (len(content) - 4096),
}


@pytest.mark.parametrize("damage", FILE_DAMAGE.values(), ids=FILE_DAMAGE)
def test_a_damaged_file_is_moved_aside_with_one_line_and_begun_anew(tmp_path, capsys, damage):
    file = tmp_path / "embeddings.db"
    run(file, range(20))
    damaged = damage(file.read_bytes())
    file.write_bytes(damaged)
    run(file, range(20))
    line = f"{file}: damaged; moved to embeddings.db.damaged and begun anew\n"
    assert capsys.readouterr().err == line
    run(file, range(20))  # where the damage showed only while putting, those rows are put now
    assert run(file, range(20)) == (Counter(), 20)
    assert (tmp_path / "embeddings.db.damaged").stat().st_size == len(damaged)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=64)), max_size=20)
)
def test_no_damage_of_the_file_stops_a_run_or_changes_what_it_gives(patches):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "embeddings.db"
        run(file, range(20))
        with file.open("r+b") as stream:
            for place, patch in patches:
                stream.seek(int(place * file.stat().st_size))
                stream.write(patch)
        run(file, range(25))
        run(file, range(25))


def test_a_file_that_another_process_has_replaced_is_not_moved_aside_again(tmp_path, capsys):
    file = tmp_path / "embeddings.db"
    run(file, range(20))
    with Store(file) as slow, Store(file) as fast:
        with file.open("r+b") as stream:
            stream.seek(4096)
            stream.write(b"\xff" * (file.stat().st_size - 4096))
        fast.get(RECIPE, digests(range(20)))
        fast.put(RECIPE, digests([1]), embedded([1]))
        slow.get(RECIPE, digests(range(20)))
        assert slow.get(RECIPE, digests([1]))[0] == embedding(photographs([1])[0]).tobytes()
    assert capsys.readouterr().err.count("\n") == 1


LIMIT = 60_000  # bytes: the tables and some ten embeddings
one = st.integers(0, 30)
uses = st.tuples(st.sampled_from(["put", "get"]), st.lists(one, min_size=1, max_size=8, unique=True))


@settings(max_examples=40)
@given(st.lists(uses, max_size=20))
def test_the_least_recently_used_leave_first_and_the_file_keeps_to_its_limit(uses):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "embeddings.db"
        number = dict(zip(digests(range(31)), range(31), strict=True))
        last_use: dict[int, tuple[int, int]] = {}  # transaction, then order of entry
        entered = 0
        for time, (use, chosen) in enumerate(uses):
            with Store(file, LIMIT) as store:
                if use == "get":
                    found = store.get(RECIPE, digests(chosen))
                    assert {n for n, row in zip(chosen, found, strict=True) if row is not None} == (
                        set(chosen) & set(last_use)
                    )
                    last_use |= {n: (time, last_use[n][1]) for n in chosen if n in last_use}
                else:
                    new = [n for n in chosen if n not in last_use]
                    store.put(RECIPE, digests(new), embedded(new))
                    last_use |= {n: (time, i) for i, n in enumerate(new, entered)}
                    entered += len(new)
            assert file.stat().st_size <= LIMIT
            kept = {number[digest] for (digest,) in sql(file, "select digest from entry")}
            gone = [last_use.pop(n) for n in set(last_use) - kept]
            assert set(last_use) == kept
            assert not gone or max(gone) < min(last_use.values())
            if gone:  # only as many as it takes
                assert file.stat().st_size > LIMIT - 3 * 4096


def test_a_limit_below_one_embedding_keeps_nothing_and_still_gives_all(tmp_path):
    pixels = photographs(range(5))
    with Store(tmp_path / "embeddings.db", limit=1) as store:
        assert_right(cached(store, RECIPE, pixels, Compute(), BATCH)[0], pixels)
        assert store.get(RECIPE, digests(range(5))) == [None] * 5


def start(code: str, *arguments: object) -> subprocess.Popen:
    """Another Python with this module's names."""
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import sys\nfrom tests.backbones.test_store import *\n{code}",
            *map(str, arguments),
        ],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize("content", [None, b"rust" * 5000], ids=["fresh", "damaged"])
def test_three_processes_at_once_share_a_file(tmp_path, content):
    files = [tmp_path / f"{number}.db" for number in range(10)]
    for file in files if content else []:
        file.write_bytes(content)
    code = """
print("ready", flush=True)
input()
for number in range(10):
    run(Path(sys.argv[1]) / f"{number}.db", range(24))
"""
    processes = [start(code, tmp_path) for _ in range(3)]
    assert [process.stdout.readline() for process in processes] == ["ready\n"] * 3
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    printed = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 3, printed
    told = [f"{file}: damaged; moved to {file.name}.damaged and begun anew" for file in files if content]
    assert sorted("".join(printed).splitlines()) == told  # each by one process
    for file in files:
        assert sql(file, "pragma integrity_check") == [("ok",)]
        assert run(file, range(24)) == (Counter(), 24)


def test_after_a_kill_while_computing_only_the_rest_is_computed(tmp_path):
    code = """
compute = Compute()
def dies(pixels, label):
    if sum(compute.computed.values()) == 2 * CHUNK:
        os.kill(os.getpid(), signal.SIGKILL)
    return compute(pixels, label)
with Store(Path(sys.argv[1])) as store:
    cached(store, RECIPE, photographs(range(5 * CHUNK)), dies, BATCH)
"""
    process = start(code, tmp_path / "embeddings.db")
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    rest = Counter(range(2 * CHUNK, 5 * CHUNK))
    assert run(tmp_path / "embeddings.db", range(5 * CHUNK)) == (rest, 2 * CHUNK)


def test_a_kill_while_putting_loses_that_put_alone(tmp_path):
    code = """
def dies(embeddings):
    yield from embeddings
    os.kill(os.getpid(), signal.SIGKILL)
with Store(Path(sys.argv[1])) as store:
    store.put(RECIPE, digests(range(5)), embedded(range(5)))
    store.put(RECIPE, digests(range(5, 10)), dies(embedded(range(5, 9))))
"""
    process = start(code, tmp_path / "embeddings.db")
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert run(tmp_path / "embeddings.db", range(10)) == (Counter(range(5, 10)), 5)


@contextmanager
def as_nobody():
    """Without root's right to write everywhere, where the tests run as root."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.parametrize("filled", [False, True])
def test_a_read_only_folder_is_told_in_one_line_and_the_run_goes_on(capsys, filled):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "embeddings.db"
        if filled:
            run(file, range(5))
        Path(folder).chmod(0o555)
        with as_nobody():
            for _ in range(2):
                assert run(file, range(5)) == (Counter(range(5)), 0)
        Path(folder).chmod(0o755)
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert told.startswith(f"{file}: cannot be used (")


def test_a_folder_in_the_files_place_is_told_in_one_line_and_the_run_goes_on(tmp_path, capsys):
    (tmp_path / "embeddings.db").mkdir()
    assert run(tmp_path / "embeddings.db", range(5)) == (Counter(range(5)), 0)
    assert capsys.readouterr().err.count("\n") == 1


def test_a_disk_that_fills_up_is_told_in_one_line_and_the_run_goes_on(tmp_path, capsys):
    file = tmp_path / "embeddings.db"
    run(file, range(5))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
    try:
        computed, reused = run(file, range(200))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (computed, reused) == (Counter(range(5, 200)), 5)
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert told.startswith(f"{file}: cannot be used (")
    computed, reused = run(file, range(200))
    assert 5 < reused < 200
