"""The maps of the embeddings."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from sabi.evaluation.projection import project
from sabi.settings.evaluate import Projection
from tests.conftest import ROOT

COLUMNS = ["row", "pca_x", "pca_y", "tsne_x", "tsne_y", "umap_x", "umap_y"]


def members(photographs: int) -> list[np.ndarray]:
    """Embeddings of two members, with a feature that is always the same."""
    random = np.random.default_rng(photographs)
    embeddings = [random.normal(size=(photographs, features)).astype(np.float32) for features in (40, 24)]
    embeddings[0][:, 0] = 7
    return embeddings


@pytest.mark.slow  # the first UMAP of a process is compiled
@pytest.mark.parametrize(
    ("photographs", "most", "shown"), [(10, 10, 10), (30, 2000, 30), (90, 40, 40), (41, 40, 40)]
)
def test_maps_show_at_most_the_photographs_asked_for_and_evenly(photographs, most, shown):
    maps = project(members(photographs), Projection(seed=1, photographs=most))
    assert list(maps.columns) == COLUMNS
    assert len(maps) == shown
    assert np.isfinite(maps.to_numpy()).all()
    assert maps.drop(columns="row").nunique().min() > 1
    gaps = np.diff(maps.row)
    assert (maps.row.iloc[0], maps.row.iloc[-1]) == (0, photographs - 1)
    assert gaps.min() > 0 and gaps.max() <= gaps.min() + 1


@pytest.mark.slow
def test_an_embedding_of_few_features_has_maps_too():
    few = [np.random.default_rng(3).normal(size=(60, 7)).astype(np.float32)]
    maps = project(few, Projection(seed=1, photographs=100))
    assert maps.shape == (60, 7) and np.isfinite(maps.to_numpy()).all()


@pytest.mark.slow
def test_maps_are_the_same_bytes_again_and_others_for_another_seed():
    first, again, other = (project(members(50), Projection(seed=s, photographs=100)) for s in (1, 1, 2))
    assert first.to_csv() == again.to_csv()
    assert not np.allclose(first.umap_x, other.umap_x)


@pytest.mark.slow
def test_alike_photographs_lie_together_in_every_map():
    group = np.repeat([0, 1], 30)
    maps = project([m + 8 * group[:, None] for m in members(60)], Projection(seed=1, photographs=100))
    for name in ("pca", "tsne", "umap"):
        plane = maps[[f"{name}_x", f"{name}_y"]]
        centres = plane.groupby(group).transform("mean")
        others = pd.DataFrame(centres.to_numpy()[::-1], columns=plane.columns)
        assert (((plane - centres) ** 2).sum(axis=1) < ((plane - others) ** 2).sum(axis=1)).all(), name


@pytest.mark.slow
def test_another_process_makes_the_same_bytes():
    code = """
from tests.evaluation.test_projection import Projection, members, project
print(project(members(10), Projection(seed=1, photographs=10)).to_csv())
"""
    printed = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    maps = project(members(10), Projection(seed=1, photographs=10))
    assert printed.stdout == f"{maps.to_csv()}\n"
