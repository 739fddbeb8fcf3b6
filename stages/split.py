"""Reads data/raw, decides what is used and in which partition: `python -m stages.split`."""

import re
from collections import Counter
from pathlib import Path

import pandas as pd

from sabi import partition
from sabi.errors import InputError
from sabi.grades import GRADES, HIGHEST, LOWEST
from sabi.handover import MANIFEST, REJECTED, write_json, write_table
from sabi.params import Params, Split
from sabi.photographs import (
    Decoded,
    Unusable,
    check_name,
    examine,
    find,
    grade_of,
    map_threads,
    printable,
)
from sabi.stage import run

RAW = Path("data/raw")
SUMMARY = Path("data/split/summary.json")


def split(folder: Path, params: Split) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """The manifest (a row per accepted photograph) and the rejected files of `folder`, and
    how many of the accepted are drawings of the sample.

    Every file found is in exactly one of the two.
    """
    rejected: dict[str, str] = {}
    grades: dict[str, int] = {}
    for path in find(folder):
        try:
            check_name(folder, path)
            grades[path] = grade_of(path)
        except Unusable as reason:
            rejected[path] = str(reason)

    def look(path: str) -> Decoded | Unusable:
        return examine(folder / path, min_side=params.min_side, max_megapixels=params.max_megapixels)

    accepted: dict[str, Decoded] = {}
    for path, result in zip(grades, map_threads(look, grades, "split"), strict=True):
        if isinstance(result, Unusable):
            rejected[path] = str(result)
        else:
            accepted[path] = result

    for path, reason in _repeated(accepted, grades).items():
        rejected[path] = reason
        del accepted[path]

    rows = []
    for path, decoded in accepted.items():
        specimen = partition.specimen_of(path, params.specimen)
        part = partition.partition_of(
            specimen, seed=params.seed, validation=params.validation, test=params.test
        )
        soft = partition.soft_score(
            grades[path], decoded.sha256, seed=params.seed, half_width=params.soft_score.half_width
        )
        if part == "train" and not LOWEST <= soft <= HIGHEST and params.soft_score.outside == "drop":
            rejected[path] = "soft score outside 1..5 (split.soft_score.outside: drop)"
            continue
        rows.append((path, decoded.sha256, specimen, grades[path], part, min(max(soft, LOWEST), HIGHEST)))
    drawings = sum(accepted[row[0]].drawing for row in rows)
    manifest = pd.DataFrame(rows, columns=["path", "sha256", "specimen", "grade", "partition", "soft_score"])
    reasons = [(printable(path), reason) for path, reason in sorted(rejected.items())]
    return manifest, pd.DataFrame(reasons, columns=["path", "reason"]), drawings


def _repeated(accepted: dict[str, Decoded], grades: dict[str, int]) -> dict[str, str]:
    """Reasons against photographs whose pixels are there more than once.

    Of copies under one grade the first path stays; under several grades none
    does, because the inspector's word is then unknown.
    """
    same: dict[str, list[str]] = {}
    for path, decoded in accepted.items():
        same.setdefault(decoded.pixel_sha256, []).append(path)
    reasons = {}
    for first, *others in same.values():
        if len({grades[path] for path in [first, *others]}) > 1:
            for path in [first, *others]:
                other = others[0] if path == first else first
                reasons[path] = f"same pixels under another grade: {other}; keep the right one"
        else:
            reasons |= dict.fromkeys(others, f"same pixels as {first}; one is enough")
    return reasons


def check_enough(manifest: pd.DataFrame, rejected: pd.DataFrame, params: Split) -> None:
    """Raise `InputError` unless every grade has photographs in every partition."""
    if manifest.empty:
        first = f", the first: {rejected.path[0]}: {rejected.reason[0]}" if len(rejected) else ""
        raise InputError(
            f"{RAW}: no usable photographs ({len(rejected)} files rejected{first}); "
            "put files named <grade>_<anything>.jpg there, grade 1 to 5"
        )
    counts = Counter(zip(manifest.grade, manifest.partition, strict=True))
    missing = [
        f"grade {grade} in {part}"
        for grade in GRADES
        for part in partition.PARTITIONS
        if counts[grade, part] == 0
    ]
    if missing:
        raise InputError(
            f"{RAW}: no photographs of {', '.join(missing)} "
            f"({len(manifest)} photographs, {manifest.specimen.nunique()} specimens); "
            f"add photographs of more specimens, or change split.seed ({params.seed}), "
            "split.validation, split.test or split.specimen"
        )


def main(params: Params) -> None:
    manifest, rejected, drawings = split(RAW, params.split)
    write_table(manifest, MANIFEST)
    write_table(rejected, REJECTED)
    summary = {"accepted": len(manifest), "rejected": len(rejected), "drawings": drawings}
    write_json(summary, SUMMARY)
    counts = manifest.partition.value_counts().to_dict()
    matched = sum(bool(re.search(params.split.specimen, path)) for path in manifest.path)
    print(f"{len(manifest)} photographs used {counts}; {matched} of their names match split.specimen")
    print(f"{len(rejected)} files not used" + (f": {REJECTED} says why" if len(rejected) else ""))
    check_enough(manifest, rejected, params.split)


if __name__ == "__main__":
    run(main)
