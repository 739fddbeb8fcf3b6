"""Grading any number of photographs into a folder; what was interrupted goes on.

While it is at work the folder holds `unfinished.jsonl`: a line that names the model,
then a line for each photograph. The tables are made from it, and at the end it goes.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from tqdm import tqdm

from sabi.grading.grader import Grader, Row
from sabi.runtime.errors import InputError
from sabi.serving.selection import UNFINISHED, Selected, size_and_time

# A photograph, and what is said of it.
Graded = tuple[Selected, Row]
AT_ONCE = 64  # photographs between two records: what a kill loses at most


def grade_all(
    grader: Grader, model: str, selected: Sequence[Selected], out: Path
) -> tuple[list[Graded], bool]:
    """The photographs of `selected` that were graded with their rows, in order, and whether none is left.

    `model` tells the model from every other. Ctrl-C ends it early. What `out` holds of an
    earlier call with the same model is taken over where the file has still the same
    size and time. Raises `InputError` where `out` holds something else. To be called in `alone`.
    """
    record = out / UNFINISHED
    states = [_state(one) for one in selected]
    done = _begin(record, model, states)
    left = [place for place, state in enumerate(states) if state not in done]
    finished = True
    with (
        record.open("a", encoding="utf-8") as stream,
        tqdm(total=len(selected), initial=len(selected) - len(left), desc="grade", unit="photo") as bar,
    ):
        try:
            for start in range(0, len(left), AT_ONCE):
                some = left[start : start + AT_ONCE]
                for place in some:  # before: the next call grades again what changes from here on
                    states[place] = _state(selected[place])
                for place, row in zip(some, _rows(grader, [selected[p] for p in some]), strict=True):
                    done[states[place]] = row
                    stream.write(json.dumps([states[place], asdict(row)]) + "\n")
                stream.flush()
                bar.update(len(some))
        except KeyboardInterrupt:
            finished = False
    known = zip(selected, states, strict=True)
    return [(one, done[state]) for one, state in known if state in done], finished


def _rows(grader: Grader, some: Sequence[Selected]) -> list[Row]:
    files = [one for one in some if one.reason is None]
    rows = iter(grader.grade([one.file for one in files], [one.mm_per_pixel for one in files]))
    return [next(rows) if one.reason is None else Row(reason=one.reason) for one in some]


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """In the block this process alone grades into `out`, which is made if it is not there.

    Raises `InputError` where another is at work, and for a folder that holds something else.
    """
    record = out / UNFINISHED
    before = record.stat().st_size if record.exists() else None
    if before is None:
        check_free(out)
    out.mkdir(parents=True, exist_ok=True)
    with record.open("a") as held:
        hold(held, out)
        mine = os.fstat(held.fileno())
        if before and not mine.st_size:  # another has ended since: this one has just been made here
            record.unlink()
        if not record.exists() or record.stat().st_ino != mine.st_ino:
            check_free(out)
        yield


def hold(file: IO[str], out: Path) -> None:
    """Lock the open `file` until it is closed.

    Raises `InputError` where another process has, which grades into `out`.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(f"{out}: another `sabi grade` is at work there; wait for it") from None


def check_free(out: Path) -> None:
    """Raise `InputError` if the folder `out` is there and holds something."""
    if out.exists() and any(out.iterdir()):
        raise InputError(f"{out}: is there already and stays as it is; choose another --out")


def finish(out: Path) -> None:
    """Say that the tables in `out` hold everything."""
    (out / UNFINISHED).unlink()


def _state(one: Selected) -> str:
    """A photograph as it is now: name, scale, size and time of change."""
    file = size_and_time(one.file) if one.reason is None else [one.reason]
    return json.dumps([one.path, one.mm_per_pixel, *file])


def _begin(record: Path, model: str, states: Sequence[str]) -> dict[str, Row]:
    """What `record` knows of this model's grades; `states` are those of the photographs that are meant."""
    content = record.read_bytes()
    first, *lines = content.decode().splitlines(keepends=True) or [""]
    other = "choose another --out, or remove it"
    if not first.endswith("\n"):  # new, or cut by a kill
        record.write_text(json.dumps(model) + "\n", encoding="utf-8")
        return {}
    if json.loads(first) != model:
        raise InputError(f"{record.parent}: begun with another model; {other}")
    known = _whole(lines)
    meant = {json.loads(state)[0] for state in states}
    if known and not any(json.loads(state)[0] in meant for state, _ in known):
        raise InputError(
            f"{record.parent}: begun with other photographs, or with these by other names; "
            f"give the same command, {other}"
        )
    # The last line may have been cut by a kill; all before stay as they are.
    os.truncate(record, len("".join([first, *lines[: len(known)]]).encode()))
    return {state: Row(**row) for state, row in known}


def _whole(lines: list[str]) -> list[Any]:
    """The records of lines, up to one that is cut."""
    records = []
    for line in lines:
        try:
            records.append(json.loads(line if line.endswith("\n") else ""))
        except json.JSONDecodeError:
            break
    return records
