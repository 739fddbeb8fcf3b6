"""What a head standardises its features with, and how much a photograph weighs."""

import numpy as np

CHUNK = 1024  # rows that are in memory as float64


def moments(
    embeddings: np.ndarray, channels: list[int], balance: float, measured: float
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance to standardise each feature with; a constant feature gets variance 1.

    The variance of a feature from a map with c channels is enlarged so that it
    ends up weighing c^-balance, against 1 on average over all features.
    Features beyond the maps' (`embeddings` may end with measured ones) weigh `measured`.
    """
    mean, variance = mean_and_variance(embeddings)
    weight = np.concatenate([np.full(c, float(c) ** -balance) for c in channels])
    weight = np.tile(weight, embeddings.shape[1] // len(weight))  # means, then deviations
    weight /= np.sqrt(np.mean(weight**2))
    weight = np.concatenate([weight, np.full(embeddings.shape[1] - len(weight), measured)])
    return mean, variance / weight**2


def mean_and_variance(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each column of (n, features); a constant one gets variance 1."""
    chunks = [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]
    mean = sum(chunk.sum(axis=0, dtype=float) for chunk in chunks) / len(rows)
    variance = sum(((chunk - mean) ** 2).sum(axis=0) for chunk in chunks) / len(rows)
    # What varies by rounding alone is constant.
    return mean, np.where(variance > 1e-12 * mean**2, variance, 1.0)


def photograph_weights(grades: np.ndarray, class_weights: str) -> np.ndarray:
    """The weight (n,) of each photograph, 1 on average; "balanced" gives every grade (n,) the same sum."""
    if class_weights == "equal":
        return np.ones(len(grades))
    present, which, count = np.unique(grades, return_inverse=True, return_counts=True)
    return len(grades) / (len(present) * count[which])
