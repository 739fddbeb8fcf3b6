"""Embeddings on a plane: PCA, t-SNE and UMAP, for the eye only."""

import sys
import warnings
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import pandas as pd

from sabi.runtime.determinism import notices_held_back
from sabi.runtime.errors import InputError
from sabi.settings.evaluate import Method, Projection

COMPONENTS = 50
FEWEST = 10  # different photographs that t-SNE and UMAP can say anything of
SAME = 1e-6  # standard deviation below which features, or photographs, are all but equal


def project(embeddings: list[np.ndarray], params: Projection) -> pd.DataFrame:
    """Columns row, and pca_x, pca_y and so on of each of `params.methods`, of the members' joint embedding.

    `embeddings` are (n, features) each; features are standardised, each
    member weighs the same, and t-SNE and UMAP start from the first 50
    principal components. Of more than `params.photographs` rows an even
    choice is shown; `row` tells which. Of fewer than ten different rows, or of
    rows that are all but equal, every map is the PCA. Raises `InputError` for
    what is not a number.
    """
    from sklearn.decomposition import PCA

    count = len(embeddings[0])
    chosen = np.unique(np.linspace(0, count - 1, min(count, params.photographs)).astype(int))
    joint = np.hstack([_standardised(member[chosen]) for member in embeddings])
    if not np.isfinite(joint).all():
        raise InputError("data/networks: embeddings that are not numbers cannot be mapped; train again")
    with np.errstate(invalid="ignore"):  # where all are equal, each component's share of nothing
        components = PCA(min(COMPONENTS, *joint.shape), svd_solver="full").fit_transform(joint)
    if components.shape[1] < 2:
        components = np.column_stack([components, np.zeros(len(components))])
    # Equal photographs are one point: t-SNE of nothing but such ones would end the process.
    points: dict[bytes, int] = {}
    point = [points.setdefault(row.tobytes(), len(points)) for row in joint]
    different = components[[point.index(number) for number in range(len(points))]]
    pca = components[:, :2]
    planes: dict[Method, np.ndarray] = dict.fromkeys(params.methods, pca)
    if len(different) >= FEWEST and different.std() > SAME:
        planes |= {
            name: NEIGHBOURS[name](different, params.seed)[point] for name in planes if name in NEIGHBOURS
        }
    columns = {f"{name}_{axis}": plane[:, i] for name, plane in planes.items() for i, axis in enumerate("xy")}
    return pd.DataFrame({"row": chosen, **columns})


def _standardised(member: np.ndarray) -> np.ndarray:
    rows = member.astype(float)
    deviation = rows.std(axis=0)
    rows = (rows - rows.mean(axis=0)) / np.where(deviation > SAME, deviation, 1)
    return rows / np.sqrt(rows.shape[1])


def _tsne(components: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.manifold import TSNE

    perplexity = min(30, (len(components) - 1) / 3)
    return TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(components)


def _umap(components: np.ndarray, seed: int) -> np.ndarray:
    neighbours = min(15, len(components) - 1)
    with warnings.catch_warnings(action="ignore"):
        # Loads TensorFlow, too, for a part of UMAP's that is not used here.
        with notices_held_back():
            from umap import UMAP

        _keep_compiled()
        # A seed makes UMAP run on one thread, in one order.
        return UMAP(n_neighbors=neighbours, random_state=seed).fit_transform(components)


NEIGHBOURS: dict[Method, Callable[[np.ndarray, int], np.ndarray]] = {"tsne": _tsne, "umap": _umap}


def _keep_compiled() -> None:
    """Let numba keep what it compiles of UMAP beside UMAP's own files.

    To compile it again in every process takes ten times as long as to run it.
    """
    from numba.core.dispatcher import Dispatcher

    modules = [module for name, module in sys.modules.items() if name.startswith("umap.")]
    for function in [value for module in modules for value in vars(module).values()]:
        if isinstance(function, Dispatcher):
            with suppress(RuntimeError):  # there is no folder that may be written
                function.enable_caching()
