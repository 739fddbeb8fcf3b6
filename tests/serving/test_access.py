"""Which language a browser wishes for."""

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st

from sabi.serving.access import language_of
from sabi.words.texts import LANGUAGES


def asked(header: str) -> Request:
    return Request({"type": "http", "headers": [(b"accept-language", header.encode("latin-1", "replace"))]})


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("ja", "ja"),
        ("JA-JP, en;q=0.5", "ja"),
        ("en;q=0.2, ja;q=0.3", "ja"),
        ("ja;q=0, en", "en"),
        ("ja;q=0", "en"),
        ("de, fr;q=0.5", "en"),
        ("ja;q=nonsense, en", "ja"),
    ],
)
def test_the_language_that_is_liked_best(header, language):
    assert language_of(asked(header)) == language


@given(st.text(alphabet="jaen-;,=q.01 *\x00é", max_size=40))
def test_any_header_gives_a_language(header):
    assert language_of(asked(header)) in LANGUAGES
