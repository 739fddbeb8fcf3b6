"""The main metrics, as the last lines of a run tell them."""

from typing import Any

from sabi.evaluation.metrics import headline


def shown(value: float | None) -> str:
    """A metric of two decimals; a dash where there is none."""
    return "–" if value is None else f"{value:.2f}"


def print_summary(metrics: dict[str, Any], intervals: dict[str, Any], summary: dict[str, int]) -> None:
    """Print the main metrics as a table, with the ensemble's intervals, what they count, and its sets."""
    mine, bounds = metrics["ensemble"], intervals["ensemble"]
    names, counts = headline(mine), mine["counts"]
    what = "drawings, not steel" if summary["drawings"] else "photographs"
    print(f"\n{mine['photographs']} test {what}")
    print(f"{'':24}" + "".join(f"{name:>13}" for name in names))
    for who, values in metrics.items():
        print(f"{who:24}" + "".join(f"{shown(values[name]):>13}" for name in names))
    spans = {name: "{} to {}".format(*map(shown, bounds[name])) for name in [*names, "coverage"]}
    print(f"{'ensemble, 95 % interval':24}" + "".join(f"{spans[name]:>13}" for name in names))
    print(
        f"bad rust found: {counts['bad_found']} of {counts['bad']} ({counts['bad_specimens']} specimens); "
        f"sound left alone: {counts['sound_kept']} of {counts['sound']} ({counts['sound_specimens']})"
    )
    print(
        f"sets of grades: {shown(mine['coverage'])} ({spans['coverage']}) hold the inspector's, "
        f"{shown(mine['set_size'])} grades on average; to look at: {100 * mine['look']:.0f} %"
    )
