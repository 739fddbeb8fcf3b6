"""The maps of the embeddings."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from sabi.evaluation.projection import project
from sabi.runtime.errors import InputError
from sabi.settings.evaluate import Projection
from tests.conftest import ROOT

COLUMNS = ["row", "pca_x", "pca_y", "tsne_x", "tsne_y", "umap_x", "umap_y"]


def settings(seed: int, photographs: int, *methods: str) -> Projection:
    return Projection(methods=list(methods or ("pca", "tsne", "umap")), seed=seed, photographs=photographs)


def in_a_process(code: str) -> subprocess.CompletedProcess[str]:
    """What a process of its own printed, which must not fail."""
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended


def members(photographs: int) -> list[np.ndarray]:
    """Embeddings of two members, with a feature that is always the same."""
    random = np.random.default_rng(photographs)
    embeddings = [random.normal(size=(photographs, features)).astype(np.float32) for features in (40, 24)]
    embeddings[0][:, 0] = 7
    return embeddings


@pytest.mark.slow  # the first UMAP of a process is compiled
@pytest.mark.parametrize(
    ("photographs", "most", "shown", "columns"),
    [
        (90, 40, 40, COLUMNS),
        *((*counts, COLUMNS[:3]) for counts in ((10, 10, 10), (30, 2000, 30), (41, 40, 40))),
    ],
)
def test_maps_show_at_most_the_photographs_asked_for_and_evenly(photographs, most, shown, columns):
    methods = [name.removesuffix("_x") for name in columns if name.endswith("_x")]
    maps = project(members(photographs), settings(1, most, *methods))
    assert list(maps.columns) == columns
    assert len(maps) == shown
    assert np.isfinite(maps.to_numpy()).all()
    assert maps.drop(columns="row").nunique().min() > 1
    gaps = np.diff(maps.row)
    assert (maps.row.iloc[0], maps.row.iloc[-1]) == (0, photographs - 1)
    assert gaps.min() > 0 and gaps.max() <= gaps.min() + 1


@pytest.mark.slow
def test_an_embedding_of_few_features_has_maps_too():
    few = [np.random.default_rng(3).normal(size=(60, 7)).astype(np.float32)]
    maps = project(few, settings(seed=1, photographs=100))
    assert maps.shape == (60, 7) and np.isfinite(maps.to_numpy()).all()


@pytest.mark.slow
def test_maps_are_the_same_bytes_again_and_others_for_another_seed():
    first, again, other = (project(members(50), settings(seed=s, photographs=100)) for s in (1, 1, 2))
    assert first.to_csv() == again.to_csv()
    assert not np.allclose(first.umap_x, other.umap_x)


@pytest.mark.slow
@pytest.mark.parametrize("methods", [["pca"], ["umap"], ["tsne", "pca"]])
def test_only_the_maps_asked_for_are_made_and_they_are_the_same_bytes(methods):
    everything = project(members(50), settings(1, 100))
    chosen = ["row", *(f"{name}_{axis}" for name in methods for axis in "xy")]
    assert project(members(50), settings(1, 100, *methods)).to_csv() == everything[chosen].to_csv()


def test_a_map_without_umap_loads_no_tensorflow():
    code = """
import sys
from tests.evaluation.test_projection import members, project, settings
project(members(20), settings(1, 100, "pca", "tsne"))
print("tensorflow" in sys.modules, "umap" in sys.modules)
"""
    assert in_a_process(code).stdout.split() == ["False", "False"]


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(9).normal(size=shape).astype(np.float32)


# Too few different rows, or all but equal ones: scikit-learn's t-SNE ends the process at some of them.
POINTLESS = {
    "equal": np.full((30, 8), 3, np.float32),
    "nothing": np.zeros((30, 8), np.float32),
    "tiny": normal(30, 8) * np.float32(1e-30),
    "denormal": normal(30, 8) * np.float32(1e-42),
    "nearly equal": 3 + normal(30, 8) * np.float32(1e-7),
    "one other": np.concatenate([np.zeros((29, 8), np.float32), normal(1, 8)]),
    "two groups": np.repeat(normal(2, 8), 15, axis=0),
    "nine groups": np.repeat(normal(9, 8), 4, axis=0),
    "two rows": normal(2, 8),
    "five rows": normal(5, 8),
    "one feature": normal(5, 1),
}
EVERY_ONE = """
from tests.evaluation.test_projection import POINTLESS, UNEVEN, project, settings
for embeddings in [*POINTLESS.values(), *UNEVEN.values()]:
    maps = project([embeddings], settings(seed=1, photographs=40))
    print(len(maps) == len(embeddings) and maps.notna().all(axis=None) and abs(maps).max(axis=None) < 1e9)
"""
# Of these there is something to be seen.
UNEVEN = {
    "huge": normal(30, 8) * np.float32(1e37),
    "half are equal": np.concatenate([np.repeat(normal(1, 8), 20, axis=0), normal(20, 8) + 1]),
    "ten groups": np.repeat(normal(10, 8), 4, axis=0),
    "a line": np.outer(np.arange(30), np.ones(8)).astype(np.float32),
    "one feature of many": normal(30, 1),
}


@pytest.mark.slow
def test_whatever_the_embeddings_are_there_is_a_map_and_no_dead_process():
    ended = in_a_process(EVERY_ONE)
    assert ended.stdout.split() == ["True"] * (len(POINTLESS) + len(UNEVEN)), ended.stderr
    assert "RuntimeWarning" not in ended.stderr


@pytest.mark.slow
def test_equal_photographs_are_one_point_and_change_no_others():
    some = normal(20, 8)
    maps = project([np.concatenate([some, some[:5]])], settings(seed=1, photographs=40))
    planes = maps.drop(columns="row").round(6)
    assert planes[20:].reset_index(drop=True).equals(planes[:5])
    assert len(planes[["tsne_x", "umap_x"]].drop_duplicates()) == 20


def test_what_is_no_number_is_said_in_one_line():
    for wrong in (np.nan, np.inf):
        embeddings = normal(30, 8)
        embeddings[3, 4] = wrong
        with np.errstate(invalid="ignore"), pytest.raises(InputError, match="not numbers cannot be mapped"):
            project([embeddings], settings(seed=1, photographs=40))


@pytest.mark.slow
def test_alike_photographs_lie_together_in_every_map():
    group = np.repeat([0, 1], 30)
    maps = project([m + 8 * group[:, None] for m in members(60)], settings(seed=1, photographs=100))
    for name in ("pca", "tsne", "umap"):
        plane = maps[[f"{name}_x", f"{name}_y"]]
        centres = plane.groupby(group).transform("mean")
        others = pd.DataFrame(centres.to_numpy()[::-1], columns=plane.columns)
        assert (((plane - centres) ** 2).sum(axis=1) < ((plane - others) ** 2).sum(axis=1)).all(), name


@pytest.mark.slow
def test_another_process_makes_the_same_bytes():
    code = """
from tests.evaluation.test_projection import members, project, settings
print(project(members(10), settings(seed=1, photographs=10)).to_csv())
"""
    maps = project(members(10), settings(seed=1, photographs=10))
    assert in_a_process(code).stdout == f"{maps.to_csv()}\n"
