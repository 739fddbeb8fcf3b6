"""Tables and arrays that stages hand on."""

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sabi import tables
from sabi.photographs.partition import PARTITIONS


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
