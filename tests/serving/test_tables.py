"""Tables that spreadsheet programs open."""

import pandas as pd
import pytest

from sabi.grading.grader import Grader
from sabi.serving.tables import specimen_and_bridge, write_csv


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
def test_no_name_becomes_a_formula(tmp_path, start):
    table = pd.DataFrame({"path": [f"{start}1+1.jpg"], "specimen": [f"{start}G1"], "score": [-1.005]})
    write_csv(table, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    read = pd.read_csv(tmp_path / "t.csv", encoding="utf-8-sig", dtype=str)
    assert read.path[0] == f"./{start}1+1.jpg" and read.specimen[0] == f"'{start}G1"
    assert read.score[0] in ("-1.00", "-1.01")


def test_what_was_measured_keeps_its_digits_and_its_name_is_no_formula(tmp_path):
    table = pd.DataFrame(
        {"path": ["a.jpg", "b.jpg"], "score": [3.14159, 2.0], "=um": [0.000123, float("nan")]}
    )
    write_csv(table, tmp_path / "t.csv", ["=um"])
    text = (tmp_path / "t.csv").read_text(encoding="utf-8-sig")
    assert text == "path,score,'=um\na.jpg,3.14,0.000123\nb.jpg,2.00,\n"


def test_what_is_not_known_is_an_empty_cell(tmp_path):
    write_csv(pd.DataFrame({"path": ["橋.jpg", "b.jpg"], "specimen": ["", "007"]}), tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text(encoding="utf-8-sig") == "path,specimen\n橋.jpg,\nb.jpg,007\n"


@pytest.mark.slow
def test_a_specimens_name_that_is_no_text_can_be_written(folder, tmp_path):
    """Of a file whose name is not UTF-8, where the model's pattern takes in the odd letter."""
    spec = Grader.load(folder / "model").spec.model_copy(update={"specimen": "(br.cke)", "bridge": "(br.)"})
    specimen, bridge = specimen_and_bridge("br\udcffcke/1.jpg", spec)
    assert specimen.startswith("br") and bridge.startswith("br")
    write_csv(pd.DataFrame({"specimen": [specimen], "bridge": [bridge]}), tmp_path / "t.csv")
    assert specimen_and_bridge("other.jpg", spec) == ("", "")
