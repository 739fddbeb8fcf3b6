"""The main metrics, as the last lines of a run tell them."""

from typing import Any

from sabi.evaluation.metrics import HEADLINE


def shown(value: float | None) -> str:
    """A metric of two decimals; a dash where there is none."""
    return "–" if value is None else f"{value:.2f}"


def print_summary(metrics: dict[str, Any], intervals: dict[str, Any], summary: dict[str, int]) -> None:
    """Print the main metrics as a table, with the ensemble's intervals."""
    what = "drawings, not steel" if summary["drawings"] else "photographs"
    print(f"\n{metrics['ensemble']['photographs']} test {what}")
    print(f"{'':24}" + "".join(f"{name:>13}" for name in HEADLINE))
    for who, values in metrics.items():
        print(f"{who:24}" + "".join(f"{shown(values[name]):>13}" for name in HEADLINE))
    bounds = ["{} to {}".format(*map(shown, intervals["ensemble"][name])) for name in HEADLINE]
    print(f"{'ensemble, 95 % interval':24}" + "".join(f"{bound:>13}" for bound in bounds))
