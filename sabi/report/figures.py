"""The report's pictures, each as PNG bytes: the same bytes for the same data."""

import io
from collections.abc import Callable

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import to_hex

from sabi.evaluation.metrics import confusion
from sabi.grades import Grades
from sabi.report.colours import COLOURS, grade_colours, ink_on
from sabi.report.grade_labels import families, grade_labels, width

STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.dpi": 110,
}
SHARES = matplotlib.colormaps["YlOrBr"]
BORDER = "#1d5c70"  # of sound steel
# Against white every line has 4.5:1, and every dot an edge that has.
TRAINING, VALIDATION, EDGE = "#2b7287", COLOURS[1], "#3b2f2a"


def _png(draw: Callable, width: float, height: float, panels: int = 1) -> bytes:
    """What `draw` draws on the axes of so many panels, side by side over one scale."""
    with matplotlib.rc_context(STYLE | {"font.family": families()}):  # type: ignore[arg-type]  # its stub wants every key as a literal
        figure, axes = plt.subplots(
            1, panels, sharey=True, squeeze=False, figsize=(width, height), layout="constrained"
        )
        draw(*axes[0])
        stream = io.BytesIO()
        figure.savefig(stream, format="png")
        plt.close(figure)
    return stream.getvalue()


def confusion_matrix(
    actual: np.ndarray, predicted: np.ndarray, rating: Grades, said: dict[str, str]
) -> bytes:
    """Shares of each true grade (rows) by grade given, with the counts; `said` are the report's texts."""
    count, labels = len(rating.names), grade_labels(rating)
    counts = confusion(np.ones((1, len(actual))), actual, predicted, count)[0].astype(int)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    border = rating.worst_sound - 1.5

    def draw(axes) -> None:
        axes.imshow(shares, cmap=SHARES, vmin=0, vmax=1)
        for row, column in np.ndindex(counts.shape):
            share = shares[row, column]
            text = f"{share:.0%}\n{counts[row, column]}" if counts[row, column] else "·"
            ink = ink_on(to_hex(SHARES(share)))
            size = 9 if count <= 6 else 6
            axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=size)
        axes.set_xticks(range(count), labels, rotation=0 if count * max(map(width, labels)) < 30 else 90)
        axes.set_yticks(range(count), labels)
        axes.axhline(border, color=BORDER, lw=1.5, ls="--")
        axes.axvline(border, color=BORDER, lw=1.5, ls="--")
        axes.set_xlabel(said["axis_given"])
        axes.set_ylabel(said["axis_inspector"])

    return _png(draw, 4.6, 4.2)


def score_distributions(
    actual: np.ndarray,
    scores: np.ndarray,
    thresholds: list[float],
    rating: Grades,
    said: dict[str, str],
) -> bytes:
    """Scores by the inspector's grade, one dot a photograph, with the thresholds.

    Both are on the scale of the grades' names; `actual` (n,) are positions.
    """
    worst, best = rating.scale[0], rating.scale[-1]
    margin = 0.1 * (best - worst) / (len(rating.names) - 1)

    def draw(axes) -> None:
        for grade, colour in zip(rating.numbers, grade_colours(len(rating.names)), strict=True):
            mine = np.sort(scores[actual == grade])
            # Spread by rank, so that no random number is needed.
            offset = (np.arange(len(mine)) * 0.618 % 1 - 0.5) * 0.6
            axes.scatter(mine, grade + offset, s=16, color=colour, alpha=0.75, lw=0.4, edgecolors=EDGE)
        for threshold in thresholds:
            axes.axvline(threshold, color="#555555", lw=1, ls="--")
        axes.set_xlim(worst - margin, best + margin)
        axes.set_yticks(rating.numbers, grade_labels(rating))
        axes.set_xlabel(said["axis_score"])
        axes.set_ylabel(said["axis_inspector"])

    return _png(draw, 5.4, 4.2)


def feature_by_grade(
    values: np.ndarray, actual: np.ndarray, axis_title: str, rating: Grades, said: dict[str, str]
) -> bytes:
    """Box plots of `values` (n,) of a measured feature, one a grade: quartiles, and 1.5 times their distance.

    A grade with no value has an empty line.
    """

    def draw(axes) -> None:
        for grade, colour in zip(rating.numbers, grade_colours(len(rating.names)), strict=True):
            axes.boxplot(
                values[actual == grade],
                positions=[grade],
                orientation="horizontal",
                widths=0.6,
                patch_artist=True,
                boxprops={"facecolor": colour, "alpha": 0.6, "lw": 0.8},
                medianprops={"color": "black"},
                flierprops={"marker": ".", "markersize": 3, "alpha": 0.5},
            )
        axes.set_yticks(rating.numbers, grade_labels(rating))
        axes.set_xlabel(axis_title, parse_math=False)
        axes.set_ylabel(said["axis_inspector"])

    return _png(draw, 4, 2.6)


