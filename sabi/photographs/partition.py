"""Which partition a photograph belongs to, and the soft score it is trained on.

Both are pure functions of the photograph (its specimen, its content) and a
seed, never of what else is in the folder.
"""

import re

from sabi.runtime.draws import uniform

PARTITIONS = ("train", "validation", "test")


def specimen_of(path: str, pattern: str) -> str | None:
    """The piece of steel in a photograph: the group of `pattern` found in its path, if it is."""
    match = re.search(pattern, path)
    return (match.group(1) or None) if match else None


def ungraded(path: str, grade: str, source: str) -> str:
    """`path` without what tells its grade in `labels.source`, and without suffix.

    The specimen of a photograph of which nothing else tells it: another grade
    or file type does not make another piece of steel.
    """
    stem = path[: path.rindex(".")]
    if source == "csv":
        return stem
    if source == "folder":
        return stem.removeprefix(f"{grade}/")
    folder, slash, name = stem.rpartition("/")
    return folder + slash + name.removeprefix(f"{grade}_")


def partition_of(
    specimen: str, *, seed: int, validation: float, test: float, folds: int = 1, fold: int = 0
) -> str:
    """The partition of a specimen, drawn with the shares given.

    Each specimen's draw in [0, 1) is the same for any shares and folds: test
    lies at the low end, then validation, then train. Of several `folds` the
    draws are turned round so that the `fold`th lies at the low end and is the
    test partition, whatever `test` is: every specimen is in that of one fold.
    """
    u = uniform("partition", seed, specimen)
    if folds > 1:
        # In folds, not in shares of 1: the borders are whole numbers, so none falls between two folds.
        u, validation, test = (u * folds - fold) % folds, validation * folds, 1.0
    if u < test:
        return "test"
    return "validation" if u < test + validation else "train"


def soft_score(grade: int, sha256: str, *, seed: int, half_width: float) -> float:
    """The wiki's soft label: `grade` plus a uniform draw within `half_width`, from the content."""
    return grade + half_width * (2 * uniform("soft score", seed, sha256) - 1)
