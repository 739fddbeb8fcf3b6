"""What chosen labels teach beside others: from the same start, judged on what was never to choose from."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sabi.bench import next_labels
from sabi.bench.next_labels import FIRST, STEP, WAYS, accuracies, chosen, measure_all, seen
from sabi.photographs.drawings import draw_graded
from sabi.runtime.errors import InputError
from sabi.settings.loading import load
from sabi.settings.params import Params
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("drawings") / "graded"
    draw_graded(place, specimens=20, photographs=1)
    return place


@pytest.fixture(scope="module")
def params() -> Params:
    values = load(ROOT / "params.yaml").model_dump()
    values["augment"]["size"] = 32
    values["ensemble"]["members"] = ["mobilenet"]
    values["train"]["ridge"]["folds"] = 3
    return Params.model_validate(values)


@pytest.fixture(scope="module")
def known(folder, params, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("store"))
        return seen(folder, STEP, params)


def test_both_ways_start_alike_and_the_same_seed_gives_the_same(known, params):
    once, again = (accuracies(known, STEP, params, seed=0) for _ in range(2))
    assert once.equals(again) and once.way.tolist() == [*WAYS] and once.labels.tolist() == [STEP] * 2
    assert once.accuracy.between(0.3, 1).all()


def test_the_last_step_ends_at_the_most(known, params):
    assert accuracies(known, STEP + 5, params, seed=1).labels.tolist() == [STEP, STEP + 5] * 2


def test_what_is_chosen_is_there_to_choose_from_and_not_graded_yet(known, params):
    assert set(known.table.partition[known.pool]) == {"train"}
    graded, left = known.pool[:FIRST], known.pool[FIRST:]
    places = chosen(known, graded, left, 10, params)
    assert len({*places}) == 10 and max(places) < len(left)


def test_page_and_figure_hold_every_folder(known, folder, params, tmp_path, monkeypatch):
    monkeypatch.setattr(next_labels, "seen", lambda *_: known)
    monkeypatch.setattr(next_labels, "SEEDS", 2)
    page = tmp_path / "page.md"
    page.write_text("<!-- next: begin -->\n<!-- next: end -->\n")
    measure_all([folder], STEP, params, page, tmp_path / "figure.png")
    row = page.read_text().splitlines()[3]
    assert row.startswith(f"| graded: 100 drawings | {STEP} | 0.") and row.count("(") == 2
    assert np.asarray(Image.open(tmp_path / "figure.png")).std() > 0


def test_too_few_to_choose_from_are_told(folder, params, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"500 labels of \d+ photographs to choose from"):
        seen(folder, 500, params)
    with pytest.raises(InputError, match=r"20 labels of \d+ photographs to choose from; at least 50 are"):
        seen(folder, 20, params)
    with pytest.raises(InputError, match="none: 50 labels of 0 photographs to choose from"):
        seen(tmp_path / "none", 50, params)
