"""What makes the figures worse, or better, than they should be, in words."""

import numpy as np

from sabi.backbones.spec import BackboneSpec
from sabi.evaluation.differences import FEWEST
from sabi.grades import LOWEST, Grades
from sabi.grading.conformal import fewest
from sabi.grading.doubt import Doubt
from sabi.photographs.manifest import doubts
from sabi.settings.params import Params
from sabi.tables import REJECTED


def what_to_note(params: Params, summary: dict) -> list[str]:
    """A line for each trouble of a run with these parameters; `summary` is that of the stage `split`."""
    notes = []
    random = [
        member
        for member in params.ensemble.members
        if BackboneSpec.mode_of(member, params.train) != "scratch"
        and params.train.weights_for(member) == "random"
    ]
    if random and not summary["drawings"]:
        notes.append(
            f"{', '.join(random)}: random weights; photographs deserve trained ones: `make weights` and an "
            "ensemble of efficientnet_lite0 alone (docs/own-photographs.md); or train.weights: imagenet if "
            "Keras can download"
        )
    return notes + doubts(summary)


def few_specimens(counts: dict[str, int], rating: Grades) -> list[str]:
    """A line for each side of the border to sound of which there are too few test specimens to tell much.

    `counts` are those of the metrics.
    """
    sides = [("bad", "worse than", "sensitivity"), ("sound", "better than", "specificity")]
    return [
        f"only {counts[f'{side}_specimens']} test specimens are {where} the border {rating.border}: "
        f"{metric} says little with fewer than {FEWEST}"
        for side, where, metric in sides
        if counts[f"{side}_specimens"] < FEWEST
    ]


def without_limits(doubt: Doubt) -> list[str]:
    """A line if validation has too few specimens to say how far scores lie from grades."""
    if None not in doubt.limits:
        return []
    return [
        f"validation has too few specimens for sets of grades that hold with {doubt.confidence:g} "
        f"({fewest(doubt.confidence)} are needed): every set is of all grades; grade more specimens, or "
        "lower evaluate.confidence"
    ]


def never_given(thresholds: list[float], rating: Grades) -> list[str]:
    """A line for each grade for which the thresholds, by position, leave no score."""
    ends = [LOWEST, *thresholds, np.nextafter(len(rating.names), np.inf)]
    return [
        f"no photograph can be given {name}: the thresholds that fit validation best leave no score for it; "
        "grade more specimens of it, or set binning.method to fixed"
        for name, low, high in zip(rating.names, ends[:-1], ends[1:], strict=True)
        if low >= high
    ]


def what_was_left_out(rejected: int, unlabelled_rejected: int) -> list[str]:
    """A line for each of the two folders of photographs of which files, so many, could not be used."""
    counts = [
        (rejected, "of data/raw were not used", REJECTED),
        (unlabelled_rejected, "of data/unlabelled were not graded", "data/grades/unlabelled_rejected.csv"),
    ]
    return [f"{count} files {what}; {table} says why" for count, what, table in counts if count]
