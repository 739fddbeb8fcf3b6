"""Why a photograph deserves a look."""

import math

import numpy as np
import pandas as pd
import pytest

from sabi.grades import Grades
from sabi.grading.doubt import COLUMNS, REASONS, Doubt, Seen, learn, told
from sabi.settings.loading import load
from tests.conftest import ROOT

FIVE = Grades(("1", "2", "3", "4", "5"), 3)
THRESHOLDS = [1.5, 2.5, 3.5, 4.5]
DOUBT = Doubt(confidence=0.9, limits=[0.6] * 5, unlike=10.0, sharpness=0.01)


def look(score=4.0, members=(4.0, 4.0), distance=1.0, fault=None, grade=4, doubt=DOUBT) -> dict:
    """What is told of one photograph."""
    each = np.array(members, float)[:, None]
    seen = Seen(np.array([score]), each, np.array([distance]), ["1_a.jpg"], [fault])
    table = told(doubt, seen, np.array([grade]), THRESHOLDS, FIVE)
    assert list(table) == COLUMNS
    return table.iloc[0].to_dict()


def test_a_plain_case_deserves_none():
    assert look() == {"low": 4, "high": 4, "look": "", "nearest": "1_a.jpg", "distance": 0.1}


@pytest.mark.parametrize(
    ("case", "reasons"),
    [
        ({"distance": 10.1}, "unlike"),
        ({"fault": "dark"}, "dark"),
        ({"fault": "blurred", "distance": 11.0}, "blurred unlike"),
        ({"members": (3.5, 4.5)}, "members"),
        ({"members": (3.6, 4.5)}, ""),
        ({"score": 4.46}, "threshold"),
        ({"score": 2.45, "grade": 2}, "border threshold"),
        ({"score": 3.45, "grade": 3}, "threshold"),  # the set crosses 3|4, not the border to sound
        ({"score": 2.45, "grade": 2, "distance": 99, "fault": "plain", "members": (1, 4)},
         "plain unlike border members threshold"),
    ],
)  # fmt: skip
def test_each_reason_is_told_and_the_weightiest_first(case, reasons):
    assert look(**case)["look"] == reasons
    assert set(reasons.split()) <= set(REASONS)


def test_an_unknown_limit_puts_its_grade_into_every_set():
    unknown = DOUBT.model_copy(update={"limits": [0.6, None, 0.6, 0.6, 0.6]})
    found = look(score=4.9, grade=5, doubt=unknown)
    assert (found["low"], found["high"], found["look"]) == (2, 5, "border")


def test_limits_are_learnt_by_grade_and_unknown_ones_are_none():
    settings = load(ROOT / "params.yaml").evaluate
    grade = np.repeat([1, 2, 3, 4, 5], [12, 3, 12, 12, 12])
    validation = pd.DataFrame(
        {"score": grade + 0.01 * grade, "actual": grade, "specimen": [f"s{i}" for i in range(len(grade))]}
    )
    distances = np.linspace(1, 2, len(grade))
    doubt = learn(validation, distances, np.full(len(grade), 0.2), FIVE, settings)
    # The second grade has too few specimens: it shares the limit of the first.
    assert doubt.limits == [pytest.approx(limit) for limit in (0.02, 0.02, 0.03, 0.04, 0.05)]
    few = learn(validation[:5], distances[:5], np.full(5, 0.2), FIVE, settings)
    assert few.limits == [None] * 5
    assert doubt.sharpness == pytest.approx(0.16)
    assert 1.9 < doubt.unlike <= 2
    assert Doubt.model_validate_json(doubt.model_dump_json()) == doubt and not math.isnan(doubt.unlike)
