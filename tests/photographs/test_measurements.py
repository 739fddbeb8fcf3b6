"""Other columns of numbers in the table of labels are kept, and nothing else."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sabi.photographs.measurements import read
from sabi.tables import read_measurements, write_table


def table(folder: Path, text: str) -> Path:
    (folder / "labels.csv").write_text(text, encoding="utf-8")
    return folder


def test_columns_of_numbers_are_kept_by_path(tmp_path):
    text = "file,grade,inspector,Thickness_um,tape_test,remark,1\n"
    text += "b.jpg,3,mori,312.5,,wet,9\nA.jpg,2,mori,-1e3,４,dry,9\ngone.jpg,1,mori,7,2,,9\n"
    found, others = read(table(tmp_path, text), ["a.jpg", "b.jpg", "c.jpg"])
    assert found.columns.tolist() == ["path", "thickness_um", "tape_test", "1"] and others == {}
    assert found.path.tolist() == ["a.jpg", "b.jpg"]
    assert found.thickness_um.tolist() == [-1000.0, 312.5]
    assert found.tape_test[0] == 4 and math.isnan(found.tape_test[1])


def test_without_a_table_or_columns_there_is_nothing(tmp_path):
    assert len(read(tmp_path, ["a.jpg"])[0]) == 0
    found, others = read(table(tmp_path, "file,grade,remark,mm_per_pixel\na.jpg,3,,0.2\n"), ["a.jpg"])
    assert found.columns.tolist() == ["path"] and len(found) == 0 and others == {}


@pytest.mark.parametrize(
    ("cells", "kept"), [("1,2,n/a", True), ("1,n/a", False), ("x,y,1", False), ("1,,", True)]
)
def test_a_column_is_one_of_numbers_if_more_than_half_of_its_cells_are(tmp_path, cells, kept):
    rows = "".join(f"{place}.jpg,{cell}\n" for place, cell in enumerate(cells.split(",")))
    found, others = read(table(tmp_path, "file,thickness\n" + rows), [f"{place}.jpg" for place in range(3)])
    assert ("thickness" in found) == kept
    assert others == ({"thickness": "n/a"} if kept and "n/a" in cells else {})


def test_decimal_commas_are_read_and_what_may_part_thousands_is_told(tmp_path):
    text = "file;um;mm\na.jpg;312,5;1,234\nb.jpg;0,123;1.5\n"
    found, others = read(table(tmp_path, text), ["a.jpg", "b.jpg"])
    assert found.um.tolist() == [312.5, 0.123] and np.array_equal(found.mm, [np.nan, 1.5], equal_nan=True)
    assert others == {"mm": "1,234"}


def test_several_rows_of_a_photograph_give_their_mean(tmp_path):
    text = "file,grade,inspector,um\na.jpg,3,mori,100\na.jpg,4,sato,300\na.jpg,4,abe,\n"
    assert read(table(tmp_path, text), ["a.jpg"])[0].um.tolist() == [200.0]


def test_a_row_of_a_file_that_is_there_is_of_no_other(tmp_path):
    text = "file,um\n3_a.jpg,300\n3_A.jpg,100\n"
    found, _ = read(table(tmp_path, text), ["3_A.jpg", "3_a.jpg"])
    assert dict(found.to_numpy()) == {"3_a.jpg": 300.0, "3_A.jpg": 100.0}


def test_two_columns_of_one_name_are_both_kept(tmp_path):
    found, _ = read(table(tmp_path, "file,um,UM,remark,remark\na.jpg,1,2,x,y\n"), ["a.jpg"])
    assert found.columns.tolist() == ["path", "um", "um_2"] and found.um_2.tolist() == [2.0]


def test_what_is_no_finite_number_is_none(tmp_path):
    found, others = read(
        table(tmp_path, "file,um\na.jpg,1\nb.jpg,1e999\nc.jpg,2\n"), ["a.jpg", "b.jpg", "c.jpg"]
    )
    assert found.path.tolist() == ["a.jpg", "c.jpg"] and others == {"um": "1e999"}


def test_a_name_that_sabi_s_tables_have_is_another_there(tmp_path):
    found, _ = read(table(tmp_path, "file,score,depth\na.jpg,17,2\n"), ["a.jpg"])
    assert found.columns.tolist() == ["path", "survey_score", "depth"]
    found, _ = read(table(tmp_path, "file,score,survey_score\na.jpg,17,2\n"), ["a.jpg"])
    assert found.columns.tolist() == ["path", "survey_score_", "survey_score"]


@given(st.dictionaries(st.sampled_from(["007.jpg", "NA.jpg", "b.jpg"]), st.floats(-1e9, 1e9), min_size=1))
def test_what_was_written_is_read_again(tmp_path_factory, values):
    file = tmp_path_factory.getbasetemp() / "measured.csv"
    measured = pd.DataFrame({"path": [*values], "um": [*values.values()]})
    write_table(measured, file)
    pd.testing.assert_frame_equal(read_measurements(file), measured)
