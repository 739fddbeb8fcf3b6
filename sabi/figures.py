"""The report's pictures, each as PNG bytes: the same bytes for the same data."""

import io
from collections.abc import Callable

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from sabi.grades import GRADES
from sabi.metrics import confusion

# Grade 1 to 5, dark rust to sound; apart in lightness, so also in grey and for the colour-blind.
COLOURS = ("#3b0f0a", "#8c2d13", "#d2691e", "#e9b44c", "#4a90a4")
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.dpi": 110,
    "savefig.bbox": "tight",
}


def _png(draw: Callable, width: float, height: float) -> bytes:
    with matplotlib.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(width, height), layout="constrained")
        draw(axes)
        stream = io.BytesIO()
        figure.savefig(stream, format="png")
        plt.close(figure)
    return stream.getvalue()


def confusion_matrix(actual: np.ndarray, predicted: np.ndarray) -> bytes:
    """Shares of each true grade (rows) by grade given, with the counts."""
    counts = confusion(np.ones((1, len(actual))), actual, predicted)[0].astype(int)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)

    def draw(axes) -> None:
        axes.imshow(shares, cmap="YlOrBr", vmin=0, vmax=1)
        for row, column in np.ndindex(counts.shape):
            share = shares[row, column]
            text = f"{share:.0%}\n{counts[row, column]}" if counts[row, column] else "·"
            ink = "white" if share > 0.55 else "black"
            axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=9)
        axes.set_xticks(range(5), GRADES)
        axes.set_yticks(range(5), GRADES)
        axes.axhline(1.5, color="#4a90a4", lw=1.5, ls="--")
        axes.axvline(1.5, color="#4a90a4", lw=1.5, ls="--")
        axes.set_xlabel("grade given by the pipeline")
        axes.set_ylabel("inspector's grade")

    return _png(draw, 4.6, 4.2)


def score_distributions(actual: np.ndarray, scores: np.ndarray, thresholds: list[float]) -> bytes:
    """Scores by the inspector's grade, one dot a photograph, with the thresholds."""

    def draw(axes) -> None:
        for grade in GRADES:
            mine = np.sort(scores[actual == grade])
            # Spread by rank, so that no random number is needed.
            offset = (np.arange(len(mine)) * 0.618 % 1 - 0.5) * 0.6
            axes.scatter(mine, grade + offset, s=16, color=COLOURS[grade - 1], alpha=0.75, lw=0)
        for threshold in thresholds:
            axes.axvline(threshold, color="#555555", lw=1, ls="--")
        axes.set_xlim(0.9, 5.1)
        axes.set_yticks(GRADES)
        axes.set_xlabel("score (dashed: thresholds between grades)")
        axes.set_ylabel("inspector's grade")

    return _png(draw, 5.4, 4.2)


def learning_curve(curve: pd.DataFrame, best: int) -> bytes:
    """Mean absolute error on training and validation by epoch, or by penalty, with the step kept."""
    ridge = "penalty" in curve
    x = curve.penalty if ridge else curve.step

    def draw(axes) -> None:
        axes.plot(x, curve.train_mae, color=COLOURS[3], label="training")
        axes.plot(x, curve.validation_mae, color=COLOURS[1], label="validation")
        axes.axvline(x[best], color="#555555", lw=1, ls="--", label="kept")
        axes.set_ylim(bottom=0)
        axes.set_ylabel("mean absolute error, grades")
        axes.set_xlabel("penalty, strong to weak" if ridge else "epoch")
        if ridge:
            axes.set_xscale("log")
            axes.invert_xaxis()
        axes.legend(frameon=False)

    return _png(draw, 4, 3)


def embedding_map(projections: pd.DataFrame, name: str) -> bytes:
    """The plane `name` (pca, tsne or umap) of the embeddings, coloured by grade."""

    def draw(axes) -> None:
        for grade in GRADES:
            mine = projections[projections.grade == grade]
            x, y = mine[f"{name}_x"], mine[f"{name}_y"]
            axes.scatter(x, y, s=10, color=COLOURS[grade - 1], alpha=0.8, lw=0, label=str(grade))
        axes.set_xticks([])
        axes.set_yticks([])
        axes.legend(title="grade", frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))

    return _png(draw, 4, 3.2)
