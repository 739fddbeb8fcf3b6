"""What makes the figures worse, or better, than they should be, in words."""

from sabi.photographs.manifest import doubts
from sabi.settings.params import Params
from sabi.tables import REJECTED


def what_to_note(params: Params, summary: dict) -> list[str]:
    """A line for each trouble of a run with these parameters; `summary` is that of the stage `split`."""
    notes = []
    if params.train.weights == "random" and params.train.mode != "scratch" and not summary["drawings"]:
        notes.append(
            "the networks have random weights; photographs deserve pretrained ones (train.weights: imagenet)"
        )
    return notes + doubts(summary)


def what_was_left_out(rejected: int, unlabelled_rejected: int) -> list[str]:
    """A line for each of the two folders of photographs of which files, so many, could not be used."""
    counts = [
        (rejected, "of data/raw were not used", REJECTED),
        (unlabelled_rejected, "of data/unlabelled were not graded", "data/grades/unlabelled_rejected.csv"),
    ]
    return [f"{count} files {what}; {table} says why" for count, what, table in counts if count]
