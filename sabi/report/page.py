"""The report: one page for an inspector, everything in one file."""

import io
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from sabi.evaluation.metrics import headline
from sabi.grades import LOWEST, Grades
from sabi.grading.held_out import misgraded
from sabi.models.member import MemberSpec
from sabi.names import as_number
from sabi.photographs import features as measuring
from sabi.photographs.partition import PARTITIONS
from sabi.report import alternatives, figures
from sabi.report.colours import grade_colours, ink_on
from sabi.report.console import shown
from sabi.report.grade_labels import grade_labels
from sabi.report.graded import graded_photographs, most_unlike, origin, pictures_of, summed_up
from sabi.report.pictures import as_trained, base64_of
from sabi.report.templates import template
from sabi.settings.params import Params
from sabi.tables import (
    MANIFEST,
    MEASUREMENTS,
    REJECTED,
    TRAINED,
    flat,
    read_graded,
    read_json,
    read_measurements,
    read_table,
)
from sabi.words.texts import Language, texts, translated

TEMPLATE = Path(__file__).with_name("page.html.j2")
WHY = Path("data/grades/why")
COPIES = Path("data/augment/copies.png")
MAPS = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}
COLUMNS = ("accuracy", "kappa", "mae", "mae_grade", "within_one", "macro_f1", "sensitivity", "specificity")


def render(params: Params, metrics: dict, intervals: dict, summary: dict, notes: list[str]) -> str:
    """The page: everything in one file, names from files escaped."""
    rating, language = params.labels.rating, params.report.language
    said = texts(language, "report")
    noun = said["noun_drawings" if summary["drawings"] == summary["accepted"] else "noun_photographs"]
    manifest = read_graded(MANIFEST, rating)
    unlabelled = graded_photographs(params)
    hashes, model = origin()
    return template(TEMPLATE).render(
        t=said,
        language=language,
        params=params,
        noun=noun,
        grades=rating.names,
        colours={
            name: (colour, ink_on(colour))
            for name, colour in zip(rating.names, grade_colours(len(rating.names)), strict=True)
        },
        ends=(f"{rating.shown([LOWEST])[0]:g}", f"{rating.shown([rating.highest])[0]:g}"),
        not_sound=rating.names[rating.worst_sound - 2],
        border=rating.border,
        bad=bad(rating, said),
        sound=sound(rating, said),
        summary=summary,
        notes=[translated(note, language) for note in notes],
        graded=len(unlabelled),
        **summed_up(unlabelled, rating),
        photos=[row | {"picture": base64_of(picture)} for row, picture in pictures_of(unlabelled)],
        unlike=[
            row | {name: base64_of(row[name]) for name in ("picture", "known")}
            for row in most_unlike(unlabelled, manifest)
        ],
        by_grade=[int((unlabelled.grade == name).sum()) for name in rating.names],
        not_graded=told(read_table("data/grades/unlabelled_rejected.csv"), language),
        of_what=of_what(manifest, summary, params, said | {"noun": noun}),
        metrics={who: dict(flat(values)) for who, values in metrics.items()},
        intervals=intervals,
        columns=COLUMNS,
        cards=cards(metrics["ensemble"], intervals["ensemble"], params, said),
        **judged_pictures(manifest, params, said),
        corrected=corrected(manifest, rating, language),
        curves={who: curve(who, said) for who in metrics if who != "ensemble"},
        agreed=read_json("data/evaluate/agreement.json"),
        doubtful=doubtful(manifest, params.report.worst, rating),
        **pictures_of_data(manifest, params, said, noun),
        table=counts_table(manifest, rating, said),
        rejected=told(read_table(REJECTED), language),
        parameters=list(flat(params.model_dump())),
        hashes=hashes,
        model=model,
        version=version("sabi"),
    )


def told(rejected: pd.DataFrame, language: Language) -> list[dict[str, str]]:
    """Rows with path and reason, the reason in a language."""
    return [row | {"reason": translated(row["reason"], language)} for row in rejected.to_dict("records")]


def bad(rating: Grades, said: dict[str, str]) -> str:
    """The grades that are not sound, in words."""
    border = rating.worst_sound - 1
    return said["border_worse" if border > 1 else "border_grade"].format(grade=rating.names[border - 1])


def sound(rating: Grades, said: dict[str, str]) -> str:
    """The sound grades, in words."""
    border = rating.worst_sound
    one = border == len(rating.names)
    return said["border_grade" if one else "border_better"].format(grade=rating.names[border - 1])


