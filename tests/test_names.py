"""Names that a reader takes for the same have one spelling; others keep apart."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sabi.names import as_number, normal, normal_path, normal_pattern

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("bridge7-G1", "bridge7-G1"),
        ("ブリッジ", "ブリッジ"),
        (unicodedata.normalize("NFD", "ブリッジ"), "ブリッジ"),
        ("ﾌﾞﾘｯｼﾞ", "ブリッジ"),
        ("橋１２", "橋12"),
        ("橋 12 ", "橋 12"),
        ("橋\u300012", "橋 12"),
        ("橋  12", "橋 12"),
        ("\ufeff橋12", "橋12"),
        ("橋12\u200e", "橋12"),
        ("辻\U000e0100橋", "辻橋"),
        ("橋1〜2", "橋1~2"),
        ("橋1～2", "橋1~2"),
        ("橋1−2", "橋1-2"),
        ("橋1－2", "橋1-2"),
        ("Bridge", "Bridge"),
        ("", ""),
    ],
)
def test_names_that_read_the_same_have_one_spelling(name, spelled):
    assert normal(name) == spelled


@given(TEXT)
def test_the_spelling_is_the_same_for_every_form_and_for_itself(name):
    assert normal(normal(name)) == normal(name)
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert normal(unicodedata.normalize(form, name)) == normal(name)


def test_a_path_is_spelled_part_by_part():
    assert normal_path("橋 １ /\ufeffa.jpg") == "橋 1/a.jpg"


@pytest.mark.parametrize(
    ("pattern", "name", "group"),
    [
        ("_(橋[0-9]+)-", "3_橋１２-1.jpg", "橋12"),
        ("_(橋[0-9〜]+)−", "3_橋1～2-1.jpg", "橋1~2"),
        ("_(橋[０-９]+)-", "3_橋12-1.jpg", "橋12"),
        ("（(.+)）", "3_（橋1）.jpg", "橋1"),
        ("[（(](.+)[)）]", "3_(橋1).jpg", "橋1"),
        ("_(橋\u3000[0-9])", "3_橋　1.jpg", "橋 1"),
        (f"_({unicodedata.normalize('NFD', 'ブ')}[0-9])", "3_ブ1.jpg", "ブ1"),
        ("_(ﾌﾞ[0-9])", "3_ブ1.jpg", "ブ1"),
        (r"_([^/]+?)\s*[-.]", "3_a b -1.jpg", "a b"),
    ],
)
def test_a_pattern_finds_in_normal_names_what_it_was_written_for(pattern, name, group):
    assert re.search(normal_pattern(pattern), normal_path(name)).group(1) == group


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5", 5),
        ("５", 5),
        ("5.0", 5),
        (" ０．２１ ", 0.21),
        (".25", 0.25),
        ("-1e-3", -0.001),
        ("007", 7),
        ("0,21", 0.21),
        ("312,5", 312.5),
        ("0,123", 0.123),
        ("-1234,5", -1234.5),
        ("０，５", 0.5),
    ],
)
def test_numbers_are_read_in_any_width(text, number):
    assert as_number(text) == number


@pytest.mark.parametrize(
    "text",
    ["", "1_0", "nan", "inf", "0x5", "5 mm", "1,234", "1,2,3", ",5", "1,2e3", "1.2.3", "五", "②x", "."],
)
def test_what_is_no_decimal_number_is_none(text):
    assert as_number(text) is None
