"""How unlike a photograph is to those that the networks have learnt from.

By its distance to the nearest of them, in the features that the heads see. It
is unlike if hardly any photograph of validation lies so far away.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.distance import cdist

from sabi.grading.conformal import quantile

MOST = 2000  # training photographs kept: a model that is taken along stays small


@dataclass(frozen=True)
class Neighbours:
    """Training photographs, by `paths`, and their `features` (n, f) float32."""

    paths: list[str]
    features: np.ndarray

    @classmethod
    def load(cls, file: Path) -> "Neighbours":
        """What `save` wrote."""
        with np.load(file) as arrays:
            return cls(arrays["paths"].tolist(), arrays["features"])

    def save(self, file: Path) -> None:
        """Write them, NumPy's npz."""
        np.savez(file, allow_pickle=False, paths=np.array(self.paths), features=self.features)

    def nearest(self, features: np.ndarray) -> tuple[np.ndarray, list[str]]:
        """The Euclidean distance (n,) of each row of `features` (n, f) to the nearest, and that one's path.

        Each pair by itself, not by a matrix product: a row has the same bits in any company.
        """
        distances = cdist(features, self.features)
        places = distances.argmin(axis=1)
        return distances[np.arange(len(features)), places], [self.paths[place] for place in places]


def spread(count: int) -> np.ndarray:
    """Which of so many training photographs are kept: all, or `MOST` evenly taken."""
    return np.unique(np.linspace(0, count - 1, min(count, MOST)).round().astype(int))


def farthest(distances: np.ndarray, specimens: np.ndarray, false_alarms: float) -> float:
    """The distance beyond which a photograph is unlike, from those (n,) of validation.

    Of new specimens like these, at most the share `false_alarms` lies beyond it. The
    largest of all where they are too few to say so.
    """
    return min(quantile(distances, specimens, 1 - false_alarms), float(distances.max()))