def of_what(manifest: pd.DataFrame, summary: dict, params: Params, said: dict[str, str]) -> str:
    """Of which photographs the figures are, and what scored them; `said` has the noun for them, too."""
    rating = params.labels.rating
    first, *others, last = rating.names
    ends = said["worst_name"].format(grade=first), said["best_name"].format(grade=last)
    names = said["between_names"].join([ends[0], *others, ends[1]])
    if grade_labels(rating) != [*rating.names]:
        names += said["numbered"]
    if any(as_number(name) != score for name, score in zip(rating.names, rating.scale, strict=True)):
        names += said["counted"]
    counts = {part: int((manifest.partition == part).sum()) for part in PARTITIONS}
    return said["of_what"].format(
        accepted=summary["accepted"],
        noun=said["noun"],
        grades=names,
        specimens=manifest.specimen[manifest.partition == "test"].nunique(),
        method=said[f"method_{params.ensemble.method}"],
        members=said["between_names"].join(params.ensemble.members),
        **counts,
    )


def judged_pictures(manifest: pd.DataFrame, params: Params, said: dict[str, str]) -> dict[str, Any]:
    """How the test photographs were judged: `confusion` and `distributions`, each a picture and its text,
    `thresholds` (a text) on the scale of the names, and the `worst` graded."""
    rating = params.labels.rating
    judged = read_graded("metrics/predictions.csv", rating)
    thresholds = read_json("data/grades/thresholds.json")["ensemble"]
    actual, predicted = judged.actual.to_numpy(), judged.predicted.to_numpy()
    scores = rating.shown(judged.score.to_numpy())
    return {
        "confusion": (
            base64_of(figures.confusion_matrix(actual, predicted, rating, said)),
            alternatives.of_confusion(actual, predicted, rating, said),
        ),
        "distributions": (
            base64_of(figures.score_distributions(actual, scores, thresholds, rating, said)),
            alternatives.of_scores(actual, scores, rating, said),
        ),
        "thresholds": ", ".join(f"{threshold:.3f}" for threshold in thresholds),
        "worst": worst_graded(judged, manifest, params.report.worst, rating),
    }


def pictures_of_data(
    manifest: pd.DataFrame, params: Params, said: dict[str, str], noun: str
) -> dict[str, Any]:
    """The sheet of `copies`, and the `maps` and the `measured` features, by title a picture and its text."""
    rating = params.labels.rating
    projections = read_graded("data/evaluate/projections.csv", rating)
    return {
        "copies": base64_of(jpeg(COPIES)),
        "maps": {
            MAPS[name]: (
                base64_of(figures.embedding_map(projections, name, rating, said)),
                said["map_alt"].format(name=MAPS[name], count=len(projections), noun=noun),
            )
            for name in params.evaluate.projection.methods
        },
        "measured": measured(manifest, rating, said, params.report.language),
        "surveyed": surveyed(manifest, rating, said),
    }


def curve(member: str, said: dict[str, str]) -> tuple[str, str]:
    """The learning curve of a member, and its text."""
    folder = TRAINED / member
    steps, best = read_table(folder / "curve.csv"), MemberSpec.read(folder).best_step
    return (
        base64_of(figures.learning_curve(steps, best, said)),
        alternatives.of_curve(member, steps, best, said),
    )


def corrected(manifest: pd.DataFrame, rating: Grades, language: Language) -> dict:
    """How many test photographs the correction moved, and to what effect; or why it is off."""
    moved = read_graded("data/grades/corrections.csv", rating)
    moved = moved[moved.partition == "test"].merge(manifest[["path", "grade"]], on="path")
    reason = read_json("data/grades/correction.json")["reason"]
    return {
        "off": reason and translated(reason, language),
        "moved": len(moved),
        "right": int((moved.after == moved.grade).sum()),
        "wrong": int((moved.before == moved.grade).sum()),
    }


def measured(
    manifest: pd.DataFrame, rating: Grades, said: dict[str, str], language: Language
) -> dict[str, tuple[str, str]]:
    """A picture of each measured feature by grade and its text, by the feature's title."""
    table = manifest[["path", "grade"]].merge(read_table("data/augment/measured.csv"), on="path")
    described = measuring.describe(measuring.in_millimetres(manifest))
    pictures = {}
    for feature in measuring.FEATURES:
        title, unit = (translated(text, language) for text in described[feature])
        axis_title = f"{title}{said['between_names']}{unit}" if unit else title
        values, actual = table[feature].to_numpy(float), table.grade.to_numpy()
        pictures[title] = (
            base64_of(figures.feature_by_grade(values, actual, axis_title, rating, said)),
            alternatives.of_feature(title, values, actual, rating, said),
        )
    return pictures


