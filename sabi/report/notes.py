"""What makes the figures worse, or better, than they should be, in words."""

from sabi.photographs.manifest import doubts
from sabi.settings.params import Params


def what_to_note(params: Params, summary: dict) -> list[str]:
    """A line for each trouble of a run with these parameters; `summary` is that of the stage `split`."""
    notes = []
    if params.train.weights == "random" and params.train.mode != "scratch" and not summary["drawings"]:
        notes.append(
            "the networks have random weights; photographs deserve pretrained ones (train.weights: imagenet)"
        )
    return notes + doubts(summary)
