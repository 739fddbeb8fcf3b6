"""Which photographs a command line means: files, folders, patterns."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sabi.photographs import label_table, labels, measurements
from sabi.photographs.files import find
from sabi.runtime.errors import InputError


@dataclass(frozen=True)
class Selected:
    """A file to grade, by the name that its row bears."""

    path: str  # as it was given, with `/`; of a folder's file, the folder's with what follows
    file: Path
    mm_per_pixel: float | None  # None: not known
    measured: dict[str, float] = field(default_factory=dict, compare=False)  # in the survey, beside grades


def select(given: Sequence[str]) -> list[Selected]:
    """The files of `given` in that order, each once; those of a folder sorted, whatever lies below it.

    What is neither a file nor a folder is a pattern, in which `**` stands for any
    folders. Scales and measurements are those of the table of labels of a folder that is named.
    Raises `InputError` for what stands for no file, and for a table that is none.
    """
    chosen: dict[Path, Selected] = {}
    for text in given:
        files = _files(text)
        if not files:
            raise InputError(
                f"{text}: no such file or folder, or no file in it; name photographs or their folder"
            )
        for selected in files:
            chosen.setdefault(selected.file.absolute(), selected)
    return list(chosen.values())


def size_and_time(file: Path) -> list[int]:
    """What tells a file from what it was before: bytes, and when it changed; empty if it is not there."""
    try:
        seen = file.stat()
    except OSError:
        return []
    return [seen.st_size, seen.st_mtime_ns]


def _files(text: str) -> list[Selected]:
    place = Path(text)
    if place.is_dir():
        there = find(place)
        scales, nowhere = labels.scales(place, there)
        found = sorted(
            {*there, *nowhere} - {*label_table.FILES}
        )  # what only the table names is told as missing
        known, _ = measurements.read(place, there)
        numbers = known.set_index("path").to_dict("index")
        return [
            Selected((place / path).as_posix(), place / path, scales.get(path), numbers.get(path, {}))
            for path in found
        ]
    if place.exists() or place.is_symlink():
        return [Selected(place.as_posix(), place, None)]
    matches = map(str, sorted(Path(place.anchor or ".").glob(str(place.relative_to(place.anchor)))))
    return [selected for match in matches for selected in _files(match)]
