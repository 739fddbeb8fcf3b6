"""Loading a package without others that it would load if it found them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(*packages: str) -> Iterator[None]:
    """In the block, imports find none of `packages` that is not loaded yet.

    Keras and UMAP load packages for parts of theirs that are not used here, which takes seconds.
    """
    hidden = [package for package in packages if package not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        for package in hidden:
            if sys.modules[package] is None:
                del sys.modules[package]
