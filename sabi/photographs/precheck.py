"""Files that DVC cannot hash, told one a line before it stops at the first.

`sabi precheck`, which `make repro` runs first.

Whatever DVC can hash is judged by the `split` stage, which lists what it rejects.
"""

import os
from pathlib import Path

from sabi.photographs.files import find, printable


def unreadable(folder: Path) -> list[str]:
    """A line for each file below `folder` that DVC would stop at. Raises as `find` does."""
    lines = []
    for path in find(folder):
        file = folder / path
        if not file.exists():
            lines.append(f"{folder}/{printable(path)}: a link to nothing; remove it")
        elif not os.access(file, os.R_OK):
            lines.append(f"{folder}/{printable(path)}: cannot be read; change its permissions")
        elif os.fsencode(path) != path.encode("utf-8", "replace"):
            lines.append(f"{folder}/{printable(path)}: its name is not UTF-8; rename it")
    return lines
