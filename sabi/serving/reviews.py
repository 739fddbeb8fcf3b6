"""Grades that inspectors gave on the office's page: an SQLite file to which rows are only added."""

import sqlite3
from contextlib import closing
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from sabi.runtime.errors import InputError

SCHEMA = """
create table if not exists review (
    id integer primary key, at text not null, inspector text not null, path text not null,
    sha256 text not null, specimen text not null, grade text not null, blind integer not null,
    machine_grade text not null, machine_score real not null, model text not null
);
create trigger if not exists review_stays before update on review
begin select raise(abort, 'a review is never changed; add another'); end;
create trigger if not exists review_remains before delete on review
begin select raise(abort, 'a review is never deleted; add another'); end;
"""
# An inspector's last word on each file, in the order in which the files were first graded. Photographs of
# one name that differ are several, which `labels.csv` then tells.
LABELS = """
select path, grade, specimen from review
join (select min(id) as first, max(id) as last from review where inspector = ? group by path, sha256)
on id = last
order by first
"""


@dataclass(frozen=True)
class Review:
    """An inspector's grade of a photograph, beside the machine's."""

    inspector: str  # the key of the browser's cookie
    path: str
    sha256: str  # of the photograph's bytes
    specimen: str
    grade: str  # a grade's name
    blind: bool  # whether it was given before the machine's was seen
    machine_grade: str
    machine_score: float
    model: str  # its identity


def prepare(file: Path) -> None:
    """Make the file if there is none; raises `InputError` where it is another or cannot be made."""
    try:
        with closing(sqlite3.connect(file)) as db:
            db.executescript(SCHEMA)
    except sqlite3.Error as error:
        raise InputError(f"{file}: {error}; it is to keep inspectors' grades; move it away") from None


def add(file: Path, review: Review) -> None:
    """Add a review; raises `sqlite3.Error` where the file cannot be written."""
    columns = ", ".join(one.name for one in fields(Review))
    values = (datetime.now(UTC).isoformat(timespec="seconds"), *astuple(review))
    with closing(sqlite3.connect(file)) as db, db:
        db.execute(f"insert into review (at, {columns}) values ({', '.join('?' * len(values))})", values)


def labels(file: Path, inspector: str) -> pd.DataFrame:
    """Columns path, grade and specimen: the inspector's last grade of each file."""
    with closing(sqlite3.connect(file)) as db:
        rows = db.execute(LABELS, (inspector,)).fetchall()
    return pd.DataFrame(rows, columns=["path", "grade", "specimen"])
