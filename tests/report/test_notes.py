"""What a run leaves out is told at its end."""

import numpy as np
import pytest

from sabi.grades import Grades
from sabi.grading.doubt import Doubt
from sabi.grading.thresholds import to_grades
from sabi.report.notes import few_specimens, never_given, what_to_note, what_was_left_out, without_limits
from sabi.settings.loading import load
from sabi.settings.params import Params
from sabi.words.texts import translated
from tests.conftest import ROOT


def test_files_of_both_folders_that_were_not_used_are_told_with_the_table_that_says_why():
    assert what_was_left_out(0, 0) == []
    assert what_was_left_out(2, 0) == ["2 files of data/raw were not used; data/split/rejected.csv says why"]
    assert what_was_left_out(2, 1)[1:] == [
        "1 files of data/unlabelled were not graded; data/grades/unlabelled_rejected.csv says why"
    ]


COUNTS = {"bad": 4, "bad_found": 2, "bad_specimens": 2, "sound": 60, "sound_kept": 57, "sound_specimens": 20}


def test_a_side_of_the_border_with_few_specimens_is_told():
    rating = Grades(("1", "2", "3"), 3)
    [line] = few_specimens(COUNTS, rating)
    assert line.startswith("only 2 test specimens are worse than the border 2|3: sensitivity says little")
    [line] = few_specimens(COUNTS | {"bad_specimens": 10, "sound_specimens": 9}, rating)
    assert line.startswith("only 9 test specimens are better than the border 2|3: specificity")
    assert few_specimens(COUNTS | {"bad_specimens": 10}, rating) == []
    assert all(translated(line, "ja") != line for line in few_specimens(COUNTS, rating))


def test_that_no_limit_is_known_is_told():
    known = Doubt(confidence=0.9, limits=[0.5, 0.5], unlike=1.0, sharpness=0.1)
    assert without_limits(known) == []
    [line] = without_limits(known.model_copy(update={"limits": [None, None]}))
    assert "(9 are needed): every set is of all grades" in line and translated(line, "ja") != line


@pytest.mark.parametrize(
    ("thresholds", "never"),
    [([2.0, 3.0, 4.0], ""), ([2.8, 2.8, 4.0], "b"), ([1.0, 1.0, 1.5], "ab"), ([1.5, 2.5, 4.0001], "d")],
)
def test_a_grade_for_which_no_score_is_left_is_told(thresholds, never):
    rating = Grades(tuple("abcd"), 3)
    lines = never_given(thresholds, rating)
    assert [line.split(":")[0][-1] for line in lines] == [*never]
    given = set(to_grades(np.array([1.0, *np.nextafter(thresholds, -9), *thresholds, 4.0]), thresholds))
    in_range = {1 + "abcd".index(name) for name in "abcd" if name not in never}
    assert in_range <= given and all(translated(line, "ja") != line for line in lines)


def test_networks_with_random_weights_are_named_but_not_those_trained_from_scratch():
    values = load(ROOT / "params.yaml").model_dump()
    values |= {"candidates": ["cnn1"]}
    values["ensemble"]["members"] = ["mobilenet", "densenet", "cnn1"]
    values["train"]["weights_of"] = {"densenet": "imagenet"}
    photographs = {
        "drawings": 0,
        "accepted": 9,
        "without_specimen": 0,
        "differ_by_case": [],
        "no_numbers": {},
    }
    [line] = what_to_note(Params.model_validate(values), photographs)
    assert line.startswith("mobilenet: random weights; ") and "`make weights`" in line
