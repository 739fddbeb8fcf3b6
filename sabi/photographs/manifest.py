"""The manifest: which photographs of a folder are used, with what grade, in which partition."""

from collections import Counter
from pathlib import Path

import pandas as pd

from sabi.grades import LOWEST
from sabi.photographs import labels, partition
from sabi.photographs.decoding import Decoded, check_coverage, examine
from sabi.photographs.files import Unusable, check_name, find, printable
from sabi.photographs.labels import Label
from sabi.runtime.errors import InputError
from sabi.runtime.threads import map_threads
from sabi.settings.params import Params

COLUMNS = ["path", "sha256", "specimen", "grade", "partition", "soft_score", "mm_per_pixel"]


def split(folder: Path, params: Params) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, int]]:
    """The manifest (a row per accepted photograph), the rejected files of `folder` and a summary.

    Every file found, and every row of a labels.csv, is in exactly one of the two. The summary
    counts them, the drawings of the sample among the accepted, and the photographs that are
    taken for specimens of their own because nothing names one.
    """
    found = find(folder)
    labelled, rejected = labels.read(folder, found, params.labels)
    for path in found:
        if path == labels.FILE:
            continue
        try:
            check_name(folder / path)
        except Unusable as reason:
            rejected[path] = str(reason)
            labelled.pop(path, None)

    def look(path: str) -> Decoded | Unusable:
        chosen = params.split
        return examine(folder / path, min_side=chosen.min_side, max_megapixels=chosen.max_megapixels)

    accepted: dict[str, Decoded] = {}
    for path, result in zip(labelled, map_threads(look, labelled, "split"), strict=True):
        if isinstance(result, Unusable):
            rejected[path] = str(result)
        else:
            accepted[path] = result

    # Before any other reason: a photograph that was graded twice is doubtful even if one copy is unusable.
    named = {
        path: labelled[path].specimen or partition.specimen_of(path, params.split.specimen)
        for path in accepted
    }
    for path, repeated in _repeated(accepted, labelled, named).items():
        rejected[path] = repeated
        del accepted[path]

    rows, unnamed = [], 0
    for path, decoded in accepted.items():
        try:
            rows.append(_row(path, decoded, labelled[path], named[path], params))
        except Unusable as reason:
            rejected[path] = str(reason)
            continue
        unnamed += named[path] is None
    manifest = pd.DataFrame(rows, columns=COLUMNS).astype({"mm_per_pixel": float})
    reasons = [(printable(path), reason) for path, reason in sorted(rejected.items())]
    summary = {
        "accepted": len(manifest),
        "rejected": len(rejected),
        "drawings": sum(accepted[path].drawing for path in manifest.path),
        "without_specimen": unnamed,
    }
    return manifest, pd.DataFrame(reasons, columns=["path", "reason"]), summary


def _row(path: str, decoded: Decoded, label: Label, named: str | None, params: Params) -> tuple:
    """A photograph's row of the manifest, of a specimen that is `named` or not.

    Raises `Unusable` if it is not to be used after all.
    """
    scale = label.mm_per_pixel or params.scale.photographs
    check_coverage(decoded.width, decoded.height, scale, params.augment.size, params.scale.target)
    chosen, highest = params.split, params.labels.rating.highest
    grade = params.labels.rating.names[label.grade - 1]
    specimen = named or partition.ungraded(path, grade, params.labels.source)
    part = partition.partition_of(
        specimen,
        seed=chosen.seed,
        validation=chosen.validation,
        test=chosen.test,
        folds=chosen.folds,
        fold=chosen.fold,
    )
    soft = partition.soft_score(
        label.grade, decoded.sha256, seed=chosen.seed, half_width=chosen.soft_score.half_width
    )
    if part == "train" and not LOWEST <= soft <= highest and chosen.soft_score.outside == "drop":
        raise Unusable(f"soft score outside 1..{highest:g} (split.soft_score.outside: drop)")
    soft = min(max(soft, LOWEST), highest)
    return path, decoded.sha256, specimen, label.grade, part, soft, scale


def _repeated(
    accepted: dict[str, Decoded], labelled: dict[str, Label], named: dict[str, str | None]
) -> dict[str, str]:
    """Reasons against photographs whose pixels are there more than once.

    Of copies under one grade the first path whose specimen is `named` stays, or
    the first if none's is: a copy under a name like `3_IMG 01.jpg` would be a
    specimen of its own. Under several grades none stays, because the
    inspector's word is then unknown.
    """
    same: dict[str, list[str]] = {}
    for path, decoded in accepted.items():
        same.setdefault(decoded.pixel_sha256, []).append(path)
    reasons = {}
    for paths in same.values():
        first, *others = sorted(paths, key=lambda path: (named[path] is None, path))
        if len({labelled[path].grade for path in [first, *others]}) > 1:
            for path in [first, *others]:
                other = others[0] if path == first else first
                reasons[path] = f"same pixels under another grade: {other}; keep the right one"
        else:
            reasons |= dict.fromkeys(others, f"same pixels as {first}; one is enough")
    return reasons


def check_enough(manifest: pd.DataFrame, rejected: pd.DataFrame, folder: Path, params: Params) -> None:
    """Raise `InputError` unless every grade has photographs of `folder` in every partition."""
    names = params.labels.rating.names
    if manifest.empty:
        first = f", the first: {rejected.path[0]}: {rejected.reason[0]}" if len(rejected) else ""
        raise InputError(
            f"{folder}: no usable photographs ({len(rejected)} files rejected{first}); "
            f"put {labels.LAYOUT[params.labels.source]} there, grades {', '.join(names)}"
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
            f"{folder}: no photographs of {', '.join(missing)} "
            f"({len(manifest)} photographs, {manifest.specimen.nunique()} specimens); "
            f"add photographs of more specimens, or change split.seed ({params.split.seed}), "
            "split.validation, split.test or split.folds, split.specimen or labels.grades"
        )
