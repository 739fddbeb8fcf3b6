"""The report names grades as the user does, escapes names from files, and says what spoils the figures."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sabi.backbones.spec import BackboneSpec
from sabi.evaluation.metrics import HEADLINE, intervals, measure
from sabi.grades import Grades
from sabi.models.member import MemberSpec
from sabi.photographs import features as measuring
from sabi.photographs.partition import PARTITIONS
from sabi.report import page
from sabi.report.notes import what_to_note
from sabi.settings.evaluate import Bootstrap
from sabi.settings.loading import load
from sabi.settings.params import Params
from sabi.tables import MANIFEST, REJECTED, read_graded, write_graded, write_json, write_table
from sabi.tracking.values import by_plain_name, comparable
from sabi.training.frozen import head_spec
from tests.conftest import ROOT

NAMES = ("<b>不良", "so so", "good & bright")
COUNTS = {
    "accepted": 27,
    "rejected": 1,
    "drawings": 0,
    "without_specimen": 0,
    "first_without_specimen": None,
    "differ_by_case": [],
}


def params(**train) -> Params:
    values = load(ROOT / "params.yaml").model_dump()
    values["labels"] |= {"grades": list(NAMES), "sound": "so so"}
    values["binning"]["correction"] |= {"method": "measured", "above": "so so"}
    values["train"] |= train
    values["ensemble"]["members"] = ["densenet"]
    return Params.model_validate(values)


@pytest.mark.parametrize(
    ("worst_sound", "bad", "sound"),
    [(2, "grade a", "grade b or better"), (3, "grade b or worse", "grade c")],
)
def test_the_two_sides_of_the_border_in_words(worst_sound, bad, sound):
    rating = Grades(("a", "b", "c"), worst_sound)
    assert (page.bad(rating), page.sound(rating)) == (bad, sound)


@pytest.mark.parametrize(
    ("train", "summary", "said"),
    [
        ({"weights": "random"}, {}, ["random weights"]),
        ({"weights": "random"}, {"drawings": 1}, []),
        ({"weights": "imagenet"}, {}, []),
        ({"weights": "random", "mode": "scratch", "head": "dense"}, {}, []),
        (
            {"weights": "imagenet"},
            {"without_specimen": 26, "first_without_specimen": "1_a.jpg", "differ_by_case": [["A1", "a1"]]},
            ["26 of 27 photographs, the first 1_a.jpg", "such as A1 and a1"],
        ),
        ({"weights": "imagenet"}, {"without_specimen": 27}, ["split.specimen matches no name"]),
    ],
)
def test_what_spoils_the_figures_is_noted(train, summary, said):
    notes = what_to_note(params(**train), COUNTS | summary)
    assert len(notes) == len(said) and all(part in note for part, note in zip(said, notes, strict=True))


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    """What the stages before the report leave, of nine photographs a partition and one member."""
    folder = tmp_path_factory.mktemp("results")
    random = np.random.default_rng(4)
    rows = [
        (f"{part}{k}<i>.png", "", f"s{k}", 1 + k % 3, part, 1.0 + k % 3, None)
        for part in PARTITIONS
        for k in range(9)
    ]
    columns = ["path", "sha256", "specimen", "grade", "partition", "soft_score", "mm_per_pixel"]
    manifest = pd.DataFrame(rows, columns=columns)
    test = manifest[manifest.partition == "test"]
    # Two test photographs were moved by the correction: one rightly, one wrongly.
    predicted = test.grade.to_numpy().copy()
    predicted[1] = 3
    judged = pd.DataFrame({"path": test.path, "actual": test.grade, "predicted": predicted})
    judged["score"] = judged.predicted + 0.25
    moved = pd.DataFrame(
        {
            "path": ["test1<i>.png", "test2<i>.png", "validation0<i>.png"],
            "partition": ["test", "test", "validation"],
            "score": [2.5, 2.5, 2.5],
            "before": [2, 2, 2],
            "after": [3, 3, 3],
        }
    )
    rating = Grades(NAMES, 2)
    write_graded(manifest, rating, folder / MANIFEST)
    write_table(pd.DataFrame({"path": ["<u>.txt"], "reason": ["no photograph"]}), folder / REJECTED)
    write_graded(judged, rating, folder / "metrics/predictions.csv")
    planes = {f"{name}_{axis}": random.normal(size=27) for name in page.MAPS for axis in "xy"}
    write_graded(manifest[["grade"]].assign(**planes), rating, folder / "data/evaluate/projections.csv")
    write_json({"ensemble": [1.5, 2.5], "densenet": [1.5, 2.5]}, folder / "data/grades/thresholds.json")
    write_graded(moved, rating, folder / "data/grades/corrections.csv")
    write_json({"on": True, "reason": None}, folder / "data/grades/correction.json")
    write_graded(
        pd.DataFrame({"path": ["<s>.png", "b.png"], "score": [3.0, 2.9], "grade": [3, 3]}),
        rating,
        folder / "data/grades/unlabelled.csv",
    )
    write_table(pd.DataFrame([], columns=["path", "reason"]), folder / "data/grades/unlabelled_rejected.csv")
    measured = {name: random.random(27) for name in measuring.FEATURES}
    write_table(manifest[["path"]].assign(**measured), folder / "data/augment/measured.csv")
    Image.fromarray(random.integers(0, 256, (80, 90, 3), np.uint8)).save(folder / "data/augment/copies.png")
    np.save(folder / "data/augment/test.npy", random.integers(0, 256, (1, 9, 32, 32, 3), np.uint8))
    curve = pd.DataFrame({"step": range(3), "train_mae": [1, 0.5, 0.2], "validation_mae": [1, 0.6, 0.7]})
    write_table(curve, folder / "data/networks/densenet/curve.csv")
    chosen = params()
    trained = MemberSpec(
        backbone=BackboneSpec.of("densenet", chosen.train, 32),
        head=head_spec("densenet", 4, chosen),
        measured=False,
        parameters=5,
        best_step=1,
        key="0" * 64,
    )
    (folder / "data/networks/densenet/model.json").write_text(trained.model_dump_json())
    return folder


def rendered(folder: Path, monkeypatch, notes=()) -> str:
    monkeypatch.chdir(folder)
    chosen = params()
    judged = read_graded("metrics/predictions.csv", chosen.labels.rating)
    columns = [judged[name].to_numpy() for name in ("actual", "predicted", "score")]
    metrics = measure(*columns, chosen.labels.rating)
    bounds = intervals(
        *columns, np.arange(len(judged)), chosen.labels.rating, Bootstrap(resamples=100, seed=1)
    )
    both = dict.fromkeys(("ensemble", "densenet"), metrics)
    return page.render(chosen, both, dict.fromkeys(both, bounds), COUNTS, list(notes))


def test_the_page_has_names_notes_and_pictures_and_runs_nothing_from_a_name(results, monkeypatch):
    html = rendered(results, monkeypatch, ["first <note>", "second"])
    text = " ".join(re.sub(r"<[^>]*>", " ", html[html.index("<main>") :]).split())
    assert not re.search(r"<(b>不|i>|u>\.|s>\.|note)", html)
    assert "&lt;b&gt;不良 (worst), so so, good &amp; bright (best); the pictures number them from 1" in text
    assert html.count('<p class="caution">Note: ') == 2 and "first &lt;note&gt;" in html
    assert "sensitivity &lt;b&gt;不良|so so" in text
    assert "of grade &lt;b&gt;不良, share given grade &lt;b&gt;不良" in text
    assert "inspector so so , given good &amp; bright" in text
    moved = "threshold above grade so so moved 2 of the test photographs"
    assert f"{moved}: 1 to the inspector's grade, 1 away from it" in text
    assert "pictures 0 0 2" in text and "scores count them from 1:" in text
    assert "Area in rust colours by grade" in html and "Altered copies by grade" in html
    # Two of grades, five features, three maps, a curve, the sheet and a misgraded photograph; all inside.
    assert html.count("<img ") == html.count('src="data:image/') == 2 + 5 + 3 + 1 + 1 + 1


def test_a_misgraded_photograph_is_shown_with_its_score_on_the_scale_of_the_names(results, monkeypatch):
    monkeypatch.chdir(results)
    manifest = read_graded(MANIFEST, Grades(NAMES, 2))
    test = manifest[manifest.partition == "test"]
    judged = pd.DataFrame(
        {"path": test.path, "actual": test.grade, "predicted": 4 - test.grade, "score": 2.75}
    )
    first = page.worst_graded(judged, manifest, 1, Grades(("2", "3", "4"), 3))[0]
    assert (first["actual"], first["predicted"], first["score"]) == (1, 3, pytest.approx(3.75))


def test_a_correction_that_is_off_says_why(results, monkeypatch):
    file = results / "data/grades/correction.json"
    before = file.read_text()
    write_json({"on": False, "reason": "only 3 photographs"}, file)
    try:
        assert "The correction by measured features is off: only 3 photographs." in rendered(
            results, monkeypatch
        )
    finally:
        file.write_text(before)


@pytest.mark.parametrize(
    ("names", "recorded"), [(NAMES, "123"), ("234", "234"), ("12", "12"), (("1", "²"), "12")]
)
def test_recall_is_recorded_under_names_that_mlflow_takes_else_under_positions(names, recorded):
    values = {"photographs": 3, "recall": dict(zip(names, [0.5, None, 1.0], strict=False))}
    assert by_plain_name(values) == {
        "photographs": 3,
        "recall": dict(zip(recorded, [0.5, None, 1.0], strict=False)),
    }


def test_mlflow_gets_the_ensembles_bounds_and_number_of_weights():
    metrics = {who: {"accuracy": 0.5, "recall": {"a": 1.0}} for who in ("ensemble", "densenet")}
    bounds = {"ensemble": {name: [0.25, None] for name in HEADLINE}}
    seen = comparable(metrics, bounds, [10, 7])
    assert seen["ensemble"]["accuracy.low"] == 0.25 and seen["ensemble"]["accuracy.high"] is None
    assert seen["ensemble"]["parameters"] == 17 and seen["ensemble"]["recall"] == {"1": 1.0}
    assert seen["densenet"] == {"accuracy": 0.5, "recall": {"1": 1.0}}
