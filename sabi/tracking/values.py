"""Metrics as MLflow's table is to show them."""

from typing import Any

from sabi.evaluation.metrics import HEADLINE

BY_GRADE = ("recall", "coverage_by_grade")


def comparable(metrics: dict[str, Any], intervals: dict[str, Any], parameters: list[int]) -> dict[str, Any]:
    """`metrics` as MLflow's table is to show them, with the ensemble's 95 % bounds and number of weights."""
    values = {who: by_plain_name(measured) for who, measured in metrics.items()}
    for name in HEADLINE:
        for bound, value in zip(("low", "high"), intervals["ensemble"][name], strict=True):
            values["ensemble"][f"{name}.{bound}"] = value
    values["ensemble"]["parameters"] = sum(parameters)
    return values


def by_plain_name(metrics: dict[str, Any]) -> dict[str, Any]:
    """`metrics` with those by grade under the grades' names if all are whole numbers, else their positions.

    MLflow takes only few characters.
    """
    names = list(metrics["recall"])
    if not all(name.isascii() and name.isdigit() for name in names):
        names = [str(position) for position, _ in enumerate(names, start=1)]
    by_grade = [kind for kind in BY_GRADE if kind in metrics]
    return metrics | {kind: dict(zip(names, metrics[kind].values(), strict=True)) for kind in by_grade}
