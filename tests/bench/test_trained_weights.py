"""The table of what trained weights are worth: its folds, and its rows on drawings."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from sabi.bench.trained_weights import BLOCK, FOLDS, SETTINGS, Photographs, Setting, measure_all, with_train
from sabi.photographs.drawings import draw_graded
from sabi.runtime.errors import InputError
from sabi.settings.loading import load
from sabi.settings.params import Params
from sabi.weights.fetching import LITES
from tests.conftest import ROOT

PARAMS = load(ROOT / "params.yaml")


def small() -> Params:
    values = PARAMS.model_dump()
    values["train"] |= {"epochs": 2, "dense": {"units": [8], "dropout": 0.0}}
    values["train"]["ridge"]["folds"] = 3
    values["evaluate"]["bootstrap"]["resamples"] = 200
    return Params.model_validate(values)


@pytest.fixture(scope="module")
def drawings(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("drawings") / "graded"
    draw_graded(folder, specimens=20, photographs=1)
    return folder


@pytest.fixture(autouse=True)
def without_store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_photographs_with_neighbouring_names_share_a_fold(drawings):
    photographs = Photographs(drawings, PARAMS)
    single, blocks = (photographs.folds(PARAMS.split.seed, block) for block in (1, BLOCK))
    order = np.argsort(photographs.table.specimen.to_numpy())
    assert set(single) == set(range(FOLDS))
    assert all(len({*blocks[order][at : at + BLOCK]}) == 1 for at in range(0, len(order), BLOCK))
    assert len({*blocks}) > 1


def test_every_setting_is_one_that_a_run_could_have(tmp_path, monkeypatch):
    (tmp_path / "weights").mkdir()
    monkeypatch.setattr("sabi.settings.train.repository_root", lambda: tmp_path)
    assert len({setting.title for setting in SETTINGS}) == len(SETTINGS)
    for setting in SETTINGS:
        for name in setting.networks:
            train = with_train(name, setting, PARAMS).train
            assert train.pooling.flips == setting.flips
            assert (train.head, train.output) == (setting.head, setting.output)
            assert train.weights_for(name) == ("weights" if name in LITES else "random")


def test_rows_have_figures_and_a_verdict_against_the_first(drawings, tmp_path, capsys):
    page = tmp_path / "weights.md"
    page.write_text("before\n<!-- weights: begin -->\n<!-- weights: end -->\nafter\n")
    first = Setting("one", ["mobilenet"], size=32, flips=1)
    settings = [
        first,
        dataclasses.replace(first, title="the same"),
        dataclasses.replace(first, title="dense", measured=10.0, head="dense", output="corn"),
    ]
    measure_all(drawings, small(), page, settings)
    header, _, one, same, dense = page.read_text().splitlines()[2:-2]
    assert header.count("|") == one.count("|") == dense.count("|")
    assert one.split("|")[1:-2] == [" one ", *same.split("|")[2:-2]] and one.endswith("| – |")
    assert same.endswith("| +0.000 (+0.000 to +0.000): no difference |")
    assert float(one.split("|")[2].split()[0]) > 0.4 and 0 < float(dense.split("|")[2].split()[0]) < 1
    assert one in capsys.readouterr().out


def test_too_few_photographs_of_a_grade_are_told(drawings, tmp_path):
    for file in sorted(drawings.iterdir())[16:]:
        (tmp_path / file.name).symlink_to(file)
    with pytest.raises(InputError, match=r"4 photographs of grade 1 can be used; 5 are needed"):
        Photographs(tmp_path, PARAMS)
