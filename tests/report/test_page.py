"""The report speaks of the steel first, in one language, and escapes the names that files and grades have."""

import re
from contextlib import chdir
from hashlib import sha256
from html import unescape
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sabi.backbones.spec import BackboneSpec
from sabi.evaluation import sets
from sabi.evaluation.metrics import HEADLINE, counts, intervals, measure
from sabi.grades import Grades
from sabi.grading.folder import COLUMNS
from sabi.models.member import MemberSpec
from sabi.photographs import features as measuring
from sabi.photographs.manifest import doubts
from sabi.photographs.partition import PARTITIONS
from sabi.report import graded, page
from sabi.report.colours import grade_colours, ink_on
from sabi.report.graded import MEASURED, SORTED, TABLE
from sabi.report.notes import what_to_note
from sabi.settings.evaluate import Bootstrap
from sabi.settings.loading import load
from sabi.settings.params import Params
from sabi.tables import MANIFEST, MEASUREMENTS, REJECTED, read_graded, write_graded, write_json, write_table
from sabi.tracking.values import by_plain_name, comparable
from sabi.training.frozen import head_spec
from sabi.words.texts import LANGUAGES, Language, texts
from tests.conftest import ROOT

NOT_GRADED = Path("data/grades/unlabelled_rejected.csv")
NAMES = ("<b>不良", "so so", "good & bright")
COUNTS = {
    "accepted": 27,
    "rejected": 1,
    "drawings": 0,
    "without_specimen": 0,
    "first_without_specimen": None,
    "differ_by_case": [],
    "no_numbers": {},
}


UNLABELLED = (
    ("2026-09-10_bridge<A>_spot1-1.jpg", 1.25, NAMES[0], NAMES[0], NAMES[1], "border", "train0<i>.png", 0.5),
    ("bridge<A>_spot1-2.jpg", 2.25, NAMES[1], NAMES[1], NAMES[1], "", "train1<i>.png", 0.7),
    ("2026-09-12_bridgeB_spot2-1.jpg", 1.2, NAMES[0], NAMES[0], NAMES[0], "", "train2<i>.png", 0.2),
    ("<s>.jpg", 3.0, NAMES[2], NAMES[2], NAMES[2], "dark unlike", "train3<i>.png", 2.5),
)


def params(language: str = "en", **train) -> Params:
    values = load(ROOT / "params.yaml").model_dump()
    values["labels"] |= {"grades": list(NAMES), "sound": "so so"}
    values["binning"]["correction"] |= {"method": "measured", "above": "so so"}
    values["train"] |= train
    values["ensemble"]["members"] = ["densenet"]
    values["split"]["specimen"] = "_(spot[0-9]+)-"
    values["report"] |= {"language": language, "bridge": "(bridge[^_]+)_"}
    return Params.model_validate(values)


