"""The report's pictures are real PNGs and depend on the data alone."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sabi import figures

RANDOM = np.random.default_rng(2)
ACTUAL = RANDOM.integers(1, 6, 60)
SCORES = np.clip(ACTUAL + RANDOM.normal(0, 0.6, 60), 1, 5)
PREDICTED = np.rint(SCORES).astype(int)
THRESHOLDS = [1.5, 2.5, 3.5, 4.5]
EPOCHS = pd.DataFrame(
    {"step": range(4), "train_mae": [1, 0.7, 0.5, 0.4], "validation_mae": [1, 0.8, 0.7, 0.75]}
)
PENALTIES = EPOCHS.assign(penalty=[1000.0, 100.0, 10.0, 1.0])
PLANES = pd.DataFrame(
    {f"{name}_{axis}": RANDOM.normal(size=60) for name in ("pca", "tsne", "umap") for axis in "xy"}
).assign(grade=ACTUAL)
# Each with its data and with data that differ in one thing.
FIGURES = {
    "confusion": (figures.confusion_matrix, (ACTUAL, PREDICTED), (ACTUAL, 6 - PREDICTED)),
    "confusion turned": (figures.confusion_matrix, (ACTUAL, PREDICTED), (PREDICTED, ACTUAL)),
    "confusion of one": (figures.confusion_matrix, (ACTUAL[:1], ACTUAL[:1]), (ACTUAL[:1], 6 - ACTUAL[:1])),
    "scores": (figures.score_distributions, (ACTUAL, SCORES, THRESHOLDS), (ACTUAL, 6 - SCORES, THRESHOLDS)),
    "thresholds": (
        figures.score_distributions,
        (ACTUAL, SCORES, THRESHOLDS),
        (ACTUAL, SCORES, [2.3, 3.1, 3.4, 3.7]),
    ),
    "scores of one grade": (
        figures.score_distributions,
        (ACTUAL[ACTUAL == 3], SCORES[ACTUAL == 3], THRESHOLDS),
        (ACTUAL, SCORES, THRESHOLDS),
    ),
    "epochs": (figures.learning_curve, (EPOCHS, 2), (EPOCHS.assign(train_mae=0.3), 2)),
    "step kept": (figures.learning_curve, (EPOCHS, 2), (EPOCHS, 1)),
    "penalties": (figures.learning_curve, (PENALTIES, 2), (PENALTIES, 3)),
    "one epoch": (figures.learning_curve, (EPOCHS[:1], 0), (EPOCHS[:2], 0)),
    "map": (figures.embedding_map, (PLANES, "pca"), (PLANES, "umap")),
    "map's grades": (figures.embedding_map, (PLANES, "tsne"), (PLANES.assign(grade=6 - ACTUAL), "tsne")),
    "map of two grades": (
        figures.embedding_map,
        (PLANES[PLANES.grade < 3], "tsne"),
        (PLANES[PLANES.grade > 3], "tsne"),
    ),
}


def test_every_public_figure_is_drawn_here():
    public = {
        value
        for name, value in vars(figures).items()
        if getattr(value, "__module__", "") == figures.__name__ and not name.startswith("_")
    }
    assert public == {draw for draw, _, _ in FIGURES.values()}


@pytest.mark.parametrize(("draw", "data", "other"), FIGURES.values(), ids=FIGURES)
def test_a_figure_is_a_png_that_depends_on_its_data_alone(draw, data, other):
    content = draw(*data)
    with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
        image.load()
        assert all(250 <= side <= 800 for side in image.size)
        assert len(image.convert("RGB").getcolors(image.width * image.height)) > 10
    assert draw(*data) == content
    assert draw(*other) != content
