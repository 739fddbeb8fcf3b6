"""The survey's settings are allowed and leave no option out; its record and table say what was run."""

import shutil
import typing

import pandas as pd
import pytest
import yaml
from dvc.utils.hydra import apply_overrides

from sabi.bench import survey
from sabi.networks import NETWORKS, Lite
from sabi.settings.augment import Augment
from sabi.settings.binning import Correction
from sabi.settings.loading import load
from sabi.settings.params import Params
from sabi.settings.train import Loss, Pooling, Train
from tests.conftest import ROOT

GROUPS = yaml.safe_load((ROOT / survey.RUNS).read_text(encoding="utf-8"))
ROWS = survey.rows_of(GROUPS)


@pytest.fixture(scope="module")
def chosen(tmp_path_factory) -> list[Params]:
    """The parameters of every row, set as `dvc exp run -S` sets them."""
    file = tmp_path_factory.mktemp("survey") / "params.yaml"
    results = []
    for row in ROWS:
        shutil.copy(ROOT / "params.yaml", file)
        if row["settings"]:
            apply_overrides(file, list(row["settings"]))
        results.append(load(file))
    return results


def test_rows_are_distinct_and_members_are_trained(chosen):
    assert len({(row["group"], row["title"]) for row in ROWS}) == len(ROWS)
    for row, setting in zip(ROWS, chosen, strict=True):
        assert row["member"] is None or row["member"] in setting.networks


def test_every_network_is_measured(chosen):
    """But EfficientNet-Lite, which is for photographs: docs/results/weights.md measures it."""
    lites = {name for name, network in NETWORKS.items() if isinstance(network, Lite)}
    assert {row["member"] for row in ROWS} - {None} == set(NETWORKS) - lites


def test_every_choice_of_training_is_measured(chosen):
    for section, names in (
        (Train, ("mode", "head", "output", "class_weights", "measured")),
        (Loss, ("name",)),
        (Pooling, ("layers", "statistics")),
        (Augment, ("fill",)),
        (Correction, ("method",)),
    ):
        place = {"Loss": "train.loss", "Pooling": "train.pooling", "Correction": "binning.correction"}
        for name in names:
            path = f"{place.get(section.__name__, section.__name__.lower())}.{name}".split(".")
            taken = set()
            for setting in chosen:
                value = setting
                for part in path:
                    value = getattr(value, part)
                taken.add(value)
            allowed = typing.get_args(section.model_fields[name].annotation) or (True, False)
            assert taken == set(allowed), path


def test_every_transform_is_measured_on_and_off(chosen):
    for name, field in Augment.model_fields.items():
        # Flips are measured by the default alone: half of the copies.
        if "strength" in getattr(field.annotation, "model_fields", {}):
            assert {getattr(c.augment, name).probability > 0 for c in chosen} == {True, False}, name


def test_the_table_has_a_line_a_row_in_the_order_of_the_record():
    row = {
        "title": "ridge",
        "accuracy": 0.911,
        "accuracy_low": 0.8,
        "accuracy_high": 1.0,
        "kappa": 0.98,
        "mae": 0.2,
        "seconds": 7.4,
    }
    unknown = {"group": "a", "title": "dense, 3|4", "seconds": None}
    record = pd.DataFrame([row | {"group": "b"}, row | unknown])
    lines = survey.table(record).splitlines()
    assert lines[0].startswith("| b |") and lines[2] == "| ridge | 0.91 (0.80 to 1.00) | 0.98 | 0.20 | 7 |"
    assert lines[6] == "| dense, 3\\|4 | 0.91 (0.80 to 1.00) | 0.98 | 0.20 | – |"
    assert [line.split(" |")[0] for line in lines if line.startswith("| a") or "dense" in line] == [
        "| a",
        "| dense, 3\\|4",
    ]
