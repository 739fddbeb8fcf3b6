"""Graded photographs as measurements beside the pipeline see them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sabi.photographs.files import Unusable
from sabi.photographs.reading import Reading, read_all, wanted_by
from sabi.runtime.errors import InputError
from sabi.runtime.store import Store
from sabi.settings.params import Params


def stretched(files: Sequence[Path], params: Params, size: int) -> list[Reading]:
    """Readings of photographs, stretched whole to squares of `size` pixels whatever their scale.

    Raises `InputError` for one that cannot be used.
    """
    wanted = replace(wanted_by(params), size=size, target=None)
    with Store() as store:
        readings = list(read_all(files, [None] * len(files), wanted, store, f"{size} px"))
    for file, reading in zip(files, readings, strict=True):
        if isinstance(reading, Unusable):
            raise InputError(f"{file}: {reading}")
    return [reading for reading in readings if isinstance(reading, Reading)]