def surveyed(
    manifest: pd.DataFrame, rating: Grades, said: dict[str, str]
) -> dict[str, list[tuple[str, str]]]:
    """By measurement of the survey, pictures of it against grade and held-out score, each with its text."""
    table = manifest[["path", "grade"]].merge(read_measurements(MEASUREMENTS), on="path")
    scores = read_graded("data/grades/grades.csv", rating)
    scores = scores[scores.partition != "train"].set_index("path").score
    pictures = {}
    for name in table.columns[2:]:
        known = table[table[name].notna()]
        values, actual = known[name].to_numpy(), known.grade.to_numpy()
        by_grade = figures.feature_by_grade(values, actual, name, rating, said)
        pictures[name] = [(base64_of(by_grade), alternatives.of_feature(name, values, actual, rating, said))]
        held_out = known[known.path.isin(scores.index)]
        if len(held_out):
            columns = held_out.assign(score=rating.shown(scores[held_out.path].to_numpy()))
            pictures[name].append(
                (
                    base64_of(figures.against_score(columns, name, rating, said)),
                    alternatives.of_ranks(columns[name], columns.score, name, said),
                )
            )
    return pictures


def cards(metrics: dict, intervals: dict, params: Params, said: dict[str, str]) -> list[dict]:
    """The ensemble's main metrics, ready to print."""
    rating, counts = params.labels.rating, metrics["counts"]
    found = said["found_of"]
    meanings = {
        "sensitivity": said["means_side"].format(side=bad(rating, said))
        + found.format(there=counts["bad_found"], all=counts["bad"], specimens=counts["bad_specimens"]),
        "specificity": said["means_side"].format(side=sound(rating, said))
        + found.format(there=counts["sound_kept"], all=counts["sound"], specimens=counts["sound_specimens"]),
        "coverage": said["means_coverage"].format(
            promised=f"{params.evaluate.confidence:g}",
            size=shown(metrics["set_size"]),
            look=f"{100 * metrics['look']:.0f}",
        ),
    }
    cards = []
    for name in [*headline(metrics), "coverage"]:
        low, high = map(shown, intervals[name])
        meaning = meanings.get(name) or said[f"means_{name}"]
        cards.append(
            {
                "title": said[f"card_{name}"],
                "meaning": meaning,
                "value": shown(metrics[name]),
                "interval": said["in_95"].format(bounds=said["bounds"].format(low=low, high=high)),
            }
        )
    return cards


def worst_graded(judged: pd.DataFrame, manifest: pd.DataFrame, count: int, rating: Grades) -> list[dict]:
    """Misgraded test photographs, farthest from the inspector's grade first, with pictures.

    Their scores are on the scale of the names; of some it is shown what pulls these down.
    """
    picture = as_trained(manifest)
    farthest = misgraded(judged)[:count]
    why = dict(read_table(WHY / "photographs.csv").to_numpy())
    photos = farthest.assign(score=rating.shown(farthest.score.to_numpy())).to_dict("records")
    return [
        photo
        | {
            "png": base64_of(png(picture(photo["path"]))),
            "why": base64_of((WHY / why[photo["path"]]).read_bytes()) if photo["path"] in why else None,
        }
        for photo in photos
    ]


def doubtful(manifest: pd.DataFrame, count: int, rating: Grades) -> list[dict]:
    """Photographs whose inspector's grade deserves another look, the most doubtful first, with pictures.

    Those whose score is nearer to another grade; scores are on the scale of the names.
    """
    table = read_graded("data/evaluate/doubtful_labels.csv", rating)
    table = table[table.apart > 0.5][:count]
    picture = as_trained(manifest)
    photos = table.assign(score=rating.shown(table.score.to_numpy())).to_dict("records")
    return [photo | {"png": base64_of(png(picture(photo["path"])))} for photo in photos]


def counts_table(manifest: pd.DataFrame, rating: Grades, said: dict[str, str]) -> dict[str, list[str]]:
    """Photographs and specimens by partition and grade."""
    table = {}
    for part in PARTITIONS:
        mine = manifest[manifest.partition == part]
        rows = [mine[mine.grade == grade] for grade in rating.numbers]
        table[said[f"part_{part}"]] = [f"{len(row)} ({row.specimen.nunique()})" for row in rows]
    return table


def png(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, format="PNG")
    return stream.getvalue()


def jpeg(file: Path) -> bytes:
    """A picture of photographs in a fifth of the bytes, for a page that is mailed."""
    stream = io.BytesIO()
    with Image.open(file) as image:
        image.convert("RGB").save(stream, format="JPEG", quality=85)
    return stream.getvalue()