@pytest.mark.parametrize(
    ("worst_sound", "bad", "sound"),
    [(2, "grade a", "grade b or better"), (3, "grade b or worse", "grade c")],
)
def test_the_two_sides_of_the_border_in_words(worst_sound, bad, sound):
    rating = Grades(("a", "b", "c"), worst_sound)
    assert (page.bad(rating, texts("en", "report")), page.sound(rating, texts("en", "report"))) == (
        bad,
        sound,
    )


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
    judged["low"], judged["high"], judged["look"] = judged.predicted, 3, ""
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
    write_table(pd.DataFrame({"path": ["<u>.txt"], "reason": ["empty file"]}), folder / REJECTED)
    write_graded(judged, rating, folder / "metrics/predictions.csv")
    planes = {f"{name}_{axis}": random.normal(size=27) for name in page.MAPS for axis in "xy"}
    write_graded(manifest[["grade"]].assign(**planes), rating, folder / "data/evaluate/projections.csv")
    surveyed = manifest[["path"]].assign(**{"<i>um $x": np.arange(27.0), "1 $": np.nan})
    surveyed.loc[3, "1 $"] = 7
    write_table(surveyed, folder / MEASUREMENTS)
    (folder / page.WHY).mkdir(parents=True)
    Image.fromarray(random.integers(0, 256, (32, 32, 3), np.uint8)).save(folder / page.WHY / "1.png")
    write_table(
        pd.DataFrame({"path": ["test1<i>.png"], "file": ["1.png"]}), folder / page.WHY / "photographs.csv"
    )
    write_table(pd.DataFrame({"path": [UNLABELLED[1][0]], "<i>um $x": [312.5]}), folder / MEASURED)
    scores = manifest.assign(score=manifest.grade + 0.25)
    write_graded(scores[["path", "partition", "score", "grade"]], rating, folder / "data/grades/grades.csv")
    write_json({"ensemble": [1.5, 2.5], "densenet": [1.5, 2.5]}, folder / "data/grades/thresholds.json")
    write_graded(moved, rating, folder / "data/grades/corrections.csv")
    write_json({"on": True, "reason": None}, folder / "data/grades/correction.json")
    write_table(pd.DataFrame(UNLABELLED, columns=COLUMNS), folder / TABLE)
    for path, _, grade, *_ in UNLABELLED:
        file = folder / SORTED / f"score{grade}" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (40, 60, 3), np.uint8)).save(file)
    write_table(pd.DataFrame({"path": ["<v>"], "reason": ["empty file"]}), folder / NOT_GRADED)
    (folder / "data/raw.dvc").write_text("outs:\n- md5: 0123abc.dir\n  path: raw\n")
    (folder / "data/model").mkdir()
    (folder / "data/model/SHA256SUMS").write_text("")
    measured = {name: random.random(27) for name in measuring.FEATURES}
    write_table(manifest[["path"]].assign(**measured), folder / "data/augment/measured.csv")
    Image.fromarray(random.integers(0, 256, (80, 90, 3), np.uint8)).save(folder / "data/augment/copies.png")
    for part in PARTITIONS:
        np.save(folder / f"data/augment/{part}.npy", random.integers(0, 256, (1, 9, 32, 32, 3), np.uint8))
    curve = pd.DataFrame({"step": range(3), "train_mae": [1, 0.5, 0.2], "validation_mae": [1, 0.6, 0.7]})
    write_table(curve, folder / "data/networks/densenet/curve.csv")
    agreed = {"photographs": 9, "shared": 8, "kappa": 0.75, "tested": 0, "model": None}
    write_json({"alpha": 0.5, "inspectors": {"<mori>": agreed}}, folder / "data/evaluate/agreement.json")
    audited = manifest[["path", "partition", "specimen", "grade"]].assign(score=2.25, apart=0.25)
    audited.loc[0, ["score", "apart"]] = 2.75, 1.75
    write_graded(audited, rating, folder / "data/evaluate/doubtful_labels.csv")
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


@pytest.fixture(scope="module")
def pages(results) -> dict[str, str]:
    """The page with two notes in each language."""
    notes = {"en": ["first <note>", "second"], "ja": [doubts(COUNTS | {"without_specimen": 27})[0], "<2>"]}
    return {language: rendered(results, notes[language], language) for language in LANGUAGES}


def rendered(folder: Path, notes=(), language: Language = "en") -> str:
    with chdir(folder):
        return rendered_here(notes, language)


def rendered_here(notes, language: Language) -> str:
    chosen = params(language)
    judged = read_graded("metrics/predictions.csv", chosen.labels.rating)
    columns = [judged[name].to_numpy() for name in ("actual", "predicted", "score")]
    rating, bootstrap, each = chosen.labels.rating, Bootstrap(resamples=100, seed=1), np.arange(len(judged))
    metrics = measure(*columns, rating) | sets.measure(judged, rating)
    metrics["counts"] = counts(*columns[:2], each, rating)
    bounds = intervals(*columns, each, rating, bootstrap)
    bounds |= sets.intervals(judged.assign(specimen=each), rating, bootstrap)
    both = dict.fromkeys(("ensemble", "densenet"), metrics)
    return page.render(chosen, both, dict.fromkeys(both, bounds), COUNTS, list(notes))


def test_what_the_survey_measured_stands_beside_grades_and_scores(pages):
    text = plain(pages["en"])
    assert "What else the survey measured" in text
    assert "median <i>um $x" in text and " 312.5 " in text
    assert "<i>um $x against the score, of 18 photographs: rank correlation 0.16" in text
    assert "1 $ by grade, medians: grade <b>不良 7" in text
    assert "1 $ against the score" not in text  # none was held out
    assert "調査で計測されたその他の値" in pages["ja"] and "順位相関係数 0.16" in pages["ja"]


