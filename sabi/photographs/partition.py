"""Which piece of steel a photograph shows, the partition drawn for it, and the score it is trained on.

All are pure functions of the photograph (its specimen, its content) and a
seed, never of what else is in the folder; `sharing` says where a partition
would lack a grade that way.
"""

import re

from sabi.names import normal, normal_path, normal_pattern
from sabi.runtime.draws import uniform

PARTITIONS = ("train", "validation", "test")


def specimen_of(path: str, pattern: str) -> str | None:
    """The piece of steel in a photograph: the group of `pattern` found in its path, if it is.

    In one spelling, whatever the path's, so that one piece has one name.
    """
    match = re.search(normal_pattern(pattern), normal_path(path))
    return (normal(match.group(1) or "") or None) if match else None


def ungraded(path: str, grade: str, source: str) -> str:
    """`path` in one spelling without what tells its grade in `labels.source`, and without suffix.

    The specimen of a photograph of which nothing else tells it: another grade
    or file type does not make another piece of steel.
    """
    plain = normal_path(path)
    stem = plain[: plain.rindex(".")]
    if source == "folder":
        stem = stem.removeprefix(f"{grade}/")
    elif source == "name":
        folder, slash, name = stem.rpartition("/")
        stem = folder + slash + name.removeprefix(f"{grade}_")
    return normal_path(stem)  # what a space stood before may be the end now


def partition_of(
    specimen: str, *, seed: int, validation: float, test: float, folds: int = 1, fold: int = 0
) -> str:
    """The partition drawn for a specimen, with the shares given.

    Each specimen's draw in [0, 1) is the same for any shares and folds: test
    lies at the low end, then validation, then train. Of several `folds` the
    draws are turned round so that the `fold`th lies at the low end and is the
    test partition, whatever `test` is: every specimen is in that of one fold.
    """
    place = place_of(specimen, seed, folds)
    return partition_at(place, validation=validation, test=test, folds=folds, fold=fold)


def place_of(specimen: str, seed: int, folds: int) -> float:
    """The draw of a specimen, in [0, folds): the whole number is the fold in which it is tested."""
    return uniform("partition", seed, specimen) * folds % folds  # the product may round up to `folds`


def partition_at(place: float, *, validation: float, test: float, folds: int, fold: int) -> str:
    """The partition at a place in [0, folds), turned round so that `fold` comes first."""
    if folds > 1:
        # In folds, not in shares of 1: the borders are whole numbers, so none falls between two folds.
        place, validation, test = (place - fold) % folds, validation * folds, 1.0
    if place < test:
        return "test"
    return "validation" if place < test + validation else "train"


def soft_score(grade: float, sha256: str, *, seed: int, half_width: float) -> float:
    """The wiki's soft label: `grade` plus a uniform draw within `half_width`, from the content."""
    return grade + half_width * (2 * uniform("soft score", seed, sha256) - 1)
