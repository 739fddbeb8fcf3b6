"""Which photographs a command line means: files, folders, patterns."""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sabi.photographs import label_table, labels, measurements
from sabi.photographs.files import find
from sabi.runtime.errors import InputError

# What `sabi grade` writes at the end, and what it goes on from.
RECORD, UNFINISHED = "survey.json", "unfinished.jsonl"


@dataclass(frozen=True)
class Selected:
    """A file to grade, by the name that its row bears."""

    path: str  # as it was given, with `/`; of a folder's file, the folder's with what follows
    file: Path
    mm_per_pixel: float | None  # None: not known
    measured: dict[str, float] = field(default_factory=dict, compare=False)  # in the survey, beside grades
    reason: str | None = None  # why a row of the table of labels is of no file


def select(given: Sequence[str]) -> list[Selected]:
    """The files of `given` in that order, each once; those of a folder sorted, whatever lies below it.

    What is neither a file nor a folder is a pattern, in which `**` stands for any
    folders. Scales and measurements are those of the table of labels of a folder that is named. What
    an earlier `sabi grade` wrote below such a folder is left out. Raises `InputError` for what stands
    for no file, and for a table that is none.
    """
    chosen: dict[Path | str, Selected] = {}
    places: dict[Path, Path] = {}
    for text in given:
        try:
            files = _files(text)
        except OSError as error:  # no right to look, a name that is too long
            raise InputError(f"{text}: {error.strerror}") from None
        if not files:
            raise InputError(
                f"{text}: no such file or folder, or no file in it; name photographs or their folder"
            )
        for selected in files:
            if selected.reason is not None:  # of no file
                chosen.setdefault(selected.path, selected)
                continue
            folder = selected.file.parent
            if folder not in places:
                places[folder] = folder.resolve()
            chosen.setdefault(places[folder] / selected.file.name, selected)
    return list(chosen.values())


def below_common_folder(files: Sequence[Path]) -> list[str]:
    """The path of each of `files` below the innermost folder that all lie in, with `/`."""
    absolute = [file.parent.resolve() / file.name for file in files]
    base = os.path.commonpath([file.parent for file in absolute]) if absolute else ""
    return [file.relative_to(base).as_posix() for file in absolute]


def size_and_time(file: Path) -> list[int]:
    """What tells a file from what it was before: bytes, and when it changed; empty if it is not there."""
    try:
        seen = file.stat()
    except OSError:
        return []
    return [seen.st_size, seen.st_mtime_ns]


def _files(text: str) -> list[Selected]:
    place = Path(text)
    if not text.strip():  # an unset variable is not the working directory
        return []
    if place.is_dir():
        return _of_folder(place)
    if place.exists() or place.is_symlink():
        return [Selected(place.as_posix(), place, None)]
    try:
        matches = map(str, sorted(Path(place.anchor or ".").glob(str(place.relative_to(place.anchor)))))
    except ValueError as error:
        raise InputError(f"{text}: no such file, and no pattern ({error})") from None
    return [selected for match in matches for selected in _files(match)]


def _of_folder(place: Path) -> list[Selected]:
    there = find(place)
    made = {path.rpartition("/")[0] for path in there if _is_record(place / path)} - {""}
    # Copies that it sorted into folders are no photographs of a survey.
    there = [path for path in there if not any(path.startswith(f"{folder}/") for folder in made)]
    scales, nowhere = labels.scales(place, there)
    known, _ = measurements.read(place, there)
    numbers = known.set_index("path").to_dict("index")
    files = {
        path: Selected((place / path).as_posix(), place / path, scales.get(path), numbers.get(path, {}))
        for path in there
        if path not in label_table.FILES
    }
    rows = {
        written: Selected(f"{place.as_posix()}/{written}", place / written, None, reason=reason)
        for written, reason in nowhere.items()
    }
    both = files | {f"{written}\0": row for written, row in rows.items()}
    return [both[path] for path in sorted(both)]


def _is_record(file: Path) -> bool:
    """Whether `sabi grade` wrote a file, so that all in its folder is what it made."""
    if file.name not in (RECORD, UNFINISHED):
        return False
    try:
        with file.open(encoding="utf-8") as stream:
            first = json.loads(stream.readline() if file.name == UNFINISHED else stream.read())
    except (OSError, ValueError):
        return False
    model = first.get("model") if isinstance(first, dict) else first
    return isinstance(model, str) and re.fullmatch("[0-9a-f]{64}", model) is not None
