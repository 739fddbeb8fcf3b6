"""Scores to grades: the tuned thresholds are the best there are; the stage applies them and corrects."""

from fractions import Fraction
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.metrics import cohen_kappa_score

from sabi.grading.thresholds import middles, to_grades, tune_thresholds
from sabi.models import member as members
from sabi.photographs.drawings import draw_ungraded
from sabi.photographs.features import FEATURES
from sabi.settings.params import Params
from sabi.tables import read_json, read_table, write_json, write_table
from stages import binning as stage
from tests.conftest import ROOT

GRADES = (1, 2, 3, 4, 5)
WIKI = [2.3, 3.1, 3.4, 3.7]

grade = st.sampled_from(GRADES)
ascending = st.lists(st.floats(1, 5), min_size=4, max_size=4).map(sorted)


def spaced(count=5):
    """Thousandths, so that they are well apart; few of them, so that some are equal."""
    common = [common for common in (1.0, 2.0, 2.5, 3.0, 4.0) if common < count]
    return st.integers(1000, 1000 * count - 1).map(lambda i: i / 1000) | st.sampled_from(common)


def anywhere(count=5):
    return st.floats(1, count)


def photographs(scores, count=5, largest=9):
    """Lists of (score, grade) of at least two of `count` grades."""
    pairs = st.lists(st.tuples(scores, st.integers(1, count)), min_size=2, max_size=largest)
    return pairs.filter(lambda rows: len({grade for _, grade in rows}) > 1)


def of_any_rating(scores):
    """A number of grades, and photographs of so many; fewer where there are many ways to cut."""
    sizes = {2: 9, 3: 9, 4: 9, 5: 8, 6: 6, 8: 4}
    return st.sampled_from(list(sizes)).flatmap(
        lambda count: st.tuples(st.just(count), photographs(scores(count), count, sizes[count]))
    )


def columns(rows) -> tuple[np.ndarray, np.ndarray]:
    scores, grades = zip(*rows, strict=True)
    return np.array(scores), np.array(grades)


def kappa(predicted, grades) -> float:
    # More labels than grades change nothing; fewer would be taken for neighbours.
    return cohen_kappa_score(grades, predicted, weights="quadratic", labels=range(1, 10))


def every_prediction(scores, count) -> np.ndarray:
    """Grades (placements, n) of all ways to place ascending cuts between distinct scores."""
    levels, level_of = np.unique(scores, return_inverse=True)
    cuts = np.array(list(combinations_with_replacement(range(len(levels) + 1), count - 1)))
    return 1 + (cuts[:, :, None] <= level_of).sum(axis=1)


def every_kappa(predictions, grades) -> list[Fraction]:
    """Exact quadratic kappa of each row of `predictions`, from its definition over pairs."""
    observed = ((predictions - grades) ** 2).sum(axis=1)
    chance = ((predictions[:, :, None] - grades) ** 2).sum(axis=(1, 2))
    n = len(grades)
    return [1 - Fraction(n * int(o), int(c)) for o, c in zip(observed, chance, strict=True)]


def check_best(count, rows) -> None:
    scores, grades = columns(rows)
    found = to_grades(scores, tune_thresholds(scores, grades, count))
    [got] = every_kappa(found[None], grades)
    assert got == max(every_kappa(every_prediction(scores, count), grades))
    assert kappa(found, grades) == pytest.approx(float(got), abs=1e-12)


@given(of_any_rating(spaced))
@settings(deadline=None, max_examples=200)
def test_tuned_thresholds_reach_the_best_kappa_of_all_placements(rated):
    check_best(*rated)


@given(of_any_rating(anywhere))
@example((5, [(1.0, 1), (5.0, 4)]))  # clipped at the top, where grade 5 is not wanted
@example((5, [(1.0, 2), (5.0, 5)]))
@example((2, [(1.0, 1), (2.0, 2)]))
@example((3, [(1.0, 1), (float(np.nextafter(1, 2)), 2)]))  # no number lies between the two
@settings(deadline=None)
def test_tuned_thresholds_reach_the_best_kappa_for_scores_at_the_bounds_and_neighbouring_floats(rated):
    check_best(*rated)


