"""The benchmark's record (`sabi/bench/cases.py`) as Markdown for docs/results/speed.md, and as a plot."""

import io
from collections.abc import Callable
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from sabi.report.figures import COLOURS, STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OURS, THEIRS, OTHER = COLOURS[4], COLOURS[1], COLOURS[3]


def table(record: dict[str, Any]) -> str:
    """The parts of the record that there are, as Markdown."""
    kind = record["machine"]
    lines = [f"{kind['processor']}, {kind['cores']} cores, {kind['memory_gib']} GiB of memory.", ""]
    texts = {
        "cases": _cases,
        "large": _cases,
        "laboratory": _laboratory,
        "throughput": _throughput,
        "throughput-large": _throughput,
        "growth": _growth,
        "crowd": _crowd,
        "start": _start,
    }
    for part, text in texts.items():
        if part in record:
            lines += [*text(record[part], record["work"]), ""]
    return "\n".join(lines)


def _cases(part: dict[str, Any], work: dict[str, Any]) -> list[str]:
    rows = []
    for case in part["cases"].values():
        numbers = f"{case['ours_seconds']:.1f} | {case['wiki_seconds']:.1f} | {case['ratio']:.1f}"
        rows.append(f"| {case['title']} | {numbers} | {case['wished'] or ''} |")
    return [
        f"{part['photographs']} drawings, {part['side']} pixels a side, {work['epochs']} epochs:",
        "",
        "| case | sabi, s | the wiki's method, s | times faster | wished |",
        "|---|---|---|---|---|",
        *rows,
        "",
        f"Largest process from nothing: {part['ours_peak_mib']} MiB, the wiki's method "
        f"{part['wiki_peak_mib']} MiB. `dvc repro` when nothing has changed: "
        f"{part['unchanged_seconds']:.1f} s.",
    ]


def _laboratory(part: dict[str, Any], work: dict[str, Any]) -> list[str]:
    survey, wiki = work["survey"], part["wiki"]
    rows = []
    for case in part["cases"].values():
        ours, theirs, careful = (case[f"{who}_seconds"] for who in ("ours", "wiki", "careful"))
        ratios = f"{case['wiki_ratio']:.1f} | {case['careful_ratio']:.1f}"
        wished = f"{case['wished'][0]} | {case['wished'][1]}"
        rows.append(f"| {case['title']} | {ours:.0f} | {theirs:.0f} | {careful:.0f} | {ratios} | {wished} |")
    added = ", ".join(f"{one['photographs']}: {one['seconds']:.0f} s" for one in part["added"])
    megapixels = survey["width"] ** 2 * 3 / 4e6
    small, large = wiki["photographs"]
    few, many = wiki["epochs"]
    return [
        f"{part['photographs']} photographs of {megapixels:.0f} megapixels, {survey['side']} pixels a side "
        f"for the networks, {survey['epochs']} epochs; {survey['graded']} new ones:",
        "",
        "| case | sabi, s | the wiki's method, s | a careful script, s | times the wiki's "
        "| times the careful script's | wished, the wiki's | wished, the script's |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
        "",
        f"The wiki's seconds are a straight line through runs on {small} and {large} photographs and "
        f"{few} and {many} epochs; for the most of both it foresees {wiki['foreseen_seconds']:.0f} s, and "
        f"{wiki['check_seconds']:.0f} s were measured. Photographs added one after the other, and the "
        f"seconds of a run: {added}; when nothing has changed {part['unchanged_seconds']:.1f} s. Largest "
        f"process from nothing: {part['ours_peak_mib']:.0f} MiB, the careful script "
        f"{part['careful_peak_mib']:.0f} MiB.",
    ]


def _throughput(part: dict[str, Any], work: dict[str, Any]) -> list[str]:
    networks, head = part["networks"], part["head"]
    engines = engines_of(networks)
    rows = []
    for name, network in networks.items():
        rates = network["photographs_per_second"]
        share = rates["sabi"] * network["gflop"] / network["product_gflop_per_second"]
        shown = [f"{rates[engine]:.0f}" if engine in rates else "" for engine in engines]
        gflop = f"{network['gflop']:.2f}"
        rows.append(f"| {' | '.join([name, gflop, *shown, f'{share:.0%}'])} |")
    rates_of = [network["photographs_per_second"] for network in networks.values()]
    spent = [
        f"{engine} {sum(1000 / rates[engine] for rates in rates_of):.1f} ms"
        for engine in engines
        if all(engine in rates for rates in rates_of)
    ]
    product = median(network["product_gflop_per_second"] for network in networks.values())
    arithmetic, traffic = head["arithmetic_seconds"], head["traffic_seconds"]
    return [
        f"Embeddings a second, {part['side']} pixels a side, full batches:",
        "",
        f"| network | GFLOP | {' | '.join(engines)} | share of a matrix product's rate |",
        "|---|---|---" + "|---" * len(engines) + "|",
        *rows,
        "",
        f"A photograph through all of them: {', '.join(spent)}.",
        "",
        f"A large float32 matrix product runs at {product:.0f} GFLOP/s here. A training step of the dense "
        f"head takes {1000 * head['step_seconds']:.1f} ms; at that rate its arithmetic takes "
        f"{1000 * arithmetic:.1f} ms, and moving its weights {1000 * traffic:.1f} ms: the step takes "
        f"{head['step_seconds'] / (arithmetic + traffic):.1f} times as long.",
    ]


def engines_of(networks: dict[str, Any]) -> list[str]:
    """The engines that any network was measured in, in their order."""
    return list(dict.fromkeys(e for network in networks.values() for e in network["photographs_per_second"]))


