"""A grader gives a photograph the same row in any form and any company, from its folder alone."""

import hashlib
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sabi.backbones.calibration import calibration_batch
from sabi.backbones.embedder import Embedder
from sabi.backbones.spec import BackboneSpec
from sabi.grading import model
from sabi.grading.doubt import Doubt
from sabi.grading.grader import Grader
from sabi.grading.model import ModelSpec
from sabi.grading.novelty import Neighbours
from sabi.models.head import Head, HeadSpec
from sabi.models.member import MemberSpec, save
from sabi.photographs.drawings import draw_ungraded
from sabi.runtime.errors import InputError
from sabi.settings.loading import load
from tests.conftest import ROOT, shell

pytestmark = pytest.mark.slow
HELD = (
    "model.json",
    "training.npz",
    "cnn1/model.json",
    "cnn1/head.npz",
    "cnn1/backbone.weights.h5",
    "SHA256SUMS",
)
NAMES = ["rotten", "poor", "3", "fair", "like new"]


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """A model of one small network of our own, untrained, whose head spreads its scores."""
    base = tmp_path_factory.mktemp("model")
    chosen = load(ROOT / "params.yaml")
    backbone = BackboneSpec.of("cnn1", chosen.train, 32)
    embed = Embedder(backbone)
    head = HeadSpec(features=embed.features, grades=5, units=[], dropout=0.0, output="linear")
    random = np.random.default_rng(1)
    seen = embed(calibration_batch(32, 16, seed=0))
    weights = {
        "standardise.mean": seen.mean(axis=0),
        "standardise.variance": seen.var(axis=0) + 1e-3,
        "score.kernel": random.normal(0, 0.05, (embed.features, 1)).astype(np.float32),
        "score.bias": np.float32([3.0]),
    }
    spec = MemberSpec(backbone=backbone, head=head, measured=False, parameters=1, best_step=0, key="k")
    save(base / "networks/cnn1", spec, Head(head, weights), embed.network)
    whole = ModelSpec(
        grades=NAMES,
        worst_sound=3,
        size=32,
        target_mm_per_pixel=None,
        mm_per_pixel=None,
        min_side=16,
        max_megapixels=1.0,
        millimetres=False,
        method="mean",
        weights={"cnn1": 1.0},
        thresholds=[1.5, 2.5, 3.5, 4.5],
        correction=None,
        doubt=Doubt(confidence=0.9, limits=[0.6, 0.7, None, 0.6, 0.6], unlike=1e-3, sharpness=0.0),
        specimen="(drawing[0-9]+)",
        bridge=None,
    )
    training = Neighbours(["1_a.jpg", "5_b.jpg"], Head(head, weights).standardised(seen[:2]))
    model.save(base / "model", whole, base / "networks", training)
    shutil.rmtree(base / "networks")  # the folder alone suffices
    draw_ungraded(base / "photographs", count=4)
    return base


@pytest.fixture(scope="module")
def grader(folder) -> Grader:
    return Grader.load(folder / "model")


def files(folder: Path) -> list[Path]:
    return sorted((folder / "photographs").iterdir())


def test_a_path_bytes_and_pixels_are_one_photograph(folder, grader):
    paths = files(folder)
    rows = grader.grade(paths)
    assert len({row.score for row in rows}) == len(rows)
    for row in rows:
        assert row.reason is None and 1 <= row.score <= 5
        assert row.position == 1 + sum(row.score >= threshold for threshold in grader.spec.thresholds)
        assert row.name == NAMES[row.position - 1]
        low, high = NAMES.index(row.low) + 1, NAMES.index(row.high) + 1
        # Of "3" too few specimens were known: it may always be the grade.
        assert low <= min(row.position, 3) and high >= max(row.position, 3)
        assert row.nearest in ("1_a.jpg", "5_b.jpg")
        assert ("border" in row.look.split()) == (low < 3)
    assert grader.grade([path.read_bytes() for path in paths]) == rows
    assert grader.grade([np.asarray(Image.open(path)) for path in paths]) == rows


def test_company_and_order_change_no_row(folder, grader, monkeypatch):
    paths = files(folder)
    rows = grader.grade(paths)
    assert grader.grade(paths[::-1]) == rows[::-1]
    assert [grader.grade([path])[0] for path in paths] == rows
    monkeypatch.setattr("sabi.grading.grader.AT_ONCE", 3)
    assert grader.grade(paths) == rows
    assert grader.grade([]) == []


