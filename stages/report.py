"""One page for an inspector, one record in MLflow: `python -m stages.report`."""

import base64
import io
from pathlib import Path

import jinja2
import numpy as np
import pandas as pd
from PIL import Image

from sabi.grades import Grades
from sabi.photographs import features as measuring
from sabi.photographs.partition import PARTITIONS
from sabi.report import figures
from sabi.report.contact_sheet import grade_labels
from sabi.settings.params import Params
from sabi.stage import run
from sabi.tables import MANIFEST, MEMBERS, REJECTED, flat, read_json, read_table
from sabi.tracking.results import record_result
from sabi.tracking.trainings import embeddings_reused

PAGE = Path("report.html")
TEMPLATE = Path("sabi/report/page.html.j2")
COPIES = Path("data/augment/copies.png")
MAPS = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}
METRICS = ("accuracy", "kappa", "mae", "within_one", "sensitivity", "specificity")


def main(params: Params) -> None:
    metrics = {"ensemble": read_json("metrics/ensemble.json"), **read_json("metrics/members.json")}
    intervals = read_json("data/evaluate/intervals.json")
    summary = read_json("data/split/summary.json")
    notes = what_to_note(params, summary)
    PAGE.write_text(render(params, metrics, intervals, summary, notes), encoding="utf-8")

    results = [MANIFEST, REJECTED, Path("data/grades/grades.csv"), Path("data/grades/unlabelled.csv")]
    results += [Path("metrics/ensemble.json"), Path("metrics/members.json")]
    models = {member: read_json(MEMBERS / member / "model.json") for member in params.ensemble.members}
    trained = {member: model["key"] for member, model in models.items()}
    compared = comparable(metrics, intervals, [model["parameters"] for model in models.values()])
    added = record_result(params, results, compared, trained, [PAGE])
    print_metrics(metrics, intervals, summary)
    for note in notes:
        print(f"note: {note}")
    if summary["rejected"]:
        print(f"note: {summary['rejected']} files of data/raw were not used; {REJECTED} says why")
    reused = embeddings_reused(trained.values())
    if reused:
        print("embeddings: {} of {} reused from the store".format(*reused))
    print("recorded in MLflow" if added else "this result is in MLflow already")
    print(f"report: {PAGE}")


def comparable(metrics: dict, intervals: dict, parameters: list[int]) -> dict:
    """`metrics` as MLflow's table is to show them, with the ensemble's 95 % bounds and number of weights."""
    values = {who: by_number(measured) for who, measured in metrics.items()}
    for name in METRICS:
        for bound, value in zip(("low", "high"), intervals["ensemble"][name], strict=True):
            values["ensemble"][f"{name}.{bound}"] = value
    values["ensemble"]["parameters"] = sum(parameters)
    return values


def by_number(metrics: dict) -> dict:
    """`metrics` with recall by the grades' numbers: MLflow takes only few characters."""
    recall = {str(number): value for number, value in enumerate(metrics["recall"].values(), start=1)}
    return metrics | {"recall": recall}


def what_to_note(params: Params, summary: dict) -> list[str]:
    """What makes the figures worse, or better, than they should be."""
    notes = []
    if params.train.weights == "random" and params.train.mode != "scratch" and not summary["drawings"]:
        notes.append(
            "the networks have random weights; photographs deserve pretrained ones (train.weights: imagenet)"
        )
    if summary["without_specimen"] == summary["accepted"]:
        notes.append(
            "split.specimen matches no name, so every photograph counts as a specimen of its own; if several "
            "show one piece of steel, test photographs are known from training and the figures are too good"
        )
    return notes


def render(params: Params, metrics: dict, intervals: dict, summary: dict, notes: list[str]) -> str:
    """The page: everything in one file, names from files escaped."""
    rating = params.grades
    manifest = read_table(MANIFEST)
    judged = read_table("metrics/predictions.csv")
    projections = read_table("data/evaluate/projections.csv")
    thresholds = read_json("data/grades/thresholds.json")["ensemble"]
    actual, predicted, scores = (judged[c].to_numpy() for c in ("actual", "predicted", "score"))
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        params=params,
        grades=rating.names,
        numbered=grade_labels(rating) != [*rating.names],
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
        confusion=base64_text(figures.confusion_matrix(actual, predicted, rating)),
        distributions=base64_text(figures.score_distributions(actual, scores, thresholds, rating)),
        curves={who: base64_text(curve(who)) for who in metrics if who != "ensemble"},
        maps={
            title: base64_text(figures.embedding_map(projections, name, rating))
            for name, title in MAPS.items()
        },
        thresholds=thresholds,
        corrected=corrected(manifest),
        worst=worst_graded(judged, manifest, params.report.worst),
        unlabelled=read_table("data/grades/unlabelled.csv").to_dict("records"),
        unlabelled_rejected=read_table("data/grades/unlabelled_rejected.csv").to_dict("records"),
        rejected=read_table(REJECTED).to_dict("records"),
        copies=base64_text(jpeg(COPIES)),
        measured={title: base64_text(png) for title, png in measured(manifest, rating).items()},
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
    folder = MEMBERS / member
    return figures.learning_curve(
        read_table(folder / "curve.csv"), read_json(folder / "model.json")["best_step"]
    )


def corrected(manifest: pd.DataFrame) -> dict:
    """How many test photographs the correction moved, and to what effect; or why it is off."""
    moved = read_table("data/grades/corrections.csv")
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
        for name in METRICS
    ]


def shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def worst_graded(judged: pd.DataFrame, manifest: pd.DataFrame, count: int) -> list[dict]:
    """Misgraded test photographs, farthest from the inspector's grade first, with pictures."""
    pixels = np.load("data/augment/test.npy", mmap_mode="r")[0]
    row_of = {path: row for row, path in enumerate(manifest.path[manifest.partition == "test"])}
    wrong = judged[judged.actual != judged.predicted]
    off = (wrong.score - wrong.actual).abs()
    order = off.sort_values(ascending=False, kind="stable").index[:count]
    photos = wrong.loc[order].to_dict("records")
    return [photo | {"png": base64_text(png(pixels[row_of[photo["path"]]]))} for photo in photos]


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


def base64_text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def print_metrics(metrics: dict, intervals: dict, summary: dict) -> None:
    """Print the main metrics as a table, with the ensemble's intervals."""
    what = "drawings, not steel" if summary["drawings"] else "photographs"
    print(f"\n{metrics['ensemble']['photographs']} test {what}")
    print(f"{'':24}" + "".join(f"{name:>13}" for name in METRICS))
    for who, values in metrics.items():
        print(f"{who:24}" + "".join(f"{shown(values[name]):>13}" for name in METRICS))
    bounds = ["{} to {}".format(*map(shown, intervals["ensemble"][name])) for name in METRICS]
    print(f"{'ensemble, 95 % interval':24}" + "".join(f"{bound:>13}" for bound in bounds))


if __name__ == "__main__":
    run(main)
