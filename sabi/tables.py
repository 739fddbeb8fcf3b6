"""Reading and writing what stages hand on, the same bytes on every system."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO, TypeVar

import numpy as np
import pandas as pd
import pydantic

from sabi.grades import Grades
from sabi.runtime.errors import InputError, NoSpace, lacks_space

Spec = TypeVar("Spec", bound=pydantic.BaseModel)

MANIFEST = Path("data/split/manifest.csv")
REJECTED = Path("data/split/rejected.csv")
INSPECTORS = Path("data/split/inspectors.csv")
MEASUREMENTS = Path("data/split/measurements.csv")
SUMMARY = Path("data/split/summary.json")  # what the stage `split` counted
TRAINED = Path("data/networks")
MODEL = Path("data/model")  # all that grading needs
# In git with the metrics, so that two commits can be compared photograph by photograph.
PREDICTIONS = Path("metrics/predictions.csv")
PREDICTION_COLUMNS = ["path", "sha256", "specimen", "actual", "predicted", "score"]
SET_COLUMNS = ["low", "high", "look"]  # which tables of before have not
AT_ONCE = 1024  # rows of an array
# A table's grades are their names, its scores on the scale of those: people read it.
GRADES = ("grade", "actual", "predicted", "before", "after", "low", "high")
SCORES = ("score", "soft_score")
KEYS = ("path", "sha256", "specimen", "partition", "nearest")
TEXT = (*KEYS, "inspector", "reason", "look", "member", "settings", "baseline", *GRADES)


def read_table(file: str | Path | TextIO) -> pd.DataFrame:
    """A CSV table; columns named in `TEXT` stay text, so that a specimen "007" or "NA" does.

    `mm_per_pixel` is a float, NaN where the scale is unknown.
    """
    types = dict.fromkeys(TEXT, str) | {"mm_per_pixel": float}
    return pd.read_csv(file, dtype=types, keep_default_na=False, na_values={"mm_per_pixel": [""]})


def read_measurements(file: Path) -> pd.DataFrame:
    """What `sabi.photographs.measurements` read: path (str) and floats, NaN where nothing was measured."""
    table = pd.read_csv(file, dtype=str, keep_default_na=False)
    return table.assign(**{name: pd.to_numeric(table[name]) for name in table.columns[1:]})


def read_graded(file: str | Path, rating: Grades) -> pd.DataFrame:
    """A table as code counts: see `by_position`. Raises `InputError` for a grade of another rating."""
    try:
        return by_position(read_table(file), rating)
    except InputError as error:
        raise InputError(f"{file}: {error}") from None


def write_graded(table: pd.DataFrame, rating: Grades, file: str | Path) -> None:
    """Write a table as people read it: grades (int, from 1) by their names, scores on the scale of those."""
    named = {name: [rating.names[number - 1] for number in table[name]] for name in GRADES if name in table}
    scored = {name: rating.shown(table[name].to_numpy(float)) for name in SCORES if name in table}
    write_table(table.assign(**named, **scored), file)


def by_position(table: pd.DataFrame, rating: Grades) -> pd.DataFrame:
    """A table that was read, with positions (int, from 1) for the names of grades, and scores by position.

    Raises `InputError` for a grade that is none of the `rating`'s.
    """
    number_of = dict(zip(rating.names, rating.numbers, strict=True))
    counted = {}
    for name in GRADES:
        if name in table:
            unknown = table[name][~table[name].isin(rating.names)]
            if len(unknown):
                raise InputError(
                    f"{name} {unknown.iloc[0]!r} is none of labels.grades ({', '.join(rating.names)}); "
                    "run `dvc repro`"
                )
            counted[name] = table[name].map(number_of).astype(int)
    scored = {name: rating.by_position(table[name].to_numpy(float)) for name in SCORES if name in table}
    return table.assign(**counted, **scored)


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


def read_spec(kind: type[Spec], file: Path, wrong: str) -> Spec:
    """What `write_spec` wrote; raises `InputError`, which says what is `wrong`, if `file` is another."""
    try:
        return kind.model_validate_json(file.read_bytes())
    except (OSError, pydantic.ValidationError) as error:
        problem = " ".join(str(error).split())[:200]
        raise InputError(f"{file}: {wrong} ({problem})") from None


def write_spec(spec: pydantic.BaseModel, file: Path) -> None:
    """Write a spec as JSON, UTF-8; the file's folder is made."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(spec.model_dump_json(indent=2) + "\n", encoding="utf-8")


def new_array(file: Path, shape: tuple[int, ...]) -> np.memmap:
    """A uint8 array in a new `file`, all of its space taken; raises `NoSpace`.

    Where a disk is found to be full only when a mapped array is written to, the process is killed.
    """
    array = np.lib.format.open_memmap(file, "w+", np.uint8, shape)
    with file.open("r+b") as stream:
        try:
            os.posix_fallocate(stream.fileno(), 0, file.stat().st_size)
        except OSError as error:
            if lacks_space(error):
                raise NoSpace(file.parent, file.stat().st_size) from None
            raise
    return array


def write_rows(rows: dict[str, np.ndarray], partition: pd.Series, file: Path) -> None:
    """Write `rows`, float32 arrays (m, f) by partition, as one array, NumPy's npy, a row per photograph.

    `partition` (n,) are the photographs' in the order wanted. Some at a time: a
    whole second copy would be the stage's largest array.
    """
    places = partition.groupby(partition).cumcount().to_numpy()
    with file.open("wb") as stream:
        shape = (len(partition), rows["train"].shape[1])
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)
        for start in range(0, len(partition), AT_ONCE):
            some = slice(start, start + AT_ONCE)
            chosen = zip(partition.iloc[some], places[some], strict=True)
            stream.write(np.stack([rows[part][place] for part, place in chosen]).tobytes())


def flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values of nested dictionaries, each with its dotted name: {"a": {"b": 1}} gives ("a.b", 1)."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
