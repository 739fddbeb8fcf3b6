"""Files that may be photographs: finding them, and judging their names."""

import os
import unicodedata
from pathlib import Path

from sabi.runtime.errors import InputError

SUFFIXES = (".jpg", ".jpeg", ".png", ".heic", ".heif", ".tif", ".tiff", ".webp", ".mpo")


class Unusable(Exception):
    """Why a file cannot be used as a photograph; no path, so it is the same on every machine."""


def find(folder: Path) -> list[str]:
    """Paths of all files below `folder`, relative, with `/`, sorted by code point.

    A directory counts as a file here if it is a link or its name ends like a
    photograph's, so that it is reported rather than passed over. A folder
    that does not exist holds no files. Raises `InputError` for a folder that
    cannot be listed.
    """

    def fail(error: OSError) -> None:
        if Path(error.filename) != folder or folder.exists():
            raise InputError(f"{error.filename}: cannot be listed ({error.strerror}); change its permissions")

    found = []
    for root, directories, files in os.walk(folder, onerror=fail):
        here = Path(root)
        odd = [d for d in directories if d.lower().endswith(SUFFIXES) or (here / d).is_symlink()]
        found += [(here / name).relative_to(folder).as_posix() for name in [*files, *odd]]
    return sorted(found)


def printable(path: str) -> str:
    """`path` as text for one cell of a table: no UTF-8 and control characters as `\\xNN`."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(f"\\x{ord(c):02x}" if unicodedata.category(c) == "Cc" else c for c in text)


def check_name(file: Path) -> None:
    """Raise `Unusable` unless `file` is a file named like a photograph."""
    if printable(str(file)) != str(file):
        raise Unusable("its name is not UTF-8 or has control characters; rename it")
    if file.is_symlink() and file.is_dir():
        raise Unusable("a link to a folder; copy the photographs themselves")
    if file.is_dir():
        raise Unusable("a folder with a photograph's name; rename it")
    if file.exists() and not file.is_file():  # reading it might never end
        raise Unusable("a pipe, socket or device with a photograph's name; remove it")
    if not file.name.lower().endswith(SUFFIXES):
        raise Unusable(f"not a photograph: the name must end in {', '.join(SUFFIXES)}")