def test_the_page_has_names_notes_and_pictures_and_runs_nothing_from_a_name(pages):
    html = pages["en"]
    text = " ".join(re.sub(r"<[^>]*>", " ", html[html.index("<main>") :]).split())
    assert not re.search(r"<(b>不|i>|u>\.|s>\.|v>|A>|note)", html)
    assert "&lt;b&gt;不良 (worst), so so, good &amp; bright (best); the pictures number them from 1" in text
    assert html.count('<p class="caution">Note: ') == 2 and "first &lt;note&gt;" in html
    assert "sensitivity &lt;b&gt;不良|so so" in text
    found = "of grade &lt;b&gt;不良, share given grade &lt;b&gt;不良: 3 of 3, of 3 specimens"
    assert found in text and "promised: 0.9; a set has 1.89 grades on average" in text
    assert "inspector so so given good &amp; bright score 3.25" in text
    moved = "threshold above grade so so moved 2 of the test photographs"
    assert f"{moved}: 1 to the inspector's grade, 1 away from it" in plain(html)
    assert "pictures 2 1 1" in text and "scores count them from 1:" in text
    assert (
        'alt="Area in rust colours by grade, medians: grade &lt;b&gt;不良 0.' in html
        and "Altered copies by grade" in html
    )
    # Four graded, an unlike one beside the nearest, two of grades, five features, three maps, a curve, the
    # sheet, a misgraded one with a map, a doubtful label, three of what the survey measured; all inside.
    assert html.count("<img ") == html.count('src="data:image/') == 4 + 2 + 2 + 5 + 3 + 1 + 1 + 2 + 1 + 3
    assert all(re.search('alt="[^"]{8,}"', image) for image in re.findall("<img [^>]*>", html))
    assert not re.search(r"""(src|href)=["'](?!data:|#)|url\(|@import|<script|<link""", html)


def plain(html: str) -> str:
    """What is read on a page, its pictures' texts too."""
    html = re.sub('<img [^>]*alt="([^"]*)">', r" \1 ", html[html.index("<main>") :])
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def test_the_steel_comes_first_then_the_models_quality(pages):
    html = pages["en"]
    places = re.findall('<h2 id="([a-z]+)">', html)
    assert places == [
        "graded",
        "quality",
        "members",
        "differ",
        "worst",
        "labels",
        "training",
        "data",
        "parameters",
    ]
    assert re.findall('<a href="#([a-z]+)">', html) == places
    text = plain(html)
    assert "2 to act on" in text and "0 to watch" in text and "2 sound" in text
    # Worst first: by grade, then by score.
    shown = re.findall('<figure data-name="([^"]*)"', html)
    assert [name[:10] for name in shown] == ["2026-09-12", "2026-09-10", "bridge&lt;", "&lt;s&gt;."]
    assert "<b>不良 score 1.20 · act 2026-09-12_bridgeB_spot2-1.jpg" in text
    colour = grade_colours(3)[0]
    assert html.count(f'style="background: {colour}; color: {ink_on(colour)}">&lt;b&gt;不良<') >= 2
    assert "<v> empty file" in text


def test_sums_by_bridge_and_specimen(pages):
    text = plain(pages["en"])
    assert "bridgeB <b>不良 1.20 100 % 1 1 0 0 – bridge<A> <b>不良 1.75 50 % 2 1 0 1 312.5" in text
    assert "spot2 <b>不良 1.20 100 % 1 1 0 0 – spot1 <b>不良 1.75 50 % 2 1 0 1 312.5" in text
    assert "share of <b>不良 or worse" in text


def test_what_is_doubted_is_said_at_the_photograph_and_unlike_ones_stand_beside_the_nearest_known(pages):
    text = plain(pages["en"])
    assert "may be <b>不良 to so so Look at it: may be sound or not 2026-09-10_bridge<A>_spot1-1.jpg" in text
    assert "Look at it: too dark; unlike the training photographs <s>.jpg" in text
    assert "To look at yourself before you trust the grade: 2." in text
    unlike = text[text.index("Beside each the training photograph") :]
    assert "good & bright <s>.jpg nearest known: train3<i>.png" in unlike
    assert "nearest known: train0" not in text