def test_what_cannot_be_used_has_a_reason_in_its_place(folder, grader, tmp_path):
    good = files(folder)[0]
    small = io.BytesIO()
    Image.new("RGB", (15, 40)).save(small, "PNG")
    (tmp_path / "notes.txt").write_text("no photograph")
    given = [b"", good, b"GIF89a", small.getvalue(), tmp_path / "notes.txt", tmp_path / "gone.jpg"]
    given += [np.zeros((40, 40), np.uint8), np.zeros((40, 40, 3)), np.zeros((15, 40, 3), np.uint8)]
    rows = grader.grade(given)
    assert rows[1] == grader.grade([good])[0]
    said = ["empty file", "not a JPEG, PNG", "15 x 40 pixels", "must end in .jpg", "there is no such file"]
    said += ["must be (height, width, 3) uint8"] * 2 + ["40 x 15 pixels"]
    for row, part in zip([rows[0], *rows[2:]], said, strict=True):
        assert part in row.reason and (row.score, row.position, row.name) == (None, None, None)


def test_size_scale_and_limits_are_the_models_whatever_params_says(folder, grader, monkeypatch, tmp_path):
    """There is no params.yaml where the grader runs, and what the model says counts."""
    monkeypatch.chdir(tmp_path)
    path = files(folder)[0]
    assert Grader.load(folder / "model").grade([path]) == grader.grade([path])
    scaled = grader.spec.model_copy(update={"target_mm_per_pixel": 2.0, "mm_per_pixel": 0.3})
    cut = Grader(scaled, grader._scorers, grader._training)
    own, other = cut.grade([path, path], [None, 0.4])
    assert own.score != other.score != grader.grade([path])[0].score
    too_small = cut.grade([path], [0.1])[0]
    assert "mm are needed" in too_small.reason
    unknown = Grader(scaled.model_copy(update={"mm_per_pixel": None}), grader._scorers, grader._training)
    assert "scale is unknown" in unknown.grade([path])[0].reason


@pytest.mark.parametrize("lost", HELD)
def test_a_model_that_lacks_a_file_is_refused_at_once(folder, tmp_path, lost):
    copy = shutil.copytree(folder / "model", tmp_path / "model")
    (copy / lost).unlink()
    with pytest.raises(InputError, match=lost.replace(".", r"\.")):
        Grader.load(copy)


def test_a_file_that_a_computer_adds_is_told_from_a_damaged_one(folder, tmp_path):
    copy = shutil.copytree(folder / "model", tmp_path / "model")
    (copy / "cnn1/.DS_Store").write_bytes(b"")
    with pytest.raises(
        InputError, match=r"cnn1/.DS_Store: SHA256SUMS does not name it; remove it if it came"
    ):
        Grader.load(copy)


@pytest.mark.parametrize("damaged", HELD)
@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"PK\xff\xff"])
def test_a_file_that_is_another_is_refused_with_its_name_and_the_way_out(folder, tmp_path, damaged, content):
    copy = shutil.copytree(folder / "model", tmp_path / "model")
    (copy / damaged).write_bytes(content)
    with pytest.raises(InputError) as caught:
        Grader.load(copy)
    named = str(copy / damaged) if damaged != "SHA256SUMS" else str(copy)
    line = str(caught.value)
    assert line.startswith(named) and "\n" not in line
    assert line.endswith("copy all of it again from where it came")


def test_a_model_that_another_sabi_wrote_is_refused_with_its_name(folder, tmp_path):
    """Its checksums are right, but it is not described as models are."""
    copy = shutil.copytree(folder / "model", tmp_path / "model")
    before = hashlib.sha256((copy / "model.json").read_bytes()).hexdigest()
    (copy / "model.json").write_text('{"grades": 5}')
    after = hashlib.sha256((copy / "model.json").read_bytes()).hexdigest()
    sums = (copy / "SHA256SUMS").read_text()
    (copy / "SHA256SUMS").write_text(sums.replace(before, after))
    with pytest.raises(InputError, match=r"model\.json: not a model of sabi's"):
        Grader.load(copy)


def test_no_flipped_byte_is_graded_with(folder, tmp_path):
    copy = shutil.copytree(folder / "model", tmp_path / "model")
    random = np.random.default_rng(27)
    for _ in range(300):
        file = copy / HELD[random.integers(len(HELD))]
        sound = file.read_bytes()
        place, bit = int(random.integers(len(sound))), int(random.integers(8))
        file.write_bytes(sound[:place] + bytes([sound[place] ^ 1 << bit]) + sound[place + 1 :])
        with pytest.raises(InputError):
            Grader.load(copy)
        file.write_bytes(sound)
    Grader.load(copy)


def test_the_checksums_are_those_of_sha256sum(folder):
    listed = shell("sha256sum -c SHA256SUMS", folder / "model").splitlines()
    assert listed == [f"{name}: OK" for name in sorted(HELD[:-1])]


def test_the_folder_holds_nothing_else(folder):
    held = {path.relative_to(folder / "model").as_posix() for path in (folder / "model").rglob("*")}
    assert held == {
        "model.json",
        "training.npz",
        "SHA256SUMS",
        "cnn1",
        *(f"cnn1/{n}" for n in ("model.json", "head.npz", "backbone.weights.h5")),
    }