def _growth(part: dict[str, Any], work: dict[str, Any]) -> list[str]:
    seconds, peak = part["seconds"], part["peak_mib"]
    counts = [point["photographs"] for point in part["points"]]
    return [
        f"Over {', '.join(map(str, counts))} photographs, `dvc repro {part['stage']}` from nothing takes "
        f"{seconds['start']:.0f} s and {1000 * seconds['slope']:.1f} ms a photograph "
        f"(R² {seconds['r2']:.3f}); its largest process has {peak['start']:.0f} MiB and "
        f"{1024 * peak['slope']:.0f} KiB a photograph (R² {peak['r2']:.3f})."
    ]


def _crowd(part: dict[str, Any], work: dict[str, Any]) -> list[str]:
    peak = part["peak_mib"]
    rows = []
    for point in part["points"]:
        count, seconds = point["photographs"], point["seconds"]
        rows.append(f"| {count} | {seconds:.0f} | {count / seconds:.1f} | {point['peak_mib']} |")
    return [
        f"`sabi grade --engine process`, photographs of {part['megapixels']:.0f} megapixels, the networks "
        f"{', '.join(part['networks'])} at {part['side']} pixels:",
        "",
        "| photographs | seconds | a second | MiB of the process |",
        "|---|---|---|---|",
        *rows,
        "",
        f"The process needs {peak['start']:.0f} MiB and {1024 * peak['slope']:.1f} KiB a photograph.",
    ]


def _start(part: dict[str, Any], work: dict[str, Any]) -> list[str]:
    stages = part["stages_seconds"]
    slowest = max(stages, key=stages.get)
    return [
        f"Starting a stage takes {stages[slowest]:.1f} s at most (`{slowest}`), of all {len(stages)} "
        f"together {sum(stages.values()):.1f} s; TensorFlow, where it is needed, "
        f"{part['tensorflow_seconds']:.1f} s more."
    ]


def plot(record: dict[str, Any]) -> bytes:
    """The parts of the record that have a picture, side by side, as a PNG."""
    import matplotlib.pyplot as plt

    pictures: dict[str, Callable[[Axes, dict[str, Any]], None]] = {
        "cases": _draw_cases,
        "large": _draw_cases,
        "growth": _draw_growth,
        "throughput": _draw_throughput,
    }
    shown = [part for part in pictures if part in record]
    with plt.rc_context(STYLE):  # type: ignore[arg-type]  # its stub wants every key as a literal
        figure, panels = plt.subplots(
            1,
            max(len(shown), 1),
            figsize=(5.4 * max(len(shown), 1), 3.8),
            squeeze=False,
            layout="constrained",
        )
        for part, axes in zip(shown, panels[0], strict=False):
            pictures[part](axes, record[part])
        stream = io.BytesIO()
        figure.savefig(stream, format="png")
        plt.close(figure)
    return stream.getvalue()


def _draw_cases(axes: "Axes", part: dict[str, Any]) -> None:
    cases = [case for case in part["cases"].values() if case["wished"]]
    places = np.arange(len(cases))[::-1]
    axes.barh(places + 0.2, [case["ours_seconds"] for case in cases], 0.38, color=OURS, label="sabi")
    axes.barh(places - 0.2, [c["wiki_seconds"] for c in cases], 0.38, color=THEIRS, label="the wiki's method")
    for place, case in zip(places, cases, strict=True):
        longest = max(case["ours_seconds"], case["wiki_seconds"])
        axes.text(longest * 1.15, place, f"{case['ratio']:.1f} ×", va="center")
    axes.set_xscale("log")
    axes.set_xlim(1, axes.get_xlim()[1] * 4)  # room for the ratios
    axes.set_yticks(places, [case["title"].replace(", ", ",\n") for case in cases])
    axes.set_xlabel(f"seconds, {part['side']} pixels a side")
    axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1), ncols=2, frameon=False)


def _draw_growth(axes: "Axes", part: dict[str, Any]) -> None:
    counts, seconds, peak = (
        np.array([point[name] for point in part["points"]]) for name in ("photographs", "seconds", "peak_mib")
    )
    axes.plot(counts, seconds, "o", color=OURS)
    axes.plot(counts, part["seconds"]["start"] + part["seconds"]["slope"] * counts, color=OURS)
    axes.set_xlabel(f"photographs, from nothing to {part['stage']}")
    axes.set_ylabel("seconds (points, line)", color=OURS)
    axes.set_ylim(bottom=0)
    memory = axes.twinx()
    memory.plot(counts, peak, "s--", color=THEIRS)
    memory.set_ylabel("MiB of the largest process (dashed)", color=THEIRS)
    memory.set_ylim(bottom=0)
    memory.spines["right"].set_visible(True)


def _draw_throughput(axes: "Axes", part: dict[str, Any]) -> None:
    networks = part["networks"]
    engines = engines_of(networks)
    width = 0.8 / len(engines)
    colours = {"sabi": OURS, "Keras predict": THEIRS}
    for number, engine in enumerate(engines):
        places = np.arange(len(networks)) + (number - (len(engines) - 1) / 2) * width
        rates = [network["photographs_per_second"].get(engine, 0) for network in networks.values()]
        axes.bar(places, rates, width * 0.95, color=colours.get(engine, OTHER), label=engine)
    axes.set_xticks(range(len(networks)), list(networks))
    axes.set_ylabel("photographs a second")
    axes.legend(frameon=False)
