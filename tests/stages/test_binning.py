"""The stage: thresholds applied, grades corrected, data/unlabelled graded and sorted."""

from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from sklearn.metrics import cohen_kappa_score

from sabi.grades import Grades
from sabi.grading import grader, held_out
from sabi.grading.folder import COLUMNS
from sabi.grading.thresholds import to_grades
from sabi.photographs.drawings import draw_ungraded
from sabi.photographs.features import FEATURES
from sabi.runtime.errors import InputError
from sabi.settings.params import Params
from sabi.tables import read_graded, read_json, read_table, write_graded, write_json, write_table
from stages import binning as stage
from tests.conftest import ROOT

WIKI = [2.3, 3.1, 3.4, 3.7]
NAMES = ["rotten", "poor", "3", "fair", "like new"]
RATING = Grades(tuple(NAMES), 3)
GRAINS = FEATURES.index("grain_size")


def kappa(predicted, grades) -> float:
    # More labels than grades change nothing; fewer would be taken for neighbours.
    return cohen_kappa_score(grades, predicted, weights="quadratic", labels=range(1, 10))


def params_with(**changes) -> Params:
    """The repository's parameters with grades called `NAMES`, no maps, and other changes `section__name`."""
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    values["labels"] |= {"grades": NAMES, "sound": "3"}
    for place, value in ({"report__why": 0} | changes).items():
        *sections, name = place.split("__")
        section = values
        for part in sections:
            section = section[part]
        section[name] = value
    return Params.model_validate(values)


CORRECTED = {"binning__correction__method": "measured", "binning__correction__above": "3"}


def write_inputs(
    mm_per_pixel: float | None, learnt_from_measured: bool = False, rating: Grades = RATING
) -> pd.DataFrame:
    """What the stage reads, of 300 photographs whose scores blur 3 and 4, whose grains do not.

    The members see nothing of a photograph but its score.
    """
    random = np.random.default_rng(8)
    grade = random.integers(1, 6, 300)
    blurred = np.where((grade == 3) | (grade == 4), 3.5, grade)
    table = pd.DataFrame({"path": [f"{i:03d}.jpg" for i in range(300)], "grade": grade})
    table["specimen"] = [f"s{i // 3}" for i in range(300)]
    table["partition"] = np.repeat(["train", "validation", "test"], 100)
    table["mm_per_pixel"] = mm_per_pixel
    table["score"] = np.clip(blurred + random.normal(0, 0.1, 300), 1, 5)
    write_graded(table.drop(columns="score"), rating, "data/split/manifest.csv")
    features = pd.DataFrame(random.normal(0, 1, (300, len(FEATURES))), columns=FEATURES)
    features["grain_size"] = 3.0 - 1.5 * (grade > 3) + random.normal(0, 0.2, 300)
    write_table(pd.concat([table.path, features], axis=1), "data/augment/measured.csv")
    scored = table.loc[table.partition != "train", ["path", "partition", "score"]]
    write_table(scored, "data/ensemble/scores.csv")
    for member in ("efficientnet", "densenet", "mobilenet"):
        write_table(scored, f"data/networks/{member}/predictions.csv")
        write_json({"measured": learnt_from_measured}, f"data/networks/{member}/model.json")
        Path(f"data/networks/{member}/head.npz").write_bytes(b"weights")
        np.save(f"data/networks/{member}/embeddings.npy", table[["score"]].to_numpy(np.float32))
    for part in ("validation", "test"):
        np.save(f"data/augment/{part}.npy", random.integers(0, 256, (1, 100, 8, 8, 3), np.uint8))
    weights = {"efficientnet": 0.5, "mobilenet": 0.5}
    write_json({"method": "mean", "weights": weights}, "data/ensemble/ensemble.json")
    write_json({"drawings": 0}, "data/split/summary.json")
    Path("data/unlabelled").mkdir(parents=True)
    return table


