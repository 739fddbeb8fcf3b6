"""What has been computed once: looked up here, not computed again.

What is read of a photograph depends only on its bytes and on what is asked for
(`sabi.photographs.reading`); its embedding only on its pixels and on the recipe:
backbone, weights, preprocessing, pooling, code and versions of the libraries. So
does a network itself, ready to run, on the recipe alone. The store is `embeddings.db`
(SQLite) in the repository's root, found from any working directory and from DVC's
queued experiments. It only saves time: what is damaged is computed again, and a run
goes on without a store that cannot be used.
"""

import fcntl
import hashlib
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from sabi.runtime.repository import repository_root

STORE = "embeddings.db"
LIMIT = 8 * 2**30  # bytes: three networks, and of 30,000 photographs of 224 pixels readings and embeddings
# Result codes that tell of the file's content; all others are of the disk, its rights or a lock.
DAMAGE = (
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_TOOBIG,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_NOTADB,
)
# Entries are apart from their content: noting a use must not write that again.
SCHEMA = """
pragma auto_vacuum = full;
pragma journal_mode = wal;
pragma synchronous = normal;
pragma foreign_keys = on;
create table if not exists entry (
    id integer primary key, recipe text not null, digest blob not null, used integer not null,
    unique (recipe, digest)
);
create index if not exists entry_by_use on entry (used);
create table if not exists kept (
    entry integer primary key references entry on delete cascade,
    length integer not null, checksum blob not null, content blob not null
);
"""
SELECT = """
select id, length, checksum, content from entry left join kept on entry = id
where recipe = ? and digest = ?
"""
INSERT_ENTRY = "insert or ignore into entry (recipe, digest, used) values (?, ?, ?)"
INSERT_CONTENT = "insert or replace into kept values (?, ?, ?, ?)"
SIZE = """
select (page_count - freelist_count) * page_size
from pragma_page_count, pragma_freelist_count, pragma_page_size
"""
DELETE_OLDEST = "delete from entry where id = (select id from entry order by used, id limit 1)"


class Store:
    """What is kept in `file`; the least recently used leave when it is larger than `limit` bytes.

    Without `file` it is `embeddings.db` in the repository's root. Any number of
    processes may use it at once. A context manager that closes it. A damaged
    file is moved aside and a new one begun; if that or anything else fails,
    the store is empty and keeps nothing. Either is told in one line on stderr.
    """

    def __init__(self, file: Path | None = None, limit: int = LIMIT) -> None:
        self._file = file or repository_root() / STORE
        self._limit = limit
        self._db: sqlite3.Connection | None = None
        with self._troubles():
            self._open()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def get(self, recipe: str, digests: Sequence[bytes]) -> list[bytes | None]:
        """What is kept under each digest; None where there is nothing.

        A row that is not what was put is deleted and counts as none.
        """
        found: list[bytes | None] = [None] * len(digests)
        with self._troubles() as db:
            if db is None:
                return found
            sound, damaged = [], []
            for i, digest in enumerate(digests):
                row = db.execute(SELECT, (recipe, digest)).fetchone()
                if row is None:
                    continue
                entry, length, checksum, content = row
                stored = isinstance(content, bytes) and length == len(content)
                if stored and checksum == _checksum(recipe, digest, content):
                    found[i] = content
                    sound.append(entry)
                else:
                    damaged.append((entry,))
            if sound or damaged:
                with _writing(db) as now:
                    db.executemany("delete from entry where id = ?", damaged)
                    db.executemany(
                        "update entry set used = ? where id = ?", [(now, entry) for entry in sound]
                    )
        return found

    def put(self, recipe: str, digests: Sequence[bytes], contents: Iterable[Any]) -> None:
        """Keep the bytes of `contents`; the first to come stays where there is one already."""
        with self._troubles() as db:
            if db is None:
                return
            with _writing(db) as now:
                for digest, content in zip(digests, map(bytes, contents), strict=True):
                    added = db.execute(INSERT_ENTRY, (recipe, digest, now))
                    if added.rowcount:
                        checksum = _checksum(recipe, digest, content)
                        db.execute(INSERT_CONTENT, (added.lastrowid, len(content), checksum, content))
                    while db.execute(SIZE).fetchone()[0] > self._limit:
                        if not db.execute(DELETE_OLDEST).rowcount:
                            break

    @contextmanager
    def _troubles(self) -> Iterator[sqlite3.Connection | None]:
        """The connection, None if there is none; whatever fails in the block is dealt with here."""
        try:
            yield self._db
        except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
            self._close()
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the higher bits are details
            try:
                # SQLite's message may quote damaged text that Python cannot decode.
                if code in DAMAGE or isinstance(error, UnicodeDecodeError):
                    self._move_aside()
                    self._open()
                    return
            except (sqlite3.Error, OSError) as another:
                self._close()
                error = another
            _tell(f"{self._file}: cannot be used ({error}); goes on without it, delete it if it is damaged")

    def _open(self) -> None:
        with self._locked():
            self._db = sqlite3.connect(self._file, timeout=60, isolation_level=None)
            self._inode = self._file.stat().st_ino
            self._db.text_factory = bytes  # only a damaged row has text where bytes should be
            self._db.executescript(SCHEMA)

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def _move_aside(self) -> None:
        with self._locked():
            if not self._file.exists() or self._file.stat().st_ino != self._inode:
                return  # another process was faster
            aside = self._file.with_name(f"{self._file.name}.damaged")
            self._file.replace(aside)
            for suffix in ("-wal", "-shm"):  # SQLite would take them for the new file's
                self._file.with_name(self._file.name + suffix).unlink(missing_ok=True)
        _tell(f"{self._file}: damaged; moved to {aside.name} and begun anew")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone among processes: none opens a file that is half made or half moved aside."""
        with self._file.with_name(f"{self._file.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


@contextmanager
def _writing(db: sqlite3.Connection) -> Iterator[int]:
    """One transaction; gives the time of use, which counts transactions because clocks go astray."""
    with db:
        db.execute("begin immediate")
        yield db.execute("select ifnull(max(used), 0) + 1 from entry").fetchone()[0]


def _checksum(recipe: str, digest: bytes, content: bytes) -> bytes:
    # The lengths make the parts' borders unmistakable.
    total = hashlib.sha256(f"{recipe} {len(digest)} {len(content)} ".encode() + digest)
    total.update(content)
    return total.digest()


@cache
def _tell(line: str) -> None:
    """Print `line` on stderr, once however many stores of the process have the trouble."""
    print(line, file=sys.stderr, flush=True)
