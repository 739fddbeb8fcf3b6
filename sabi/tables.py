"""Reading and writing what stages hand on, the same bytes on every system."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

MANIFEST = Path("data/split/manifest.csv")
REJECTED = Path("data/split/rejected.csv")
MEMBERS = Path("data/members")
# In git with the metrics, so that two commits can be compared photograph by photograph.
PREDICTIONS = Path("metrics/predictions.csv")
PREDICTION_COLUMNS = ["path", "sha256", "specimen", "actual", "predicted", "score"]
TEXT = ("path", "sha256", "specimen", "partition", "reason", "member", "settings", "baseline")


def read_table(file: str | Path) -> pd.DataFrame:
    """A CSV table; columns named in `TEXT` stay text, so that a specimen "007" or "NA" does.

    `mm_per_pixel` is a float, NaN where the scale is unknown.
    """
    types = dict.fromkeys(TEXT, str) | {"mm_per_pixel": float}
    return pd.read_csv(file, dtype=types, keep_default_na=False, na_values={"mm_per_pixel": [""]})


def write_table(table: pd.DataFrame, file: str | Path) -> None:
    """Write a CSV table, UTF-8 with `\\n`; its folder is made."""
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(file, index=False, lineterminator="\n", encoding="utf-8")


def read_json(file: str | Path) -> dict[str, Any]:
    """The values in a JSON file."""
    return json.loads(Path(file).read_text(encoding="utf-8"))


def write_json(values: dict[str, Any], file: str | Path) -> None:
    """Write values as JSON, UTF-8; the file's folder is made."""
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    Path(file).write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values of nested dictionaries, each with its dotted name: {"a": {"b": 1}} gives ("a.b", 1)."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
