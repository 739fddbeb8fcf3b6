"""Real files from cameras, where the laboratory's shared folder lies beside the repository."""

import pytest

from sabi.photographs.decoding import decode, prepared
from sabi.photographs.manifest import check_enough, split
from sabi.settings.loading import load
from tests.conftest import ROOT

REAL = ROOT.parent / "shared" / "real" / "leaf-rust"


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_dir(), reason="no ../shared/real/leaf-rust beside the repository")
def test_every_real_photograph_is_used():
    chosen = load(ROOT / "params.yaml")
    manifest, rejected, _, summary = split(REAL, chosen)
    check_enough(manifest, rejected, summary, REAL, chosen)
    assert rejected.empty and summary["drawings"] == 0
    # The counts that come with the data set, grade 1 to 5.
    assert manifest.grade.value_counts().sort_index().tolist() == [39, 45, 134, 313, 272]
    pixels = prepared(decode(REAL / manifest.path[0]), 64, None, None)
    assert pixels.shape == (64, 64, 3) and pixels.std() > 10
