"""Tables and arrays that stages hand on."""

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sabi import tables
from sabi.grades import Grades
from sabi.photographs.partition import PARTITIONS
from sabi.runtime.errors import InputError


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("member") / "embeddings.npy"


@given(st.lists(st.sampled_from(PARTITIONS), min_size=1, max_size=40))
def test_embeddings_are_written_in_the_manifests_order_as_numpy_would(file, partitions):
    manifest = pd.DataFrame({"partition": partitions})
    whole = np.arange(len(manifest) * 5, dtype=np.float32).reshape(-1, 5)
    rows = {part: whole[manifest.partition == part] for part in PARTITIONS}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "AT_ONCE", 7)
        tables.write_rows(rows, manifest.partition, file)
    expected = io.BytesIO()
    np.save(expected, whole)
    assert file.read_bytes() == expected.getvalue()


def test_nested_values_have_dotted_names():
    nested = {"a": {"b": 1, "c": {"d": [2]}}, "e": None, "f": {}}
    assert list(tables.flat(nested)) == [("a.b", 1), ("a.c.d", [2]), ("e", None)]


COUNTED = {"path": ["a", "b", "c"], "grade": [1, 2, 4], "before": [1, 1, 1], "soft_score": [1.0, 2.5, 4.0]}


@pytest.mark.parametrize("names", [("2", "3", "4", "5"), ("NA", "007", "true", "1e3"), "1234"])
def test_a_table_for_people_names_grades_and_code_counts_them(tmp_path, names):
    rating, table = Grades(tuple(names), 2), pd.DataFrame(COUNTED)
    tables.write_graded(table, rating, tmp_path / "table.csv")
    people = tables.read_table(tmp_path / "table.csv")
    assert people.grade.tolist() == [names[0], names[1], names[3]] and set(people.before) == {names[0]}
    assert people.soft_score.tolist() == ([2.0, 3.5, 5.0] if names[0] == "2" else COUNTED["soft_score"])
    pd.testing.assert_frame_equal(tables.read_graded(tmp_path / "table.csv", rating), table)


def test_a_table_of_the_default_grades_is_the_same_bytes_as_its_numbers(tmp_path):
    table = pd.DataFrame(COUNTED)
    tables.write_graded(table, Grades(tuple("12345"), 3), tmp_path / "graded.csv")
    tables.write_table(table, tmp_path / "plain.csv")
    assert (tmp_path / "graded.csv").read_bytes() == (tmp_path / "plain.csv").read_bytes()


def test_a_grade_of_another_rating_is_named(tmp_path):
    tables.write_table(pd.DataFrame(COUNTED), tmp_path / "table.csv")
    said = r"table.csv: grade '1' is none of labels.grades \(2, 3, 4, 5\); run `dvc repro`"
    with pytest.raises(InputError, match=said):
        tables.read_graded(tmp_path / "table.csv", Grades(tuple("2345"), 2))


def test_a_table_without_rows_is_read_too(tmp_path):
    tables.write_graded(pd.DataFrame(COUNTED)[:0], Grades(tuple("2345"), 2), tmp_path / "table.csv")
    again = tables.read_graded(tmp_path / "table.csv", Grades(tuple("2345"), 2))
    assert again.empty and list(again) == list(COUNTED)
