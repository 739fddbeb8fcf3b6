"""YAML is read as DVC reads it."""

import pytest
from dvc.utils.serialize import dumps_yaml, loads_yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sabi.settings.reading import read_parameters, read_yaml
from tests.conftest import ROOT

PLAIN = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=20),
    st.sampled_from(
        ["no", "yes", "on", "off", "~", "null", "1e3", "0o17", "1:30", "2026-01-01", ".inf", "="]
    ),
    st.integers(-(10**9), 10**9),
    st.floats(allow_nan=False),
    st.booleans(),
    st.none(),
)
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab", min_size=1), inner)
)


@given(VALUES)
@settings(max_examples=200)
def test_what_dvc_writes_is_read_as_it_was(value):
    written = dumps_yaml({"value": value})
    assert read_yaml(written) == read_parameters(written) == {"value": value}


@pytest.mark.parametrize("name", ["params.yaml", "dvc.yaml"])
def test_the_projects_files_are_read_as_dvc_reads_them(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert read_yaml(text) == loads_yaml(text)
