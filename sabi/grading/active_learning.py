"""Which photographs an inspector should grade next: those that would teach the model most.

k-centre (Sener and Savarese, Active learning for convolutional neural
networks, ICLR 2018): each time the photograph farthest from all that are known,
in the features that the heads see, so that those chosen are unlike each other;
its distance weighed by how much its grade is in doubt.
"""

import numpy as np
from scipy.spatial.distance import cdist


def choose(features: np.ndarray, doubt: np.ndarray, distances: np.ndarray, count: int) -> list[int]:
    """The rows of `features` (n, f) to be graded next, the one that would teach most first; `count` at most.

    `doubt` (n,), 0 or more, weighs the photographs, `distances` (n,) are to what is known already.
    """
    left = distances.astype(float).copy()
    chosen: list[int] = []
    for _ in range(min(count, len(features))):
        weighed = doubt * left
        weighed[chosen] = -1
        best = int(np.argmax(weighed))
        chosen.append(best)
        left = np.minimum(left, cdist(features, features[best : best + 1])[:, 0])
    return chosen
