"""The report: one page for an inspector, everything in one file."""

import base64
import io
from pathlib import Path

import jinja2
import numpy as np
import pandas as pd
from PIL import Image

from sabi.evaluation.metrics import HEADLINE
from sabi.grades import Grades
from sabi.models.member import MemberSpec
from sabi.names import as_number
from sabi.photographs import features as measuring
from sabi.photographs.partition import PARTITIONS
from sabi.report import figures
from sabi.report.console import shown
from sabi.report.grade_labels import grade_labels
from sabi.settings.params import Params
from sabi.tables import MANIFEST, REJECTED, TRAINED, flat, read_graded, read_json, read_table

TEMPLATE = Path(__file__).with_name("page.html.j2")
COPIES = Path("data/augment/copies.png")
MAPS = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}


def render(params: Params, metrics: dict, intervals: dict, summary: dict, notes: list[str]) -> str:
    """The page: everything in one file, names from files escaped."""
    rating = params.labels.rating
    manifest = read_graded(MANIFEST, rating)
    judged = read_graded("metrics/predictions.csv", rating)
    projections = read_graded("data/evaluate/projections.csv", rating)
    thresholds = read_json("data/grades/thresholds.json")["ensemble"]  # on the scale of the names
    actual, predicted, scores = (judged[c].to_numpy() for c in ("actual", "predicted", "score"))
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        params=params,
        grades=rating.names,
        numbered=grade_labels(rating) != [*rating.names],
        counted=any(as_number(name) != score for name, score in zip(rating.names, rating.scale, strict=True)),
        bad=bad(rating),
        sound=sound(rating),
        border=f"{rating.names[rating.worst_sound - 2]}|{params.labels.sound}",
        metrics={who: dict(flat(values)) for who, values in metrics.items()},
        intervals=intervals,
        summary=summary,
        notes=notes,
        noun="drawings" if summary["drawings"] == summary["accepted"] else "photographs",
        counts=manifest.partition.value_counts().to_dict(),
        test_specimens=manifest.specimen[manifest.partition == "test"].nunique(),
        cards=cards(metrics["ensemble"], intervals["ensemble"], rating),
        confusion=base64_of(figures.confusion_matrix(actual, predicted, rating)),
        distributions=base64_of(
            figures.score_distributions(actual, rating.shown(scores), thresholds, rating)
        ),
        curves={who: base64_of(curve(who)) for who in metrics if who != "ensemble"},
        maps={
            title: base64_of(figures.embedding_map(projections, name, rating)) for name, title in MAPS.items()
        },
        thresholds=thresholds,
        corrected=corrected(manifest, rating),
        worst=worst_graded(judged, manifest, params.report.worst, rating),
        unlabelled=read_table("data/grades/unlabelled.csv").to_dict("records"),
        unlabelled_rejected=read_table("data/grades/unlabelled_rejected.csv").to_dict("records"),
        rejected=read_table(REJECTED).to_dict("records"),
        copies=base64_of(jpeg(COPIES)),
        measured={title: base64_of(png) for title, png in measured(manifest, rating).items()},
        table=counts_table(manifest, rating),
        parameters=list(flat(params.model_dump())),
    )


def bad(rating: Grades) -> str:
    """The grades that are not sound, in words."""
    border = rating.worst_sound - 1
    return f"grade {rating.names[border - 1]}" + (" or worse" if border > 1 else "")


def sound(rating: Grades) -> str:
    """The sound grades, in words."""
    border = rating.worst_sound
    return f"grade {rating.names[border - 1]}" + (" or better" if border < len(rating.names) else "")


def curve(member: str) -> bytes:
    """The learning curve of a member."""
    folder = TRAINED / member
    return figures.learning_curve(read_table(folder / "curve.csv"), MemberSpec.read(folder).best_step)


def corrected(manifest: pd.DataFrame, rating: Grades) -> dict:
    """How many test photographs the correction moved, and to what effect; or why it is off."""
    moved = read_graded("data/grades/corrections.csv", rating)
    moved = moved[moved.partition == "test"].merge(manifest[["path", "grade"]], on="path")
    return {
        "off": read_json("data/grades/correction.json")["reason"],
        "moved": len(moved),
        "right": int((moved.after == moved.grade).sum()),
        "wrong": int((moved.before == moved.grade).sum()),
    }


def measured(manifest: pd.DataFrame, rating: Grades) -> dict[str, bytes]:
    """A picture of each measured feature by grade, by the feature's title."""
    table = manifest[["path", "grade"]].merge(read_table("data/augment/measured.csv"), on="path")
    described = measuring.describe(measuring.in_millimetres(manifest))
    pictures = {}
    for feature in measuring.FEATURES:
        title, unit = described[feature]
        axis_title = f"{title}, {unit}" if unit else title
        values, actual = table[feature].to_numpy(float), table.grade.to_numpy()
        pictures[title] = figures.feature_by_grade(values, actual, axis_title, rating)
    return pictures


def cards(metrics: dict, intervals: dict, rating: Grades) -> list[dict]:
    """The ensemble's main metrics, ready to print."""
    worse, better = bad(rating), sound(rating)
    texts = {
        "accuracy": ("Accuracy", "share given exactly the inspector's grade"),
        "kappa": ("Quadratic weighted kappa", "agreement beyond chance: 1 perfect, 0 chance"),
        "mae": ("Mean error of the score", "grades between score and inspector"),
        "within_one": ("Within one grade", "share off by at most one grade"),
        "sensitivity": ("Bad rust found", f"of {worse}, share given {worse}"),
        "specificity": ("Sound steel left alone", f"of {better}, share given {better}"),
    }
    return [
        {
            "title": texts[name][0],
            "meaning": texts[name][1],
            "value": shown(metrics[name]),
            "low": shown(intervals[name][0]),
            "high": shown(intervals[name][1]),
        }
        for name in HEADLINE
    ]


def worst_graded(judged: pd.DataFrame, manifest: pd.DataFrame, count: int, rating: Grades) -> list[dict]:
    """Misgraded test photographs, farthest from the inspector's grade first, with pictures.

    Their scores are on the scale of the names.
    """
    pixels = np.load("data/augment/test.npy", mmap_mode="r")[0]
    row_of = {path: row for row, path in enumerate(manifest.path[manifest.partition == "test"])}
    wrong = judged[judged.actual != judged.predicted]
    off = (wrong.score - wrong.actual).abs()
    order = off.sort_values(ascending=False, kind="stable").index[:count]
    farthest = wrong.loc[order]
    photos = farthest.assign(score=rating.shown(farthest.score.to_numpy())).to_dict("records")
    return [photo | {"png": base64_of(png(pixels[row_of[photo["path"]]]))} for photo in photos]


def counts_table(manifest: pd.DataFrame, rating: Grades) -> dict[str, list[str]]:
    """Photographs and specimens by partition and grade."""
    table = {}
    for part in PARTITIONS:
        mine = manifest[manifest.partition == part]
        rows = [mine[mine.grade == grade] for grade in rating.numbers]
        table[part] = [f"{len(row)} ({row.specimen.nunique()})" for row in rows]
    return table


def png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    return stream.getvalue()


def jpeg(file: Path) -> bytes:
    """A picture of photographs in a fifth of the bytes, for a page that is mailed."""
    stream = io.BytesIO()
    with Image.open(file) as image:
        image.convert("RGB").save(stream, format="JPEG", quality=85)
    return stream.getvalue()


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
