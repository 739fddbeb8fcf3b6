"""The report's pictures are real PNGs and depend on the data alone."""

import io
import re
import warnings
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.font_manager import findfont, get_font
from PIL import Image

from sabi.grades import Grades
from sabi.report import figures
from sabi.report.grade_labels import families, grade_labels, japanese_font, latin_font
from sabi.words.texts import LANGUAGES, texts
from tests.report.test_colours import contrast

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
SURVEYED = pd.DataFrame({"um $x": RANDOM.normal(size=60), "score": SCORES, "grade": ACTUAL})
LABELS = pd.DataFrame(
    {"labels": [50, 50, 100, 100] * 2, "way": ["chosen", "by chance"] * 4, "accuracy": RANDOM.random(8)}
)
FIVE = Grades(tuple("12345"), 3)
TWO = Grades(("defect", "good"), 2)
MANY = Grades(tuple(f"{age}s" for age in range(10, 130, 10)), 4)
# Each with its data and with data that differ in one thing.
INTERVALS = np.array([[0.8, 0.7, 0.9], [0.6, 0.5, 0.7], [np.nan] * 3, [0.9, 0.9, 0.9]])
FIGURES = {
    "intervals": (
        figures.interval_plot,
        (["the best", "another", "unknown", "sure"], {"accuracy": INTERVALS}),
        (["the best", "another", "unknown", "sure"], {"accuracy": INTERVALS[::-1]}),
    ),
    "labels": (figures.label_curves, ({"a": LABELS, "b": LABELS},), ({"a": LABELS, "b": LABELS[::2]},)),
    "confusion": (figures.confusion_matrix, (ACTUAL, PREDICTED, FIVE), (ACTUAL, 6 - PREDICTED, FIVE)),
    "confusion turned": (figures.confusion_matrix, (ACTUAL, PREDICTED, FIVE), (PREDICTED, ACTUAL, FIVE)),
    "confusion of one": (
        figures.confusion_matrix,
        (ACTUAL[:1], ACTUAL[:1], FIVE),
        (ACTUAL[:1], 6 - ACTUAL[:1], FIVE),
    ),
    "confusion's border": (
        figures.confusion_matrix,
        (ACTUAL, PREDICTED, FIVE),
        (ACTUAL, PREDICTED, Grades(tuple("12345"), 4)),
    ),
    "confusion of two grades": (
        figures.confusion_matrix,
        (1 + ACTUAL % 2, 1 + PREDICTED % 2, TWO),
        (1 + ACTUAL % 2, 1 + PREDICTED % 2, Grades(("bad", "good"), 2)),
    ),
    "confusion of many grades": (
        figures.confusion_matrix,
        (ACTUAL, PREDICTED + 7, MANY),
        (ACTUAL, PREDICTED + 6, MANY),
    ),
    "scores": (
        figures.score_distributions,
        (ACTUAL, SCORES, THRESHOLDS, FIVE),
        (ACTUAL, 6 - SCORES, THRESHOLDS, FIVE),
    ),
    "thresholds": (
        figures.score_distributions,
        (ACTUAL, SCORES, THRESHOLDS, FIVE),
        (ACTUAL, SCORES, [2.3, 3.1, 3.4, 3.7], FIVE),
    ),
    "scores on the scale of the names": (
        figures.score_distributions,
        (ACTUAL, 10 * SCORES, [15, 25, 35, 45], Grades(("10", "20", "30", "40", "50"), 3)),
        (ACTUAL, SCORES, THRESHOLDS, FIVE),
    ),
    "scores of one grade": (
        figures.score_distributions,
        (ACTUAL[ACTUAL == 3], SCORES[ACTUAL == 3], THRESHOLDS, FIVE),
        (ACTUAL, SCORES, THRESHOLDS, FIVE),
    ),
    "scores in many grades": (
        figures.score_distributions,
        (ACTUAL, SCORES, THRESHOLDS, MANY),
        (ACTUAL, SCORES, THRESHOLDS, FIVE),
    ),
    "feature": (
        figures.feature_by_grade,
        (SCORES, ACTUAL, "Grain size, mm", FIVE),
        (SCORES[::-1], ACTUAL, "Grain size, mm", FIVE),
    ),
    "feature's title": (
        figures.feature_by_grade,
        (SCORES, ACTUAL, "Grain size, mm", FIVE),
        (SCORES, ACTUAL, "Grain size, pixels", FIVE),
    ),
    "feature without some grades": (
        figures.feature_by_grade,
        (SCORES[ACTUAL > 3], ACTUAL[ACTUAL > 3], "Edges", FIVE),
        (SCORES[ACTUAL > 4], ACTUAL[ACTUAL > 4], "Edges", FIVE),
    ),
    "against the score": (
        figures.against_score,
        (SURVEYED, "um $x", FIVE),
        (SURVEYED.assign(score=SURVEYED.score[::-1].to_numpy()), "um $x", FIVE),
    ),
    "against the score, its grades": (
        figures.against_score,
        (SURVEYED, "um $x", FIVE),
        (SURVEYED.assign(grade=6 - ACTUAL), "um $x", FIVE),
    ),
    "epochs": (figures.learning_curve, (EPOCHS, 2), (EPOCHS.assign(train_mae=0.3), 2)),
    "step kept": (figures.learning_curve, (EPOCHS, 2), (EPOCHS, 1)),
    "penalties": (figures.learning_curve, (PENALTIES, 2), (PENALTIES, 3)),
    "one epoch": (figures.learning_curve, (EPOCHS[:1], 0), (EPOCHS[:2], 0)),
    "map": (figures.embedding_map, (PLANES, "pca", FIVE), (PLANES, "umap", FIVE)),
    "map's grades": (
        figures.embedding_map,
        (PLANES, "tsne", FIVE),
        (PLANES.assign(grade=6 - ACTUAL), "tsne", FIVE),
    ),
    "map of two grades": (
        figures.embedding_map,
        (PLANES[PLANES.grade < 3], "tsne", FIVE),
        (PLANES[PLANES.grade > 3], "tsne", FIVE),
    ),
    "map in many grades": (figures.embedding_map, (PLANES, "pca", MANY), (PLANES, "pca", FIVE)),
}
SAID = texts("en", "report")
ENGLISH = (figures.interval_plot, figures.label_curves)  # of pages for engineers
FONTS = (latin_font(), japanese_font())


