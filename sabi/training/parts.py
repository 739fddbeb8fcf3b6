"""What every training takes and gives."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sabi.backbones.embedder import Embedder
from sabi.models.head import Head

# A step's number (epoch, or penalty of the ridge head) and its values.
Log = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class Part:
    """A partition: its photographs and their stored copies, one version after the other."""

    rows: pd.DataFrame  # of the manifest
    pixels: np.ndarray  # (versions, n, size, size, 3) uint8
    scores: np.ndarray  # (versions, n) what each version is trained on; elsewhere the grade
    measured: np.ndarray  # (n, features) float32; no features unless train.measured


@dataclass(frozen=True)
class Fitted:
    """A head that has learnt, and how it went."""

    head: Head
    curve: pd.DataFrame  # a row per step
    best: int  # the row that was kept
    # Scores (n,) of the training photographs by heads that have learnt from other specimens alone, where
    # there were such: those of a cross-validation.
    out_of_fold: np.ndarray | None = None


def features(embed: Embedder, part: Part, label: str, versions: int | None = None) -> np.ndarray:
    """Embeddings and measured features (versions * n, features) float32 of the first `versions`, or all."""
    pixels = part.pixels[:versions]
    embeddings = embed(pixels.reshape(-1, *pixels.shape[2:]), label)
    if not part.measured.shape[1]:
        return embeddings  # not a copy: it may be large
    return np.hstack([embeddings, np.tile(part.measured, (len(pixels), 1))])