def against_score(table: pd.DataFrame, name: str, rating: Grades, said: dict[str, str]) -> bytes:
    """The column `name` against `score`, on the scale of the names; the colour is the inspector's `grade`."""

    def draw(axes) -> None:
        for grade, colour in zip(rating.numbers, grade_colours(len(rating.names)), strict=True):
            mine = table[table.grade == grade]
            axes.scatter(mine[name], mine.score, s=14, color=colour, alpha=0.8, edgecolors="none")
        axes.set_xlabel(name, parse_math=False)
        axes.set_ylabel(said["score"])

    return _png(draw, 4, 2.6)


def learning_curve(curve: pd.DataFrame, best: int, said: dict[str, str]) -> bytes:
    """Mean absolute error on training and validation by epoch, or by penalty, with the step kept."""
    ridge = "penalty" in curve
    x = curve.penalty if ridge else curve.step

    def draw(axes) -> None:
        axes.plot(x, curve.train_mae, color=TRAINING, label=said["line_training"])
        axes.plot(x, curve.validation_mae, color=VALIDATION, label=said["line_validation"])
        axes.axvline(x[best], color="#555555", lw=1, ls="--", label=said["line_kept"])
        axes.set_ylim(bottom=0)
        axes.set_ylabel(said["axis_error"])
        axes.set_xlabel(said["axis_penalty" if ridge else "axis_epoch"])
        if ridge:
            axes.set_xscale("log")
            axes.invert_xaxis()
        axes.legend(frameon=False)

    return _png(draw, 4, 3)


def embedding_map(projections: pd.DataFrame, name: str, rating: Grades, said: dict[str, str]) -> bytes:
    """The plane `name` (pca, tsne or umap) of the embeddings, coloured by grade."""
    labels, colours = grade_labels(rating), grade_colours(len(rating.names))

    def draw(axes) -> None:
        for grade, label, colour in zip(rating.numbers, labels, colours, strict=True):
            mine = projections[projections.grade == grade]
            x, y = mine[f"{name}_x"], mine[f"{name}_y"]
            axes.scatter(x, y, s=10, color=colour, alpha=0.8, lw=0.3, edgecolors=EDGE, label=label)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.legend(title=said["grade"], frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))

    return _png(draw, 4, 3.2)


def label_curves(curves: dict[str, pd.DataFrame]) -> bytes:
    """Mean accuracy over the number of labels, a panel a title and a line a way; behind it the starts' range.

    The tables have columns labels, way and accuracy.
    """
    ways = {"chosen": (TRAINING, "-"), "by chance": (VALIDATION, "--")}

    def draw(*row) -> None:
        for axes, (title, table) in zip(row, curves.items(), strict=True):
            for way, (colour, line) in ways.items():
                mine = table[table.way == way].groupby("labels").accuracy
                axes.fill_between(mine.min().index, mine.min(), mine.max(), color=colour, alpha=0.15, lw=0)
                axes.plot(mine.mean(), color=colour, ls=line, marker=".", label=way)
            axes.set_title(title, fontsize=10)
            axes.set_xlabel("labels")
        row[0].set_ylabel("accuracy")
        row[0].legend(frameon=False)

    return _png(draw, 0.5 + 3.3 * len(curves), 3, len(curves))


def interval_plot(names: list[str], panels: dict[str, np.ndarray]) -> bytes:
    """A line a name with its value and interval, one panel a metric; the first name is the one to beat.

    `panels` hold (names, 3): value, low, high; NaN where there is none.
    """
    places = np.arange(len(names))[::-1]

    def draw(*row) -> None:
        for axes, (title, values) in zip(row, panels.items(), strict=True):
            value, low, high = values.T
            axes.axvline(value[0], color="#bbbbbb", lw=1, ls="--")
            axes.hlines(places, low, high, color=COLOURS[4], lw=2)
            axes.scatter(value, places, s=28, color=COLOURS[1], zorder=3)
            axes.set_title(title, fontsize=10)
            axes.tick_params(axis="y", length=0)
        row[0].set_yticks(places, names)
        row[0].set_ylim(-0.6, len(names) - 0.4)

    return _png(draw, 3 + 2.3 * len(panels), 1.1 + 0.32 * len(names), len(panels))
