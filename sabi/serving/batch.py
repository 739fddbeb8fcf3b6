"""Grading any number of photographs into a folder; what was interrupted goes on.

While it is at work the folder holds `unfinished.jsonl`: a line that names the model,
then a line for each photograph. The tables are made from it, and at the end it goes.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

from sabi.grading.grader import Grader, Row
from sabi.runtime.errors import InputError
from sabi.serving.selection import Selected, size_and_time

UNFINISHED = "unfinished.jsonl"
# A photograph, and what is said of it.
Graded = tuple[Selected, Row]
AT_ONCE = 64  # photographs between two records: what a kill loses at most


def grade_all(
    grader: Grader, model: str, selected: Sequence[Selected], out: Path
) -> tuple[list[Graded], bool]:
    """The photographs of `selected` that were graded with their rows, in order, and whether none is left.

    `model` tells the model from every other. Ctrl-C ends it early. What `out` holds of an
    earlier call with the same model is taken over where the file has still the same
    size and time. Raises `InputError` where `out` holds something else.
    """
    record = out / UNFINISHED
    done = _begin(record, model)
    left = [one for one in selected if _state(one) not in done]
    finished = True
    with (
        record.open("a", encoding="utf-8") as stream,
        tqdm(total=len(selected), initial=len(selected) - len(left), desc="grade", unit="photo") as bar,
    ):
        try:
            for start in range(0, len(left), AT_ONCE):
                some = left[start : start + AT_ONCE]
                states = [_state(one) for one in some]  # before: what changes meanwhile is graded again
                rows = grader.grade([one.file for one in some], [one.mm_per_pixel for one in some])
                for state, row in zip(states, rows, strict=True):
                    done[state] = row
                    stream.write(json.dumps([state, asdict(row)]) + "\n")
                stream.flush()
                bar.update(len(some))
        except KeyboardInterrupt:
            finished = False
    return [(one, done[state]) for one in selected if (state := _state(one)) in done], finished


def check_free(out: Path) -> None:
    """Raise `InputError` if the folder `out` is there and holds something."""
    if out.exists() and any(out.iterdir()):
        raise InputError(f"{out}: is there already and stays as it is; choose another --out")


def finish(out: Path) -> None:
    """Say that the tables in `out` hold everything."""
    (out / UNFINISHED).unlink()


def _state(one: Selected) -> str:
    """A photograph as it is now: name, scale, size and time of change."""
    return json.dumps([one.path, one.mm_per_pixel, *size_and_time(one.file)])


def _begin(record: Path, model: str) -> dict[str, Row]:
    """What `record` knows of this model's grades; a new record if the folder is new."""
    out = record.parent
    if record.exists():
        first, *lines = record.read_text(encoding="utf-8").splitlines() or [""]
        if first != json.dumps(model):
            raise InputError(f"{out}: begun with another model; choose another --out, or remove it")
        known = _whole(lines)
        # Written again, without a line that a kill has cut.
        record.write_text("\n".join([first, *map(json.dumps, known)]) + "\n", encoding="utf-8")
        return {state: Row(**row) for state, row in known}
    check_free(out)
    out.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps(model) + "\n", encoding="utf-8")
    return {}


def _whole(lines: list[str]) -> list[Any]:
    """The records; the last line may have been cut by a kill."""
    records = []
    for line in lines:
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return records
