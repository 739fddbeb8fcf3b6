"""The record as text and picture: figures where they belong, parts that were not measured left out."""

import copy
import io

import pytest
from PIL import Image

from sabi.bench.speed_report import plot, table


def rates(**engines: float) -> dict:
    return {"gflop": 0.5, "product_gflop_per_second": 100.0, "photographs_per_second": engines}


RECORD = {
    "machine": {"processor": "A processor", "cores": 2, "memory_gib": 8},
    "work": {"side": 128, "epochs": 30},
    "cases": {
        "side": 128,
        "photographs": 540,
        "ours_peak_mib": 1000,
        "wiki_peak_mib": 3000,
        "unchanged_seconds": 4.04,
        "cases": {
            "nothing": {
                "title": "everything from nothing",
                "ours_seconds": 50.0,
                "wiki_seconds": 625.0,
                "ratio": 12.5,
                "wished": 12,
            },
            "default": {
                "title": "by default",
                "ours_seconds": 40.0,
                "wiki_seconds": 625.0,
                "ratio": 15.63,
                "wished": None,
            },
        },
    },
    "large": {
        "side": 224,
        "photographs": 540,
        "ours_peak_mib": 1100,
        "wiki_peak_mib": 3100,
        "unchanged_seconds": 4.0,
        "cases": {
            "nothing": {
                "title": "everything from nothing",
                "ours_seconds": 100.0,
                "wiki_seconds": 2000.0,
                "ratio": 20.0,
                "wished": 12,
            },
        },
    },
    "throughput": {
        "side": 128,
        "networks": {
            "densenet": {**rates(sabi=40.0), "gflop": 1.0},
            "mobilenet": rates(sabi=120.0, OpenVINO=150.0),
        },
        "head": {"step_seconds": 0.03, "arithmetic_seconds": 0.012, "traffic_seconds": 0.008},
    },
    "crowd": {
        "points": [
            {"photographs": 1000, "seconds": 110.0, "peak_mib": 1200},
            {"photographs": 4000, "seconds": 410.0, "peak_mib": 1230},
        ],
        "megapixels": 24.0,
        "side": 128,
        "networks": ["mobilenet"],
        "peak_mib": {"slope": 0.01, "start": 1190.0, "r2": 1.0},
    },
    "growth": {
        "stage": "train_mobilenet",
        "points": [
            {"photographs": 250, "seconds": 20.0, "peak_mib": 900},
            {"photographs": 4000, "seconds": 95.0, "peak_mib": 1200},
        ],
        "seconds": {"slope": 0.02, "start": 15.0, "r2": 0.9987},
        "peak_mib": {"slope": 0.08, "start": 880.0, "r2": 1.0},
    },
    "start": {"stages_seconds": {"split": 0.8, "report": 1.2}, "tensorflow_seconds": 4.0},
}


def test_every_figure_is_in_the_table():
    lines = table(RECORD).splitlines()
    assert lines[0] == "A processor, 2 cores, 8 GiB of memory."
    assert "| everything from nothing | 50.0 | 625.0 | 12.5 | 12 |" in lines
    assert "540 drawings, 224 pixels a side, 30 epochs:" in lines
    assert "| everything from nothing | 100.0 | 2000.0 | 20.0 | 12 |" in lines
    assert "| by default | 40.0 | 625.0 | 15.6 |  |" in lines
    # 40 photographs of 1 GFLOP at 100 GFLOP/s; an engine that did not run there stays empty.
    assert "| densenet | 1.00 | 40 |  | 40% |" in lines
    assert "| mobilenet | 0.50 | 120 | 150 | 60% |" in lines
    text = " ".join(lines)
    assert "the step takes 1.5 times as long" in text
    assert "15 s and 20.0 ms a photograph (R² 0.999)" in text and "82 KiB a photograph (R² 1.000)" in text
    # 25 and 8.3 ms; OpenVINO did not run densenet, so there is no sum of it.
    assert "A photograph through all of them: sabi 33.3 ms." in lines
    assert "| 4000 | 410 | 9.8 | 1230 |" in lines
    assert "The process needs 1190 MiB and 10.2 KiB a photograph." in lines
    assert "1.2 s at most (`report`), of all 2 together 2.0 s" in text


@pytest.mark.parametrize("missing", ["cases", "large", "throughput", "growth", "crowd", "start"])
def test_a_part_that_was_not_measured_is_left_out(missing):
    whole = copy.deepcopy(RECORD)
    del whole[missing]
    assert table(whole).startswith("A processor") and len(table(whole)) < len(table(RECORD))
    wide, narrow = (Image.open(io.BytesIO(plot(record))).width for record in (RECORD, whole))
    assert (narrow < wide) == (missing not in ("start", "crowd"))
