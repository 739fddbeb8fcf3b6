"""Reading and writing the tables that stages hand on, the same bytes on every system."""

from pathlib import Path

import pandas as pd

MANIFEST = Path("data/split/manifest.csv")
REJECTED = Path("data/split/rejected.csv")
TEXT = ("path", "sha256", "specimen", "partition", "reason", "member")


def read_table(file: str | Path) -> pd.DataFrame:
    """A CSV table; columns named in `TEXT` stay text, so that a specimen "007" or "NA" does."""
    return pd.read_csv(file, dtype=dict.fromkeys(TEXT, str), keep_default_na=False)


def write_table(table: pd.DataFrame, file: str | Path) -> None:
    """Write a CSV table, UTF-8 with `\\n`; its folder is made."""
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(file, index=False, lineterminator="\n", encoding="utf-8")
