"""Where a model's folder is, and where what it computes is kept."""

from pathlib import Path

from platformdirs import user_cache_path

from sabi.grading.card import repository_of
from sabi.grading.grader import Grader
from sabi.runtime.store import STORE


def load(model: Path, keep_readings: bool = True) -> Grader:
    """The grader in a folder. What it computes is kept in its repository, else in the user's cache.

    Without `keep_readings` photographs as the networks see them are not.

    Raises `InputError` as `Grader.load` does.
    """
    root = repository_of(model) or user_cache_path("sabi", ensure_exists=True)
    return Grader.load(model, root / STORE, keep_readings)
