"""A part of the README is replaced, nothing around it; marks that are missing are told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sabi.bench.readme import renew
from sabi.runtime.errors import InputError

START, END = "<!-- bench: begin -->\n", "<!-- bench: end -->"
texts = st.text("a <!->\n錆")


@given(head=texts, old=texts, tail=texts, new=texts)
def test_only_what_stands_between_the_marks_is_replaced(head, old, tail, new, tmp_path_factory):
    file = tmp_path_factory.mktemp("readme") / "README.md"
    file.write_text(f"{head}{START}{old}{END}{tail}", encoding="utf-8")
    renew("bench", new, file)
    assert file.read_text(encoding="utf-8") == f"{head}{START}{new}{END}{tail}"


@pytest.mark.parametrize("text", ["", START, END, END + START, f"{START}{END}{START}{END}"])
def test_without_one_part_of_the_name_the_file_is_left_alone(text, tmp_path):
    file = tmp_path / "README.md"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"README\.md: expected one part between <!-- bench: begin -->"):
        renew("bench", "new\n", file)
    assert file.read_text(encoding="utf-8") == text
