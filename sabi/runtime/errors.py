"""The errors that are the user's to mend."""

import errno
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# A full disk, a quota that is used up, the most that a file may have.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# What libraries in C say of the same without a number: HDF5, NumPy, SQLite.
SAID = ("No space left on device", "requested and", "database or disk is full")
LITTLE = 2**20  # bytes free, with which whatever failed did so for want of space


class InputError(Exception):
    """Wrong input: its text is one line that names the value, what is allowed, the way out."""


class NoSpace(InputError):
    """The disk is full: one line that names it, what is free and what is needed."""

    def __init__(self, place: Path, needed: int | None) -> None:
        """`place` lies on the disk; `needed` are bytes, as far as that is known."""
        megabytes = f", needs about {-(-needed // 2**20)} MB" if needed else ""
        super().__init__(
            f"no space left on the disk of {place.absolute()}: {shutil.disk_usage(place).free // 2**20} MB "
            f"free{megabytes}; make room there and run the same command again"
        )


def in_a_line(error: BaseException) -> str:
    """What an error says, 300 characters at most."""
    return " ".join(str(error).split())[:300]


def reasons(error: BaseException) -> Iterator[BaseException]:
    """An error, what led to it, what led to that, to the first of all."""
    reason: BaseException | None = error
    while reason is not None:
        yield reason
        reason = reason.__cause__ or reason.__context__


def lacks_space(error: BaseException) -> bool:
    """Whether a full disk, that of the working directory say, led to `error`."""
    for reason in reasons(error):
        if isinstance(reason, OSError | sqlite3.Error):
            said = str(reason)
            if getattr(reason, "errno", None) in FULL or any(text in said for text in SAID):
                return True
    mistake = isinstance(error, Exception) and not isinstance(error, InputError)
    return mistake and shutil.disk_usage(Path.cwd()).free < LITTLE


@contextmanager
def system_refusals_told(place: Path) -> Iterator[None]:
    """In the block, which writes to `place`, an `OSError` becomes an `InputError` that names the file."""
    try:
        yield
    except OSError as error:
        if lacks_space(error):
            there = next(
                folder for folder in [place.absolute(), *place.absolute().parents] if folder.exists()
            )
            raise NoSpace(there, None) from error
        if error.filename is None:
            raise
        raise InputError(
            f"{error.filename}: {error.strerror}; see that it can be read, or written where it is to be"
        ) from error
