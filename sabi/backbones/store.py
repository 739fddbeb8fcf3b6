"""Embeddings, computed once: looked up in the store."""

import hashlib
from collections.abc import Callable

import numpy as np
from tqdm import tqdm

from sabi.runtime.store import Store

BATCHES = 16  # computed between two commits: what a kill loses at most
LOOKUPS = 1024  # photographs looked up at a time, so that their embeddings are in memory only once


def cached(
    store: Store,
    recipe: str,
    pixels: np.ndarray,
    compute: Callable[[np.ndarray, str | None], np.ndarray],
    batch: int,
    label: str | None = None,
) -> tuple[np.ndarray, int]:
    """Embeddings (n, f) float32 of `pixels` (n, s, s, 3) uint8, n > 0, and how many came from the store.

    Each distinct photograph that the store lacks goes once to `compute`, which
    turns (m, s, s, 3) into (m, f) and must give a photograph's embedding the
    same bits whatever comes with it; they are kept every few `batch`es.
    `label` shows a progress bar.
    """
    digests = [hashlib.sha256(photograph.tobytes()).digest() for photograph in pixels]
    embeddings = np.empty((len(digests), 0), np.float32)  # until the first tells their length
    missing: dict[bytes, list[int]] = {}
    for start in range(0, len(digests), LOOKUPS):
        block = digests[start : start + LOOKUPS]
        for i, content in enumerate(store.get(recipe, block), start):
            if content is None:
                missing.setdefault(digests[i], []).append(i)
                continue
            embedding = np.frombuffer(content, "<f4")
            if not embeddings.shape[1]:
                embeddings = np.empty((len(digests), len(embedding)), np.float32)
            embeddings[i] = embedding
    reused = len(digests) - sum(map(len, missing.values()))
    with tqdm(total=len(missing), desc=label, disable=label is None or not missing, unit="photograph") as bar:
        lacking = list(missing)
        for start in range(0, len(lacking), BATCHES * batch):
            chunk = lacking[start : start + BATCHES * batch]
            computed = compute(pixels[[missing[digest][0] for digest in chunk]], None)
            store.put(recipe, chunk, computed.astype("<f4", copy=False))
            if not embeddings.shape[1]:
                embeddings = np.empty((len(digests), computed.shape[1]), np.float32)
            for digest, embedding in zip(chunk, computed, strict=True):
                embeddings[missing[digest]] = embedding
            bar.update(len(chunk))
    return embeddings, reused
