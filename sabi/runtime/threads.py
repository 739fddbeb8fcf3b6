"""Work on many things at once, in the order and with the bits of one after another."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from tqdm import tqdm

T = TypeVar("T")
R = TypeVar("R")

# Each holds a whole photograph in memory, so not one for each of many cores.
AT_ONCE = min(os.cpu_count() or 1, 4)


def map_threads(
    function: Callable[[T], R],
    items: Iterable[T],
    label: str | None = None,
    unit: str = "photo",
    at_once: int = AT_ONCE,
) -> list[R]:
    """`[function(item) for item in items]` in `at_once` threads, order kept; `label` shows a progress bar."""
    items = list(items)
    with ThreadPoolExecutor(at_once) as pool:
        return list(
            tqdm(pool.map(function, items), total=len(items), desc=label, disable=label is None, unit=unit)
        )


def in_batches(
    function: Callable, rows: Any, batch: int, label: str | None = None, at_once: int = 1
) -> np.ndarray:
    """`function` over `rows` (n, ...) in batches of exactly `batch`, results joined.

    The last batch is filled up with zeros and cut afterwards: a row's result
    then has the same bits whatever number of rows it comes with. `at_once`
    threads share the batches. A progress bar is shown if there is a `label`.
    """

    def of(start: int) -> np.ndarray:
        chunk = np.asarray(rows[start : start + batch])
        padded = np.zeros((batch, *chunk.shape[1:]), chunk.dtype)
        padded[: len(chunk)] = chunk
        return np.asarray(function(padded))[: len(chunk)]

    return np.concatenate(map_threads(of, range(0, len(rows), batch), label, "batch", at_once))
