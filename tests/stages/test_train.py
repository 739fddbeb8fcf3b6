"""What the stage hands on, beside what `test_fitting` and `test_loop` show of the training itself."""

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sabi.photographs.partition import PARTITIONS
from stages import train


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("member") / "embeddings.npy"


@given(st.lists(st.sampled_from(PARTITIONS), min_size=1, max_size=40))
def test_embeddings_are_written_in_the_manifests_order_as_numpy_would(file, partitions):
    manifest = pd.DataFrame({"partition": partitions})
    whole = np.arange(len(manifest) * 5, dtype=np.float32).reshape(-1, 5)
    rows = {part: whole[manifest.partition == part] for part in PARTITIONS}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "AT_ONCE", 7)
        train.write_in_order(file, manifest, rows)
    expected = io.BytesIO()
    np.save(expected, whole)
    assert file.read_bytes() == expected.getvalue()
