"""Where a model's folder is, and where what it computes is kept."""

from pathlib import Path

from platformdirs import user_cache_path

from sabi.grading.card import repository_of
from sabi.grading.grader import Grader
from sabi.runtime.errors import InputError
from sabi.runtime.store import STORE


def load(model: Path, keep_readings: bool = True) -> Grader:
    """The grader in a folder. What it computes is kept in its repository, else in the user's cache.

    Without `keep_readings` photographs as the networks see them are not.

    Raises `InputError` as `Grader.load` does, and if there is no place to keep anything.
    """
    root = repository_of(model) or user_cache_path("sabi")
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{root}: {error.strerror}; embeddings are kept there: "
            "let XDG_CACHE_HOME name a folder that can be written"
        ) from None
    return Grader.load(model, root / STORE, keep_readings)
