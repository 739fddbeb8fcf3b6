"""A model to take along: `sabi export`.

A folder that grades without the repository, without the files of weights and
without building a network: to the model's own files come each network's forward
pass and a card that says where the model comes from.
"""

import shutil
from pathlib import Path

from sabi.grading.card import CARD, card_of
from sabi.grading.grader import Grader
from sabi.grading.model import write_sums
from sabi.runtime.errors import InputError
from sabi.tables import write_spec


def export(model: Path, out: Path) -> None:
    """Write the folder `out`. Raises `InputError` if it is there, or `model` is no model."""
    if out.exists():
        raise InputError(f"{out}: is there already and stays as it is; choose another --out")
    grader = Grader.load(model)
    card = card_of(model)
    shutil.copytree(model, out)
    grader.export(out)
    if card is not None:
        write_spec(card, out / CARD)
    write_sums(out)
