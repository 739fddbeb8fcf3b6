"""What tells one computation from every other: its values, its code, its libraries."""

import hashlib
import json
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LIBRARIES = ("tensorflow", "keras", "numpy", "pillow", "scikit-learn", "scipy")


def fingerprint(values: dict[str, Any], code: Iterable[str]) -> str:
    """SHA-256 of plain values, of the Python files of `code` and of the libraries' versions.

    `code` are files and folders, paths from the repository's root; what stands
    in a folder's folders counts too. Raises `FileNotFoundError` for what is not there.
    """
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode())
    for place in code:
        files = sorted((ROOT / place).rglob("*.py")) if (ROOT / place).is_dir() else [ROOT / place]
        for file in files:
            digest.update(f"\n{file.relative_to(ROOT).as_posix()}\n".encode() + file.read_bytes())
    for library in LIBRARIES:
        digest.update(f"{library} {version(library)}".encode())
    return digest.hexdigest()


def sha256_of(file: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