def test_a_grade_worth_another_look_is_shown_with_its_score(pages):
    text = plain(pages["en"])
    assert "Krippendorff's alpha for ordinal grades is 0.50" in text and "<mori> 9 0.75 of 8 – of 0" in text
    looked = text[text.index("either may be wrong") :]
    assert "inspector <b>不良 score 2.75 train0<i>.png Training Error" in looked


def test_the_foot_names_the_data_and_the_model_but_no_day_of_today(pages):
    html = pages["en"]
    foot = plain("<main>" + html[html.index("<footer>") :])
    assert foot == (
        "Newest photograph: 2026-09-12. Data (MD5): data/raw 0123abc.dir "
        f"Model (SHA-256): {sha256(b'').hexdigest()} sabi {version('sabi')}"
    )


def test_where_nothing_was_graded_one_sentence_says_so(results):
    before = {file: (results / file).read_bytes() for file in (TABLE, NOT_GRADED)}
    for file in before:
        (results / file).write_bytes(before[file].splitlines(keepends=True)[0])
    try:
        text = plain(rendered(results))
    finally:
        for file, content in before.items():
            (results / file).write_bytes(content)
    nothing = "What was graded Nothing was graded: there are no photographs in data/unlabelled. How far"
    assert nothing in text and "to act on" not in text


def test_only_the_worst_have_pictures_and_the_rest_is_counted(results, monkeypatch):
    monkeypatch.setattr(graded, "MOST", 3)
    html = rendered(results)
    assert html.count("<figure data-name=") == 3
    assert "The 1 best have no picture here" in html


def test_a_page_in_japanese_has_no_english_but_names_and_parameters(pages):
    html = pages["ja"]
    assert '<html lang="ja">' in html
    text = plain(html[: html.index("<details")] + html[html.index("</details>") :])
    for known in (*NAMES, *(path for path, *_ in UNLABELLED), "t-SNE"):
        text = text.replace(known, "")
    # Two words of two letters or more that follow each other would be a sentence's.
    assert re.findall("[A-Za-z]{2,},? +[A-Za-z]{2,}[A-Za-z ]*", text) == []
    for words in (
        "要対処",
        "要観察",
        "異常なし",
        "橋梁別",
        "部位別",
        "評点",
        "空のファイルです",
        "注記：split.specimen",
    ):
        assert words in text
    english = texts("en", "report")
    for key, said in texts("ja", "report").items():
        assert said != english[key], key


@pytest.mark.slow
def test_the_same_results_give_the_same_page_in_each_language(results, pages):
    for language in LANGUAGES:
        html = rendered(results, (), language)
        notes = re.findall('<p class="caution">Note.*\n|<p class="caution">注記.*\n', pages[language])
        assert len(notes) == 2 and pages[language].replace("".join(notes), "") == html
        assert str(results) not in html


def test_wide_tables_say_that_they_scroll_and_their_heads_what_they_head(pages):
    html = pages["en"]
    assert all('scope="' in head for head in re.findall("<th[ >][^>]*>", html))
    assert html.count("<table>") == len(re.findall('<div class="wide[^>]*tabindex="0"[^>]*><table>', html))
    assert html.count('class="scrolls') == 4


def test_a_misgraded_photograph_is_shown_with_its_score_on_the_scale_of_the_names(results, monkeypatch):
    monkeypatch.chdir(results)
    manifest = read_graded(MANIFEST, Grades(NAMES, 2))
    test = manifest[manifest.partition == "test"]
    judged = pd.DataFrame(
        {"path": test.path, "actual": test.grade, "predicted": 4 - test.grade, "score": 2.75}
    )
    first = page.worst_graded(judged, manifest, 1, Grades(("2", "3", "4"), 3))[0]
    assert (first["actual"], first["predicted"], first["score"]) == (1, 3, pytest.approx(3.75))


@pytest.mark.slow
def test_a_correction_that_is_off_says_why(results):
    file = results / "data/grades/correction.json"
    before = file.read_text()
    reason = "all 3 validation photographs near the threshold are of one specimen"
    write_json({"on": False, "reason": reason}, file)
    try:
        off = f"The correction by measured features is off: {reason}."
        assert off in rendered(results)
        japanese = rendered(results, language="ja")
        assert (
            "しきい値に近い検証用の写真3枚が、すべて同じ部位のものです" in japanese and reason not in japanese
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