def draw_in(said: dict[str, str], draw, data) -> bytes:
    """A figure; those of the report are told its texts."""
    return draw(*data) if draw in ENGLISH else draw(*data, said)


@pytest.mark.parametrize("count", range(2, 20))
def test_colours_are_apart_and_their_ends_are_those_of_five(count):
    colours = figures.grade_colours(count)
    assert len(set(colours)) == count
    assert (colours[0], colours[-1]) == (figures.COLOURS[0], figures.COLOURS[-1])
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in colours)
    assert figures.grade_colours(5) == list(figures.COLOURS)


@pytest.mark.parametrize(
    "names",
    [
        ("1", "2"),
        ("10s", "20s"),
        ("défaut", "bon état"),
        ("a_b", "<b>"),
        ("不良", "good"),
        ("うろこ状さび", "５"),
    ],
)
def test_names_that_can_be_drawn_are_shown(names):
    rating = Grades(names, 2)
    assert grade_labels(rating) == list(names)
    draw_without_warning(rating)


@pytest.mark.parametrize(
    "names",
    [
        ("a", "far too long a name"),
        ("とても長い名前", "b"),  # seven characters, each as wide as two
        ("$x$", "y"),
        ("a", "\N{OK HAND SIGN}"),
    ],
)
def test_numbers_stand_for_names_that_cannot_be_drawn(names):
    rating = Grades(names, 2)
    assert grade_labels(rating) == ["1", "2"]
    draw_without_warning(rating)


def draw_without_warning(rating: Grades) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib's, of a character without a picture
        figures.confusion_matrix(np.array([1, 2]), np.array([1, 1]), rating, SAID)


def test_japanese_names_are_in_the_pictures_as_they_are():
    drawn = [
        figures.confusion_matrix(np.array([1, 2]), np.array([1, 1]), Grades(names, 2), SAID)
        for names in (("不良", "良好"), ("良好", "不良"), ("1", "2"))
    ]
    assert len(set(drawn)) == 3


def test_every_word_of_a_picture_can_be_drawn_in_both_languages():
    known = set().union(*(get_font(str(file)).get_charmap() for file in FONTS))
    for language in LANGUAGES:
        for key, text in texts(language, "report").items():
            if key.startswith(("axis_", "line_", "grade")):
                assert {character for character in text if ord(character) not in known} == set(), key


def test_the_fonts_come_with_packages_and_latin_is_drawn_by_the_same_as_ever():
    """By a font of the system's, another machine would draw other bytes."""
    packages = Path(matplotlib.__file__).parent.parent
    assert [Path(findfont(family)) for family in families()] == list(FONTS)
    assert all(file.is_relative_to(packages) for file in FONTS)


@pytest.mark.parametrize(
    "colour", [figures.BORDER, figures.TRAINING, figures.VALIDATION, figures.EDGE, "#555555"]
)
def test_lines_and_edges_stand_out_from_white(colour):
    assert contrast(colour, "#ffffff") >= 4.5


def test_every_public_figure_is_drawn_here():
    public = {
        value
        for name, value in vars(figures).items()
        if getattr(value, "__module__", "") == figures.__name__ and not name.startswith(("_", "grade_"))
    }
    assert public == {draw for draw, _, _ in FIGURES.values()}


@pytest.mark.parametrize(("draw", "data", "other"), FIGURES.values(), ids=FIGURES)
def test_a_figure_is_a_png_that_depends_on_its_data_and_language_alone(draw, data, other):
    content = draw_in(SAID, draw, data)
    with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
        image.load()
        assert all(250 <= side <= 800 for side in image.size)
        assert len(image.convert("RGB").getcolors(image.width * image.height)) > 10
    assert draw_in(SAID, draw, data) == content
    assert draw_in(SAID, draw, other) != content
    if draw not in ENGLISH:
        japanese = texts("ja", "report")
        assert draw_in(japanese, draw, data) == draw_in(japanese, draw, data) != content
