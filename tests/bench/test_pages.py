"""A part of a page is replaced, nothing around it; marks that are missing are told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sabi.bench.pages import SPEED, SURVEY, renew
from sabi.runtime.errors import InputError
from tests.conftest import ROOT

START, END = "<!-- bench: begin -->\n", "<!-- bench: end -->"
texts = st.text("a <!->\n錆")


@given(head=texts, old=texts, tail=texts, new=texts)
def test_only_what_stands_between_the_marks_is_replaced(head, old, tail, new, tmp_path_factory):
    page = tmp_path_factory.mktemp("pages") / "speed.md"
    page.write_text(f"{head}{START}{old}{END}{tail}", encoding="utf-8")
    renew(page, "bench", new)
    assert page.read_text(encoding="utf-8") == f"{head}{START}{new}{END}{tail}"


@pytest.mark.parametrize("text", ["", START, END, END + START, f"{START}{END}{START}{END}"])
def test_without_one_part_of_the_name_the_page_is_left_alone(text, tmp_path):
    page = tmp_path / "speed.md"
    page.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"speed\.md: expected one part between <!-- bench: begin -->"):
        renew(page, "bench", "new\n")
    assert page.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(("page", "name"), [(SURVEY, "survey"), (SPEED, "bench")])
def test_the_page_that_a_command_writes_has_its_part(page, name, tmp_path):
    copy = tmp_path / page.name
    copy.write_bytes((ROOT / page).read_bytes())
    renew(copy, name, "new\n")
    assert f"<!-- {name}: begin -->\nnew\n<!-- {name}: end -->" in copy.read_text(encoding="utf-8")
