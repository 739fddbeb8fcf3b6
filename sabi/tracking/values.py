"""Metrics as MLflow's table is to show them."""

from typing import Any

from sabi.evaluation.metrics import HEADLINE


def comparable(metrics: dict[str, Any], intervals: dict[str, Any], parameters: list[int]) -> dict[str, Any]:
    """`metrics` as MLflow's table is to show them, with the ensemble's 95 % bounds and number of weights."""
    values = {who: by_number(measured) for who, measured in metrics.items()}
    for name in HEADLINE:
        for bound, value in zip(("low", "high"), intervals["ensemble"][name], strict=True):
            values["ensemble"][f"{name}.{bound}"] = value
    values["ensemble"]["parameters"] = sum(parameters)
    return values


def by_number(metrics: dict[str, Any]) -> dict[str, Any]:
    """`metrics` with recall by the grades' numbers: MLflow takes only few characters."""
    recall = {str(number): value for number, value in enumerate(metrics["recall"].values(), start=1)}
    return metrics | {"recall": recall}
