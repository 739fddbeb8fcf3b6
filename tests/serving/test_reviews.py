"""Inspectors' grades are only ever added, and the last of each file counts."""

import dataclasses
import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sabi.runtime.errors import InputError
from sabi.serving.reviews import Review, add, labels, prepare


def review(path: str, grade: str, inspector: str = "a") -> Review:
    return Review(inspector, path, "0" * 64, "", grade, True, "3", 2.9, "model")


def test_a_review_is_neither_changed_nor_deleted(tmp_path):
    file = tmp_path / "reviews.db"
    prepare(file)
    add(file, review("a.jpg", "2"))
    for statement in ("update review set grade = '5'", "delete from review"):
        with sqlite3.connect(file) as db, pytest.raises(sqlite3.IntegrityError, match="add another"):
            db.execute(statement)
    assert labels(file, "a").grade.tolist() == ["2"]


def test_a_file_that_is_another_is_told_and_kept(tmp_path):
    file = tmp_path / "reviews.db"
    file.write_text("notes of an inspector, longer than what SQLite takes for an empty file\n" * 20)
    with pytest.raises(InputError, match=r"reviews.db: file is not a database; .* move it away$"):
        prepare(file)
    assert file.read_text().startswith("notes")
    with pytest.raises(InputError, match=r"unable to open database file"):
        prepare(tmp_path / "none/reviews.db")


@settings(deadline=None, max_examples=10)
@given(
    given=st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.sampled_from("12345")), max_size=8
    )
)
def test_the_last_word_on_each_file_in_the_order_of_the_first(given, tmp_path_factory):
    file = tmp_path_factory.mktemp("reviews") / "reviews.db"
    prepare(file)
    expected: dict[str, str] = {}
    for inspector, path, grade in given:
        add(file, review(path, grade, inspector))
        if inspector == "a":
            expected[path] = grade
    table = labels(file, "a")
    assert list(table) == ["path", "grade", "specimen"]
    assert list(zip(table.path, table.grade, strict=True)) == list(expected.items())


def test_two_photographs_of_one_name_are_two_rows(tmp_path):
    """`labels.csv` then says that the name has several rows; one grade would be lost without a word."""
    file = tmp_path / "reviews.db"
    prepare(file)
    for digest, grade in (("1", "2"), ("2", "5"), ("1", "3")):
        add(file, dataclasses.replace(review("a.jpg", grade), sha256=digest * 64))
    assert labels(file, "a").grade.tolist() == ["3", "5"]