class Noting:
    """Stands for a trained network: scores 3.45, or what `score` gives, and notes what it sees."""

    seen: ClassVar[list] = []
    scores = staticmethod(lambda pixels: np.full(len(pixels), 3.45))

    def __init__(self, folder: Path, store: Path | None) -> None:
        self.spec = SimpleNamespace(**read_json(folder / "model.json"))

    def features(self, pixels, measured=None, keep=True):
        self.seen.append((pixels, measured))
        return np.asarray(self.scores(pixels))[:, None]

    def score(self, features):
        return features[:, 0]

    def standardised(self, features):
        return features


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """An empty folder to run the stage in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Noting, "seen", [])
    monkeypatch.setattr(grader, "Scorer", Noting)
    monkeypatch.setattr(held_out, "standardised", lambda folder, rows: rows)
    return tmp_path


def test_the_worst_misgraded_have_a_map_of_what_pulls_their_scores(folder):
    table = write_inputs(None)
    stage.main(params_with(report__why=3))
    graded = read_graded("data/grades/grades.csv", RATING).merge(table[["path", "grade"]], on="path")
    wrong = graded[(graded.partition == "test") & (graded.grade_x != graded.grade_y)]
    worst = (wrong.score - wrong.grade_y).abs().sort_values(ascending=False, kind="stable").index[:3]
    shown = read_table("data/grades/why/photographs.csv")
    assert shown.path.tolist() == wrong.path.loc[worst].tolist() and len(shown) == 3
    pixels, rows = np.load("data/augment/test.npy")[0], table.path[table.partition == "test"].tolist()
    for path, file in zip(shown.path, shown.file, strict=True):
        # The score never moves here, so nothing is coloured.
        picture = np.asarray(Image.open(f"data/grades/why/{file}"))
        assert (picture == pixels[rows.index(path)]).all()


def test_where_no_map_is_asked_for_none_is_made(folder):
    write_inputs(None)
    stage.main(params_with())
    assert read_table("data/grades/why/photographs.csv").empty


def test_without_correction_grades_are_those_of_the_thresholds(folder):
    write_inputs(None)
    draw_ungraded(folder / "data/unlabelled/below", count=2)
    (folder / "data/unlabelled/labels.csv").write_text("file,mm_per_pixel\n")
    (folder / "data/unlabelled/notes.txt").write_text("not a photograph")
    stage.main(params_with())
    graded, thresholds = (
        read_graded("data/grades/grades.csv", RATING),
        read_json("data/grades/thresholds.json"),
    )
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
        copy = Path("data/grades/unlabelled") / f"score{grade}" / path
        assert copy.read_bytes() == (Path("data/unlabelled") / path).read_bytes()
    # labels.csv is no photograph that was refused.
    assert read_table("data/grades/unlabelled_rejected.csv").path.tolist() == ["notes.txt"]
    assert all(measured is None for _, measured in Noting.seen)


def test_only_some_photographs_are_in_memory_at_once(folder, monkeypatch):
    """Whatever their number; each keeps its score, grade and place."""
    write_inputs(None)
    draw_ungraded(folder / "data/unlabelled", count=7)
    (folder / "data/unlabelled/drawing04.jpg").write_bytes(b"")

    score = staticmethod(lambda pixels: 1 + 4 * pixels.mean(axis=(1, 2, 3)) / 255)
    monkeypatch.setattr(Noting, "scores", score)
    stage.main(params_with(**CORRECTED))
    whole = Path("data/grades/unlabelled.csv").read_bytes()
    assert read_table("data/grades/unlabelled.csv").path.tolist() == [
        f"drawing0{i}.jpg" for i in (1, 2, 3, 5, 6, 7)
    ]
    Noting.seen.clear()
    monkeypatch.setattr(grader, "AT_ONCE", 2)
    stage.main(params_with(**CORRECTED))
    assert Path("data/grades/unlabelled.csv").read_bytes() == whole
    assert [len(pixels) for pixels, _ in Noting.seen] == [2, 2, 1, 1, 2, 2, 1, 1]
    assert read_table("data/grades/unlabelled_rejected.csv").path.tolist() == ["drawing04.jpg"]


def test_correction_moves_photographs_of_every_kind_by_their_grains(folder):
    table = write_inputs(0.3).set_index("path")
    draw_ungraded(folder / "data/unlabelled", count=2)
    # Without a scale nobody knows the grains of the drawings in millimetres.
    with pytest.raises(InputError, match="none of its 2 files can be graded, the first: drawing01"):
        stage.main(params_with(**CORRECTED))
    graded = read_graded("data/grades/grades.csv", RATING)
    plain = to_grades(graded.score.to_numpy(), read_json("data/grades/thresholds.json")["ensemble"])
    truth = table.grade[graded.path].to_numpy()
    for part in ("validation", "test"):
        mine = graded.partition == part
        assert kappa(graded.grade[mine], truth[mine]) > kappa(plain[mine], truth[mine]) + 0.02
    changed = read_graded("data/grades/corrections.csv", RATING)
    assert set(changed.partition) == {"validation", "test"}
    assert set(changed.before) | set(changed.after) == {3, 4}
    different = graded[graded.grade != plain]
    assert changed.path.tolist() == different.path.tolist()
    assert changed.after.tolist() == different.grade.tolist()
    # The members' own grades stay as they are.
    assert (read_graded("data/grades/members.csv", RATING).grade.to_numpy() == np.tile(plain, 3)).all()

    made = read_json("data/grades/correction.json")
    assert made["on"] and made["reason"] is None
    assert made["rule"]["columns"][1 + GRAINS] == "grain_size" and made["rule"]["above"] == "3"
    assert np.argmax(np.abs(made["rule"]["weights"])) == 1 + GRAINS
    rejected = read_table("data/grades/unlabelled_rejected.csv")
    assert len(rejected) == 2 and rejected.reason.str.contains("scale is unknown").all()


def test_ungraded_photographs_are_measured_in_the_unit_of_the_training_photographs(folder):
    write_inputs(0.3, learnt_from_measured=True)
    draw_ungraded(folder / "data/unlabelled", count=2)
    (folder / "data/unlabelled/labels.csv").write_text("file,mm_per_pixel\ndrawing02.jpg,0.6\n")
    stage.main(params_with(**CORRECTED, scale__photographs=0.3))
    in_mm = [measured for _, measured in Noting.seen]
    assert len(in_mm) == 2 and np.array_equal(*in_mm)  # two members, the same for both

    Noting.seen.clear()
    manifest = read_table("data/split/manifest.csv").assign(mm_per_pixel=np.nan)
    write_table(manifest, "data/split/manifest.csv")
    stage.main(params_with(**CORRECTED, scale__photographs=0.3))
    in_pixels = Noting.seen[0][1]
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
    assert graded.grade.to_dict() == {"coarse.png": "3", "none.png": "fair"}
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


def test_a_folder_of_which_nothing_can_be_graded_is_one_line_and_the_tables_are_written(folder, capsys):
    write_inputs(None)
    for name in (".DS_Store", "IMG_1.CR2", "two\nlines.jpg"):
        (folder / "data/unlabelled" / name).write_bytes(b"raw data")
    with pytest.raises(InputError) as caught:
        stage.main(params_with())
    message = str(caught.value)
    assert message.startswith(
        "data/unlabelled: none of its 2 files can be graded, the first: IMG_1.CR2: not a ph"
    )
    assert "\n" not in message
    assert "0 photographs graded, 3 files rejected" in capsys.readouterr().out
    rejected = read_table("data/grades/unlabelled_rejected.csv")
    assert rejected.path.tolist() == [".DS_Store", "IMG_1.CR2", "two\\x0alines.jpg"]


def test_a_hidden_file_is_no_photograph_that_could_not_be_graded(folder):
    write_inputs(None)
    (folder / "data/unlabelled/.gitkeep").touch()
    stage.main(params_with())
    assert read_table("data/grades/unlabelled_rejected.csv").path.tolist() == [".gitkeep"]


def test_fixed_thresholds_and_an_empty_folder(folder):
    write_inputs(None)
    stage.main(params_with(binning__method="fixed"))
    thresholds = read_json("data/grades/thresholds.json")
    assert thresholds == dict.fromkeys(thresholds, WIKI)
    assert list(read_table("data/grades/unlabelled.csv")) == COLUMNS
    assert len(list(Path("data/grades/unlabelled").iterdir())) == 5 and not Noting.seen


def test_grades_that_do_not_begin_at_one_are_called_by_their_names_everywhere(folder):
    """Their scores stand on the scale of the names, in folders, tables, thresholds and what is printed."""
    names = ["2", "3", "4", "5", "6"]
    table = write_inputs(None, rating=Grades(tuple(names), 2)).set_index("path")
    draw_ungraded(folder / "data/unlabelled", count=1)
    given = {"labels__grades": names, "labels__sound": "3", "binning__thresholds": [2.6, 3.5, 4.5, 5.5]}
    stage.main(params_with(**given, binning__method="fixed"))
    assert read_json("data/grades/thresholds.json")["ensemble"] == pytest.approx([2.6, 3.5, 4.5, 5.5])
    graded = read_table("data/grades/grades.csv")
    by_name = pd.cut(graded.score, [0, 2.6, 3.5, 4.5, 5.5, 7], right=False, labels=names)
    assert graded.grade.tolist() == by_name.tolist()
    assert (graded.score - table.score[graded.path].to_numpy()).tolist() == pytest.approx([1.0] * 200)
    unlabelled = read_table("data/grades/unlabelled.csv").iloc[0]
    assert (unlabelled.grade, unlabelled.score) == ("4", pytest.approx(4.45))  # what Noting gives, and 1
    assert Path("data/grades/unlabelled/score4/drawing01.jpg").is_file()
