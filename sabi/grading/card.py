"""What is to be said of a model beside its grades: where it comes from, and how it was judged."""

import subprocess
from pathlib import Path

from sabi.runtime.errors import InputError
from sabi.settings.section import Section
from sabi.tables import flat, read_json, read_spec

CARD = "card.json"


class Card(Section):
    """A model's origin and its figures on test photographs."""

    commit: str  # of the repository that made it, "+" behind it if something was not committed
    date: str  # of the commit, ISO 8601
    photographs: int  # that an inspector graded, in all partitions
    drawings: int  # of them, drawn by sabi
    tested: int
    metrics: dict[str, tuple[float | None, float | None, float | None]]  # value, 95 % interval


def card_of(model: Path) -> Card | None:
    """The card in the folder of a model, or that of the repository it lies in; None if there is neither."""
    if (model / CARD).exists():
        return read_spec(Card, model / CARD, "not a model's card; export the model again")
    root = repository_of(model)
    if root is None or not (root / "data/evaluate/intervals.json").exists():
        return None
    summary, metrics = read_json(root / "data/split/summary.json"), read_json(root / "metrics/ensemble.json")
    intervals = read_json(root / "data/evaluate/intervals.json")["ensemble"]
    figures = {name: (value, *intervals[name]) for name, value in flat(metrics) if name in intervals}
    commit, date = _git(root, "log", "-1", "--format=%h %cs").split()
    changed = "+" if _git(root, "status", "--porcelain", "--untracked-files=no") else ""
    return Card(
        commit=commit + changed,
        date=date,
        photographs=summary["accepted"],
        drawings=summary["drawings"],
        tested=metrics["photographs"],
        metrics=figures,
    )


def repository_of(model: Path) -> Path | None:
    """The repository whose `data/model` the folder is."""
    whole = model.resolve()
    root = whole.parent.parent
    return root if (root / "data/model") == whole and (root / "dvc.yaml").exists() else None


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode:
        raise InputError(f"{root}: {ended.stderr.strip()}")
    return ended.stdout.strip()
