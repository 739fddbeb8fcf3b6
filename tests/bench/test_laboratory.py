"""The benchmark of a laboratory's size: its photographs, the wiki's straight line, the careful script."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from sabi.bench import laboratory, speed_report
from sabi.bench.laboratory import CASES, QUICK, photograph, wikis
from sabi.bench.scripts import script
from sabi.tables import read_json

SMALL = replace(QUICK, specimens=1, width=80, side=32, graded=6, networks=("mobilenet",))


def test_photographs_are_as_large_as_a_camera_s_and_the_same_every_time(tmp_path):
    survey = replace(SMALL, width=800)
    for name in ("one", "two"):
        photograph(tmp_path / name, survey, 1, 2)
    one, two = (
        {file.name: file.read_bytes() for file in (tmp_path / name).iterdir()} for name in ("one", "two")
    )
    assert one == two and len(one) == 10 and {name[0] for name in one} == set("12345")
    assert {Image.open(file).size for file in (tmp_path / "one").iterdir()} == {(800, 600)}
    photograph(tmp_path / "new", survey, None, 3)
    assert len(list((tmp_path / "new").iterdir())) == 3


@pytest.mark.parametrize("bend", [0.0, 5.0])
def test_the_wiki_s_seconds_are_a_line_and_the_check_tells_where_they_are_not(tmp_path, monkeypatch, bend):
    """7 s to start, 0.5 for each photograph, 0.1 in each epoch; 2 to load, 0.3 for each graded."""
    times = {"EfficientNetV2S": 3.0, "DenseNet121": 1.0}

    def run(name, job, folder):
        count, graded = len(job["train"]) + len(job["validation"]), len(job["grade"])
        folder.mkdir()
        (folder / "seconds.json").write_text(json.dumps(times))
        seconds = 7 + count * (0.5 + 0.1 * job["epochs"]) if count else 2
        return {"seconds": seconds + 0.3 * graded + bend * (count > 20 and job["epochs"] == 3)}

    monkeypatch.setattr(laboratory, "script", run)
    job = {"train": [("a", 1.0)] * 80, "validation": [("b", 1.0)] * 20, "grade": ["c"] * 10, "epochs": 30}
    job["models"] = str(tmp_path / "models")
    new = {"train": [], "validation": [], "grade": ["d"] * 50}
    found = wikis(job, new, tmp_path, replace(SMALL, epochs=30), ["EfficientNetV2S"])
    assert found["check_seconds"] - found["foreseen_seconds"] == pytest.approx(bend)
    seconds = found["seconds"]
    assert seconds["nothing"] == pytest.approx(7 + 100 * (0.5 + 3) + 2 + 3) and list(seconds) == list(CASES)
    assert seconds["members"] == pytest.approx(seconds["nothing"] / 4)
    assert seconds["grading"] == pytest.approx(2 + 15)


@pytest.mark.slow
def test_the_careful_script_learns_grades_and_sorts(tmp_path):
    photograph(tmp_path / "raw", SMALL, 2, 1)
    files = sorted(map(str, (tmp_path / "raw").iterdir()))
    examples = [(file, float(Path(file).name[0])) for file in files]
    job = {"networks": ["MobileNetV3Large"], "side": 32, "seed": 0, "epochs": 2, "batch": 4}
    job |= {
        "train": examples[::2],
        "validation": examples[1::2],
        "grade": files[:3],
        "models": str(tmp_path / "models"),
    }
    assert script("careful_method", job, tmp_path / "first")["seconds"] > 0
    assert len(list((tmp_path / "first").glob("score?/*.jpg"))) == 3
    assert list(read_json(tmp_path / "first/seconds.json")) == ["MobileNetV3Large"]
    again = job | {"train": [], "validation": []}
    script("careful_method", again, tmp_path / "second")
    graded = [
        sorted(file.relative_to(tmp_path / name) for file in (tmp_path / name).glob("score?/*"))
        for name in ("first", "second")
    ]
    assert graded[0] == graded[1] != []


def test_the_table_tells_every_case_and_what_was_wished():
    case = {"title": "all", "ours_seconds": 10.0, "wiki_seconds": 123.0, "careful_seconds": 25.0}
    case |= {"wiki_ratio": 12.3, "careful_ratio": 2.5, "wished": [12, 1]}
    part = {
        "cases": {"nothing": case},
        "photographs": 1000,
        "added": [{"photographs": 50, "seconds": 61.2}, {"photographs": 10, "seconds": 55.0}],
        "unchanged_seconds": 6.0,
        "ours_peak_mib": 1200,
        "careful_peak_mib": 2400,
        "wiki": {"photographs": [60, 120], "epochs": [1, 3], "foreseen_seconds": 90.0, "check_seconds": 92.0},
    }
    survey = {"width": 4000, "side": 224, "epochs": 30, "graded": 500}
    text = "\n".join(speed_report._laboratory(part, {"survey": survey}))
    assert "1000 photographs of 12 megapixels" in text
    assert "| all | 10 | 123 | 25 | 12.3 | 2.5 | 12 | 1 |" in text and "50: 61 s, 10: 55 s" in text