@given(photographs(spaced(), largest=7))
@settings(deadline=None)
def test_of_equally_good_thresholds_the_nearest_to_the_middles_are_taken(rows):
    scores, grades = columns(rows)
    levels = np.unique(scores)
    between = (levels[1:] + levels[:-1]) / 2
    assume(len(between))
    found = tune_thresholds(scores, grades, 5)
    best = kappa(to_grades(scores, found), grades)
    detour = np.abs(np.subtract(found, middles(5))).sum()
    for other in combinations_with_replacement(between, 4):
        nearer = np.abs(np.subtract(other, middles(5))).sum() < detour - 1e-9
        assert not nearer or kappa(to_grades(scores, other), grades) < best - 1e-12


def simulated(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Grades, and scores that err and shrink towards the middle, as a regression's do."""
    random = np.random.default_rng(seed)
    grades = random.integers(1, 6, n)
    return np.clip(3 + 0.4 * (grades - 3) + random.normal(0, 0.5, n), 1.001, 4.999), grades


@given(st.integers(50, 400), st.integers(0, 2**32 - 1), ascending)
@settings(deadline=None, max_examples=30)
def test_tuned_thresholds_are_never_worse_than_fixed_ones_or_rounding(n, seed, other):
    scores, grades = simulated(n, seed)
    tuned = kappa(to_grades(scores, tune_thresholds(scores, grades, 5)), grades)
    for prediction in (np.rint(scores), *(to_grades(scores, t) for t in (WIKI, middles(5), other))):
        assert tuned >= kappa(prediction.astype(int), grades) - 1e-12


def test_no_threshold_of_two_thousand_photographs_can_be_moved_to_a_better_place():
    scores, grades = simulated(2000, seed=5)
    found = tune_thresholds(scores, grades, 5)
    best = kappa(to_grades(scores, found), grades)
    assert best > kappa(to_grades(scores, WIKI), grades)
    for k in range(4):
        for place in np.linspace(1, 5, 50):
            moved = sorted([*found[:k], float(place), *found[k + 1 :]])
            assert kappa(to_grades(scores, moved), grades) <= best + 1e-12


@given(of_any_rating(spaced))
@settings(deadline=None)
def test_thresholds_are_one_fewer_than_grades_ascending_and_within_the_scale(rated):
    count, rows = rated
    found = tune_thresholds(*columns(rows), count)
    assert len(found) == count - 1
    assert found == sorted(found)
    assert found[0] >= 1 and found[-1] <= count
    assert all(type(threshold) is float for threshold in found)


@given(
    photographs(st.floats(1, 5), largest=30).flatmap(
        lambda rows: st.tuples(st.just(rows), st.permutations(rows))
    )
)
@settings(deadline=None)
def test_thresholds_do_not_depend_on_the_order_of_the_photographs(both):
    rows, shuffled = both
    assert tune_thresholds(*columns(rows), 5) == tune_thresholds(*columns(shuffled), 5)


@given(st.integers(2, 9).flatmap(lambda k: st.tuples(st.just(k), st.lists(st.integers(1, k), max_size=20))))
def test_scores_that_equal_the_grades_are_cut_in_the_middles(rated):
    count, more = rated
    grades = np.array([*range(1, count + 1), *more])
    assert tune_thresholds(grades.astype(float), grades, count) == middles(count)


@given(st.lists(spaced(), min_size=1), grade)
def test_photographs_of_one_grade_are_refused(scores, only):
    with pytest.raises(ValueError, match="at least two grades"):
        tune_thresholds(np.array(scores), np.full(len(scores), only), 5)


def test_a_score_on_a_threshold_belongs_to_the_grade_above():
    assert to_grades(np.array(WIKI), WIKI).tolist() == [2, 3, 4, 5]
    assert to_grades(np.nextafter(WIKI, 0), WIKI).tolist() == [1, 2, 3, 4]


@given(st.lists(st.floats(1, 5) | st.sampled_from(WIKI)))
def test_the_wiki_thresholds_give_the_wiki_grades(scores):
    def wiki(score: float) -> int:
        if score < 2.3:
            return 1
        elif score < 3.1:
            return 2
        elif score < 3.4:
            return 3
        elif score < 3.7:
            return 4
        return 5

    assert to_grades(np.array(scores), WIKI).tolist() == [wiki(score) for score in scores]


@given(st.lists(st.floats(1, 5)), ascending)
def test_a_higher_score_never_gets_a_lower_grade(scores, thresholds):
    grades = to_grades(np.sort(scores), thresholds)
    assert np.all(np.diff(grades) >= 0)
    assert set(grades.tolist()) <= set(GRADES)


NAMES = ["rotten", "poor", "3", "fair", "like new"]
GRAINS = FEATURES.index("grain_size")


def params_with(**changes) -> Params:
    """The repository's parameters with grades called `NAMES`, and other changes `section__name`."""
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    values["labels"] |= {"grades": NAMES, "sound": "3"}
    for place, value in changes.items():
        *sections, name = place.split("__")
        section = values
        for part in sections:
            section = section[part]
        section[name] = value
    return Params.model_validate(values)


CORRECTED = {"binning__correction__method": "measured", "binning__correction__above": "3"}


def write_inputs(mm_per_pixel: float | None, learnt_from_measured: bool = False) -> pd.DataFrame:
    """What the stage reads, of 300 photographs whose scores blur 3 and 4, whose grains do not."""
    random = np.random.default_rng(8)
    grade = random.integers(1, 6, 300)
    blurred = np.where((grade == 3) | (grade == 4), 3.5, grade)
    table = pd.DataFrame({"path": [f"{i:03d}.jpg" for i in range(300)], "grade": grade})
    table["specimen"] = [f"s{i // 3}" for i in range(300)]
    table["partition"] = np.repeat(["train", "validation", "test"], 100)
    table["mm_per_pixel"] = mm_per_pixel
    table["score"] = np.clip(blurred + random.normal(0, 0.1, 300), 1, 5)
    write_table(table.drop(columns="score"), "data/split/manifest.csv")
    features = pd.DataFrame(random.normal(0, 1, (300, len(FEATURES))), columns=FEATURES)
    features["grain_size"] = 3.0 - 1.5 * (grade > 3) + random.normal(0, 0.2, 300)
    write_table(pd.concat([table.path, features], axis=1), "data/augment/measured.csv")
    scored = table.loc[table.partition != "train", ["path", "partition", "score"]]
    write_table(scored, "data/ensemble/scores.csv")
    for member in ("efficientnet", "densenet", "mobilenet"):
        write_table(scored, f"data/networks/{member}/predictions.csv")
        write_json({"measured": learnt_from_measured}, f"data/networks/{member}/model.json")
    weights = {"efficientnet": 0.5, "mobilenet": 0.5}
    write_json({"method": "mean", "weights": weights}, "data/ensemble/ensemble.json")
    Path("data/unlabelled").mkdir(parents=True)
    return table


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """An empty folder to run the stage in, whose members score 3.45 and note what they see."""
    monkeypatch.chdir(tmp_path)
    seen = []

    def scorer(_folder):
        def score(pixels, measured):
            seen.append((pixels, measured))
            return np.full(len(pixels), 3.45)

        return score

    monkeypatch.setattr(members, "scorer", scorer)
    monkeypatch.setattr(stage, "seen", seen, raising=False)
    return tmp_path


def test_without_correction_grades_are_those_of_the_thresholds(folder):
    write_inputs(None)
    draw_ungraded(folder / "data/unlabelled/below", count=2)
    (folder / "data/unlabelled/labels.csv").write_text("file,mm_per_pixel\n")
    (folder / "data/unlabelled/notes.txt").write_text("not a photograph")
    stage.main(params_with())
    graded, thresholds = read_table("data/grades/grades.csv"), read_json("data/grades/thresholds.json")
    assert set(thresholds) == {"ensemble", "efficientnet", "densenet", "mobilenet"}
    assert graded.grade.tolist() == to_grades(graded.score.to_numpy(), thresholds["ensemble"]).tolist()
    assert read_json("data/grades/correction.json") == {
        "on": False,
        "reason": "binning.correction.method is none",
        "rule": None,
    }
    changed = read_table("data/grades/corrections.csv")
    assert changed.empty and list(changed) == ["path", "partition", "score", "before", "after"]
    unlabelled = read_table("data/grades/unlabelled.csv")
    assert unlabelled.path.tolist() == ["below/drawing01.jpg", "below/drawing02.jpg"]
    folders = {path.name for path in Path("data/grades/unlabelled").iterdir()}
    assert folders == {f"score{name}" for name in NAMES}
    for path, grade in zip(unlabelled.path, unlabelled.grade, strict=True):
        copy = Path("data/grades/unlabelled") / f"score{NAMES[grade - 1]}" / path
        assert copy.read_bytes() == (Path("data/unlabelled") / path).read_bytes()
    # labels.csv is no photograph that was refused.
    assert read_table("data/grades/unlabelled_rejected.csv").path.tolist() == ["notes.txt"]
    assert all(measured is None for _, measured in stage.seen)


def test_only_some_photographs_are_in_memory_at_once(folder, monkeypatch):
    """Whatever their number; each keeps its score, grade and place."""
    write_inputs(None)
    draw_ungraded(folder / "data/unlabelled", count=7)
    (folder / "data/unlabelled/drawing04.jpg").write_bytes(b"")

    def scorer(_folder):
        def score(pixels, measured):
            stage.seen.append((pixels, measured))
            return 1 + 4 * pixels.mean(axis=(1, 2, 3)) / 255

        return score

    monkeypatch.setattr(members, "scorer", scorer)
    stage.main(params_with(**CORRECTED))
    whole = Path("data/grades/unlabelled.csv").read_bytes()
    assert read_table("data/grades/unlabelled.csv").path.tolist() == [
        f"drawing0{i}.jpg" for i in (1, 2, 3, 5, 6, 7)
    ]
    stage.seen.clear()
    monkeypatch.setattr(stage, "AT_ONCE", 2)
    stage.main(params_with(**CORRECTED))
    assert Path("data/grades/unlabelled.csv").read_bytes() == whole
    assert [len(pixels) for pixels, _ in stage.seen] == [2, 2, 1, 1, 2, 2, 1, 1]
    assert read_table("data/grades/unlabelled_rejected.csv").path.tolist() == ["drawing04.jpg"]


def test_correction_moves_photographs_of_every_kind_by_their_grains(folder):
    table = write_inputs(0.3).set_index("path")
    draw_ungraded(folder / "data/unlabelled", count=2)
    stage.main(params_with(**CORRECTED))
    graded = read_table("data/grades/grades.csv")
    plain = to_grades(graded.score.to_numpy(), read_json("data/grades/thresholds.json")["ensemble"])
    truth = table.grade[graded.path].to_numpy()
    for part in ("validation", "test"):
        mine = graded.partition == part
        assert kappa(graded.grade[mine], truth[mine]) > kappa(plain[mine], truth[mine]) + 0.02
    changed = read_table("data/grades/corrections.csv")
    assert set(changed.partition) == {"validation", "test"}
    assert set(changed.before) | set(changed.after) == {3, 4}
    different = graded[graded.grade != plain]
    assert changed.path.tolist() == different.path.tolist()
    assert changed.after.tolist() == different.grade.tolist()
    # The members' own grades stay as they are.
    assert (read_table("data/grades/members.csv").grade.to_numpy() == np.tile(plain, 3)).all()

    made = read_json("data/grades/correction.json")
    assert made["on"] and made["reason"] is None
    assert made["rule"]["columns"][1 + GRAINS] == "grain_size"
    assert np.argmax(np.abs(made["rule"]["weights"])) == 1 + GRAINS
    # Without a scale nobody knows the grains of the drawings in millimetres.
    rejected = read_table("data/grades/unlabelled_rejected.csv")
    assert len(rejected) == 2 and rejected.reason.str.contains("scale is unknown").all()


def test_ungraded_photographs_are_measured_in_the_unit_of_the_training_photographs(folder):
    write_inputs(0.3, learnt_from_measured=True)
    draw_ungraded(folder / "data/unlabelled", count=2)
    (folder / "data/unlabelled/labels.csv").write_text("file,mm_per_pixel\ndrawing02.jpg,0.6\n")
    stage.main(params_with(**CORRECTED, scale__photographs=0.3))
    in_mm = [measured for _, measured in stage.seen]
    assert len(in_mm) == 2 and np.array_equal(*in_mm)  # two members, the same for both

    stage.seen.clear()
    manifest = read_table("data/split/manifest.csv").assign(mm_per_pixel=np.nan)
    write_table(manifest, "data/split/manifest.csv")
    stage.main(params_with(**CORRECTED, scale__photographs=0.3))
    in_pixels = stage.seen[0][1]
    assert in_mm[0][:, GRAINS] == pytest.approx(in_pixels[:, GRAINS] * [0.3, 0.6])
    others = np.arange(len(FEATURES)) != GRAINS
    assert np.array_equal(in_mm[0][:, others], in_pixels[:, others])


def test_the_correction_moves_ungraded_photographs_too(folder):
    write_inputs(None)
    # Grains of hundreds of pixels and of none: far to either side of those learnt from.
    half = Image.new("RGB", (400, 300), (60, 40, 30))
    half.paste((150, 100, 80), (0, 0, 200, 300))
    half.save("data/unlabelled/coarse.png")
    Image.new("RGB", (400, 300), (60, 40, 30)).save("data/unlabelled/none.png")
    stage.main(params_with(**CORRECTED))
    graded = read_table("data/grades/unlabelled.csv").set_index("path")
    assert graded.score.tolist() == [3.45, 3.45]
    assert graded.grade.to_dict() == {"coarse.png": 3, "none.png": 4}
    assert Path("data/grades/unlabelled/score3/coarse.png").is_file()
    assert Path("data/grades/unlabelled/scorefair/none.png").is_file()


def test_photographs_are_cut_at_the_target_scale_and_small_ones_refused(folder):
    write_inputs(0.3)
    draw_ungraded(folder / "data/unlabelled", count=2)
    (folder / "data/unlabelled/labels.csv").write_text("file,mm_per_pixel\ndrawing02.jpg,0.1\n")
    # 128 pixels of 0.4 mm: 51.2 mm, of which drawing02 shows 24.
    stage.main(params_with(scale__photographs=0.3, scale__target=0.4))
    rejected = read_table("data/grades/unlabelled_rejected.csv")
    assert rejected.path.tolist() == ["drawing02.jpg"] and "mm are needed" in rejected.reason[0]
    assert read_table("data/grades/unlabelled.csv").path.tolist() == ["drawing01.jpg"]


def test_fixed_thresholds_and_an_empty_folder(folder):
    write_inputs(None)
    stage.main(params_with(binning__method="fixed"))
    thresholds = read_json("data/grades/thresholds.json")
    assert thresholds == dict.fromkeys(thresholds, WIKI)
    assert list(read_table("data/grades/unlabelled.csv")) == ["path", "score", "grade"]
    assert len(list(Path("data/grades/unlabelled").iterdir())) == 5 and not stage.seen
