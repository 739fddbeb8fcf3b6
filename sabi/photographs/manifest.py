"""The manifest: which photographs of a folder are used, with what grade, in which partition."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from sabi.grades import LOWEST
from sabi.photographs import label_table, labels, measurements, partition
from sabi.photographs.decoding import check_coverage
from sabi.photographs.files import Unusable, check_name, find, printable
from sabi.photographs.labels import Label
from sabi.photographs.reading import Decoded, read_all, wanted_by, whole_pixel_sha256
from sabi.photographs.sharing import share_out, specimens_needed
from sabi.runtime.errors import InputError
from sabi.runtime.store import Store
from sabi.settings.params import Params

COLUMNS = ["path", "sha256", "specimen", "grade", "partition", "soft_score", "mm_per_pixel"]


@dataclass(frozen=True)
class Usable:
    """A photograph that can be used, before its specimen has a partition."""

    decoded: Decoded
    grade: int
    scale: float | None  # millimetres a pixel
    specimen: str
    named: bool  # by the table of labels or by split.specimen, not by the rest of its path
    soft: float  # the soft score drawn, which may lie outside the grades
    trained: bool  # whether training may use it


def split(
    folder: Path, params: Params
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, pd.DataFrame], dict[str, Any]]:
    """The manifest (a row per accepted photograph), rejected files, what else the table tells, a summary.

    Every file found, and every row of a table of labels, is in exactly one of the two. The
    manifest's grades are positions. "inspectors" (path, inspector, grade) have a row for each
    that a table of labels names, "measurements" are those of `sabi.photographs.measurements`.
    The summary has the numbers of both, of drawings of the sample among the accepted, and of
    photographs taken for specimens of their own because nothing names one, with the first of
    those; the specimens that differ by upper and lower case alone; and by column of
    measurements a cell that is no number.
    """
    found = find(folder)
    labelled, rejected = labels.read(folder, found, params.labels)
    for path in found:
        if path in label_table.FILES:
            continue
        try:
            check_name(folder / path)
        except Unusable as reason:
            rejected[path] = str(reason)
            labelled.pop(path, None)

    files = [folder / path for path in labelled]
    scales = [label.mm_per_pixel or params.scale.photographs for label in labelled.values()]
    accepted: dict[str, Decoded] = {}
    with Store() as store:
        readings = read_all(files, scales, wanted_by(params), store, "split")
        for path, reading in zip(labelled, readings, strict=True):
            if isinstance(reading, Unusable):
                rejected[path] = str(reading)
            else:
                accepted[path] = reading.decoded

    # Before any other reason: a photograph that was graded twice is doubtful even if one copy is unusable.
    named = {
        path: labelled[path].specimen or partition.specimen_of(path, params.split.specimen)
        for path in accepted
    }
    same = _same_pixels(accepted, folder)
    for path, repeated in _repeated(same, labelled, named).items():
        rejected[path] = repeated
        del accepted[path]

    usable: dict[str, Usable] = {}
    for path, decoded in accepted.items():
        try:
            usable[path] = _usable(path, decoded, labelled[path], named[path], params)
        except Unusable as reason:
            rejected[path] = str(reason)

    part_of = _shared_out(usable, params)
    scale = params.labels.rating.scale
    rows = []
    for path, one in usable.items():
        part = part_of[one.specimen]
        if part == "train" and not one.trained:
            rejected[path] = (
                f"soft score outside {scale[0]:g}..{scale[-1]:g} (split.soft_score.outside: drop)"
            )
            continue
        soft = min(max(one.soft, LOWEST), params.labels.rating.highest)
        rows.append((path, one.decoded.sha256, one.specimen, one.grade, part, soft, one.scale))
    manifest = pd.DataFrame(rows, columns=COLUMNS).astype({"mm_per_pixel": float})
    reasons = [(printable(path), reason) for path, reason in sorted(rejected.items())]
    unnamed = [path for path in manifest.path if not usable[path].named]
    summary = {
        "accepted": len(manifest),
        "rejected": len(rejected),
        "drawings": sum(usable[path].decoded.drawing for path in manifest.path),
        "without_specimen": len(unnamed),
        "first_without_specimen": unnamed[0] if unnamed else None,
        "differ_by_case": differing_by_case(manifest.specimen),
    }
    measured, summary["no_numbers"] = measurements.read(folder, found)
    measured = measured[measured.path.isin(manifest.path)]
    given = [(path, *one) for path in manifest.path for one in labelled[path].given]
    inspectors = pd.DataFrame(given, columns=["path", "inspector", "grade"])
    others = {"inspectors": inspectors, "measurements": measured}
    return manifest, pd.DataFrame(reasons, columns=["path", "reason"]), others, summary


def _usable(path: str, decoded: Decoded, label: Label, named: str | None, params: Params) -> Usable:
    """What is to be known of a photograph, whose specimen is `named` or not.

    Raises `Unusable` if it is not to be used after all.
    """
    scale = label.mm_per_pixel or params.scale.photographs
    check_coverage(decoded.width, decoded.height, scale, params.augment.size, params.scale.target)
    chosen, rating = params.split, params.labels.rating
    name = rating.names[label.grade - 1]
    soft = partition.soft_score(
        label.mean, decoded.sha256, seed=chosen.seed, half_width=chosen.soft_score.half_width
    )
    return Usable(
        decoded=decoded,
        grade=label.grade,
        scale=scale,
        specimen=named or partition.ungraded(path, name, params.labels.source),
        named=named is not None,
        soft=soft,
        trained=LOWEST <= soft <= rating.highest or chosen.soft_score.outside == "clip",
    )


def _shared_out(usable: dict[str, Usable], params: Params) -> dict[str, str]:
    """The partition of every specimen."""
    grades: dict[str, set[int]] = {}
    trained: dict[str, set[int]] = {}
    for one in usable.values():
        grades.setdefault(one.specimen, set()).add(one.grade)
        trained.setdefault(one.specimen, set()).update({one.grade} if one.trained else ())
    return share_out(grades, trained, params.split)


def differing_by_case(specimens: Iterable[str]) -> list[list[str]]:
    """Groups of specimens whose names differ by upper and lower case alone, sorted."""
    groups: dict[str, set[str]] = {}
    for specimen in specimens:
        groups.setdefault(specimen.casefold(), set()).add(specimen)
    return sorted(sorted(group) for group in groups.values() if len(group) > 1)


def doubts(summary: dict[str, Any]) -> list[str]:
    """A line for each reason to doubt what the photographs are said to show; `summary` is that of `split`."""
    notes = []
    unnamed, accepted = summary["without_specimen"], summary["accepted"]
    known = "test photographs are known from training and the figures are too good"
    if unnamed == accepted:
        notes.append(
            "split.specimen matches no name, so every photograph counts as a specimen of its own; if several "
            f"show one piece of steel, {known}"
        )
    elif unnamed:
        notes.append(
            f"split.specimen matches only some names: {unnamed} of {accepted} photographs, the first "
            f"{summary['first_without_specimen']}, count as specimens of their own; if they show steel that "
            f"others show too, {known}; change split.specimen or those names"
        )
    if groups := summary["differ_by_case"]:
        notes.append(
            f"{len(groups)} names of specimens are there in capitals and in small letters, such as "
            f"{' and '.join(groups[0])}, which count as different pieces of steel; if they are one, {known}; "
            "give them one name"
        )
    return notes + measurements.told(summary["no_numbers"])


def _same_pixels(accepted: dict[str, Decoded], folder: Path) -> list[list[str]]:
    """The photographs in groups of equal pixels, whatever their format and scale.

    Where some of a size were decoded smaller and others whole, a JPEG and a PNG of it, all are
    compared whole.
    """
    kinds: dict[tuple[int, int], set[bool]] = {}
    for decoded in accepted.values():
        kinds.setdefault((decoded.width, decoded.height), set()).add(decoded.whole)
    whole_of: dict[str, str] = {}  # by the file's bytes, which may be there under several scales
    for path, decoded in accepted.items():
        mixed = len(kinds[decoded.width, decoded.height]) > 1
        if mixed and not decoded.whole and decoded.sha256 not in whole_of:
            whole_of[decoded.sha256] = whole_pixel_sha256(folder / path)
    pixels_of: dict[str, str] = {}
    same: dict[str, list[str]] = {}
    for path, decoded in accepted.items():
        # Equal bytes are equal pixels, though at another scale they may be decoded to another size.
        pixels = pixels_of.setdefault(decoded.sha256, whole_of.get(decoded.sha256, decoded.pixel_sha256))
        same.setdefault(pixels, []).append(path)
    return list(same.values())


def _repeated(
    same: list[list[str]], labelled: dict[str, Label], named: dict[str, str | None]
) -> dict[str, str]:
    """Reasons against photographs that are the `same` as others.

    Of copies under one grade the first path whose specimen is `named` stays, or
    the first if none's is: a copy under a name like `3_IMG 01.jpg` would be a
    specimen of its own. Under several grades none stays, because the
    inspector's word is then unknown.
    """
    reasons = {}
    for paths in same:
        first, *others = sorted(paths, key=lambda path: (named[path] is None, path))
        if len({labelled[path].grade for path in [first, *others]}) > 1:
            for path in [first, *others]:
                other = others[0] if path == first else first
                reasons[path] = f"same pixels under another grade: {other}; keep the right one"
        else:
            reasons |= dict.fromkeys(others, f"same pixels as {first}; one is enough")
    return reasons


def check_enough(
    manifest: pd.DataFrame, rejected: pd.DataFrame, summary: dict[str, Any], folder: Path, params: Params
) -> None:
    """Raise `InputError` unless every grade has photographs of `folder` in every partition.

    And for a mixture of own photographs and drawings of the sample.
    """
    names = params.labels.rating.names
    if manifest.empty:
        first = f", the first: {rejected.path[0]}: {rejected.reason[0]}" if len(rejected) else ""
        raise InputError(
            f"{folder}: no usable photographs ({len(rejected)} files rejected{first}); "
            f"put {labels.LAYOUT[params.labels.source]} there, grades {', '.join(names)}"
        )
    if 0 < summary["drawings"] < len(manifest):
        raise InputError(
            f"{folder}: {summary['drawings']} of the {len(manifest)} photographs are drawings of sabi's "
            "sample, the others are not; what is learnt from both says nothing of steel; take the drawings "
            "out (named like 1_specimen004-1.jpg), and those of data/unlabelled (drawing01.jpg)"
        )
    held = {name: manifest.specimen[manifest.grade == n].nunique() for n, name in enumerate(names, start=1)}
    needed = specimens_needed(params.split.folds)
    few = [f"grade {name} has {count}" for name, count in held.items() if count < needed]
    folds = f" in each of the {params.split.folds} folds" * (params.split.folds > 1)
    column = "the table's column specimen or " * (params.labels.source == "csv")
    drop = "set split.soft_score.outside to clip, or " * (params.split.soft_score.outside == "drop")
    if few:
        raise InputError(
            f"{folder}: too few specimens: {', '.join(few)}; every grade needs {needed}, so that training, "
            f"validation and test have one each{folds}; {drop}add photographs of other specimens of these "
            f"grades, or see whether {column}split.specimen takes several for one, "
            "or leave them out of labels.grades"
        )
    counts = Counter(zip(manifest.grade, manifest.partition, strict=True))
    missing = [
        f"grade {name} in {part}"
        for grade, name in enumerate(names, start=1)
        for part in partition.PARTITIONS
        if counts[grade, part] == 0
    ]
    if missing:
        raise InputError(
            f"{folder}: no photographs of {', '.join(missing)}: specimens that hold several grades, each in "
            f"one partition, cannot be shared out so that all have every grade; {drop}add photographs of "
            "other specimens of these grades"
        )
