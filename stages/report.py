"""One page for an inspector, one record in MLflow: `python -m stages.report`."""

import base64
import io
from pathlib import Path

import jinja2
import numpy as np
import pandas as pd
from PIL import Image

from sabi import figures, tracking
from sabi.grades import GRADES
from sabi.handover import MANIFEST, REJECTED, read_json, read_table
from sabi.params import Params
from sabi.partition import PARTITIONS
from sabi.stage import run

PAGE = Path("report.html")
TEMPLATE = Path("sabi/report.html.j2")
MAPS = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}
CARDS = (
    ("accuracy", "Accuracy", "share given exactly the inspector's grade"),
    ("kappa", "Quadratic weighted kappa", "agreement beyond chance: 1 perfect, 0 chance"),
    ("mae", "Mean error of the score", "grades between score and inspector"),
    ("within_one", "Within one grade", "share off by at most one grade"),
    ("sensitivity", "Bad rust found", "of grade 2 or worse, share given 2 or worse"),
    ("specificity", "Sound steel left alone", "of grade 3 or better, share given 3 or better"),
)


def main(params: Params) -> None:
    networks = list(params.networks.model_dump())
    metrics = {who: read_json(f"metrics/{who}.json") for who in ("ensemble", *networks)}
    intervals = read_json("data/evaluate/intervals.json")
    summary = read_json("data/split/summary.json")
    page = render(params, metrics, intervals, summary)
    PAGE.write_text(page, encoding="utf-8")

    results = [MANIFEST, REJECTED, Path("data/grades/grades.csv"), Path("data/grades/unlabelled.csv")]
    results += [Path(f"metrics/{who}.json") for who in metrics]
    added = tracking.record_result(params, results, metrics, [PAGE])
    tell(metrics, intervals, summary)
    if not summary["drawings"] and any(
        n["weights"] == "random" for n in params.networks.model_dump().values()
    ):
        print("note: with random weights; photographs deserve networks.<name>.weights: imagenet")
    if summary["rejected"]:
        print(f"note: {summary['rejected']} files of data/raw were not used; {REJECTED} says why")
    print("recorded in MLflow" if added else "this result is in MLflow already")
    print(f"report: {PAGE}")


def render(params: Params, metrics: dict, intervals: dict, summary: dict) -> str:
    """The page: everything in one file, names from files escaped."""
    manifest = read_table(MANIFEST)
    judged = read_table("data/evaluate/predictions.csv")
    projections = read_table("data/evaluate/projections.csv")
    members = [name for name in metrics if name != "ensemble"]
    curves = {name: read_table(f"data/members/{name}/curve.csv") for name in members}
    best = {name: read_json(f"metrics/train/{name}.json")["best_step"] for name in members}
    thresholds = read_json("data/grades/thresholds.json")["ensemble"]
    actual, predicted, scores = (judged[c].to_numpy() for c in ("actual", "predicted", "score"))
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        params=params,
        metrics={who: dict(tracking.flat(values)) for who, values in metrics.items()},
        intervals=intervals,
        summary=summary,
        noun="drawings" if summary["drawings"] == summary["accepted"] else "photographs",
        counts=manifest.partition.value_counts().to_dict(),
        test_specimens=manifest.specimen[manifest.partition == "test"].nunique(),
        cards=cards(metrics["ensemble"], intervals["ensemble"]),
        confusion=base64_text(figures.confusion_matrix(actual, predicted)),
        distributions=base64_text(figures.score_distributions(actual, scores, thresholds)),
        curves={
            name: base64_text(figures.learning_curve(curve, best[name])) for name, curve in curves.items()
        },
        maps={title: base64_text(figures.embedding_map(projections, name)) for name, title in MAPS.items()},
        thresholds=thresholds,
        worst=worst_graded(judged, manifest, params.report.worst),
        unlabelled=read_table("data/grades/unlabelled.csv").to_dict("records"),
        unlabelled_rejected=read_table("data/grades/unlabelled_rejected.csv").to_dict("records"),
        rejected=read_table(REJECTED).to_dict("records"),
        table=counts_table(manifest),
        parameters=list(tracking.flat(params.model_dump())),
    )


def cards(metrics: dict, intervals: dict) -> list[dict]:
    """The ensemble's main metrics, ready to print."""
    return [
        {
            "title": title,
            "meaning": meaning,
            "value": shown(metrics[name]),
            "low": shown(intervals[name][0]),
            "high": shown(intervals[name][1]),
        }
        for name, title, meaning in CARDS
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


def counts_table(manifest: pd.DataFrame) -> dict[str, list[str]]:
    """Photographs and specimens by partition and grade."""
    table = {}
    for part in PARTITIONS:
        rows = [manifest[(manifest.partition == part) & (manifest.grade == grade)] for grade in GRADES]
        table[part] = [f"{len(row)} ({row.specimen.nunique()})" for row in rows]
    return table


def png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    return stream.getvalue()


def base64_text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def tell(metrics: dict, intervals: dict, summary: dict) -> None:
    """Print the main metrics as a table, with the ensemble's intervals."""
    names = [name for name, _, _ in CARDS]
    what = "drawings, not steel" if summary["drawings"] else "photographs"
    print(f"\n{metrics['ensemble']['photographs']} test {what}")
    print(f"{'':24}" + "".join(f"{name:>13}" for name in names))
    for who, values in metrics.items():
        print(f"{who:24}" + "".join(f"{shown(values[name]):>13}" for name in names))
    bounds = ["{} to {}".format(*map(shown, intervals["ensemble"][name])) for name in names]
    print(f"{'ensemble, 95 % interval':24}" + "".join(f"{bound:>13}" for bound in bounds))


if __name__ == "__main__":
    run(main)
