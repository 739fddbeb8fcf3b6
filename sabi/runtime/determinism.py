"""What must be fixed before NumPy or TensorFlow loads, and the seeds after.

The same program gives other last bits with another instruction set, another
number of BLAS threads, or a GPU. `pin_environment` fixes these for the whole
process; the doors, `stages/__init__.py` and `sabi/cli.py`, call it before all
else. Importing anything else of sabi changes nothing: a notebook or a server that
wants the same bits calls it itself. How many threads TensorFlow's work is spread
over (`TF_NUM_INTRAOP_THREADS`) stays the user's: with oneDNN the networks give
the same bits for any.
"""

import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sabi.runtime.repository import repository_root

# Most x86-64 processors since 2015 have AVX2 with FMA; newer ones would otherwise
# take AVX-512 paths and round differently.
PINNED = {
    # oneDNN gives the same bits for any number of threads; Eigen's kernels,
    # which run without it, do not.
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "TF_DETERMINISTIC_OPS": "1",
    # A GPU gives other bits than a processor.
    "CUDA_VISIBLE_DEVICES": "-1",
    # OpenBLAS and OpenMP add up in another order with another number of threads.
    "OPENBLAS_CORETYPE": "Haswell",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    # numba compiles UMAP for the processor it finds unless told which.
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "",
    "NUMBA_NUM_THREADS": "1",
    # TensorFlow would complain that the GPU hidden above is not there.
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
# How the lines begin that it writes all the same: a heading, and what is for information.
NOTICES = (b"WARNING: All log messages before absl::InitializeLog", b"I0000 ")


WISHED_THREADS = os.environ.get("TF_NUM_INTRAOP_THREADS") or "0"
# That the user or, where none is wished for, the machine gives TensorFlow.
THREADS = int(WISHED_THREADS) if WISHED_THREADS.isdecimal() else 0
THREADS = THREADS or len(os.sched_getaffinity(0))


def pin_environment() -> None:
    """Set `PINNED` for this process and its children, over the user's own values.

    A user without a folder for caches gets one in the repository.

    Warns with `RuntimeWarning` if NumPy was loaded already under other
    settings, because then it is too late for this process.
    """
    if "numpy" in sys.modules and any(os.environ.get(k) != v for k, v in PINNED.items()):
        warnings.warn(
            "numpy was imported before the processor's paths were pinned: bits may differ from another "
            "machine's; import `stages` or `sabi.cli`, or call `pin_environment`, before numpy",
            RuntimeWarning,
            stacklevel=3,  # who imported the door
        )
    os.environ.update(PINNED)
    if not _can_make(os.environ.get("XDG_CACHE_HOME") or "~/.cache"):
        # numba, and so UMAP, does not load where it can keep nothing; Matplotlib complains.
        kept = repository_root() / ".dvc/tmp"
        os.environ.setdefault("NUMBA_CACHE_DIR", str(kept / "numba"))
        os.environ.setdefault("MPLCONFIGDIR", str(kept / "matplotlib"))


def _can_make(path: str) -> bool:
    """Whether this process can make a folder, or write to it; a user without a home has none."""
    try:
        folder = Path(path).expanduser()
    except RuntimeError:  # a user whom the system does not know
        return False
    there = next((place for place in (folder, *folder.parents) if place.exists()), folder)
    return folder.is_absolute() and there.is_dir() and os.access(there, os.W_OK)


def fix_threads(count: int) -> None:
    """Let TensorFlow use `count` threads whatever the machine has; to be called before it loads.

    Unlike a forward pass, the gradients of a network have other last bits with
    another number of threads.
    """
    os.environ["TF_NUM_INTRAOP_THREADS"] = str(count)


def pin_tensorflow() -> None:
    """Load TensorFlow, switch on its deterministic ops, and off what rounds differently on other processors.

    Its graph optimiser replaces divisions and square roots, which every
    processor rounds correctly, by `reciprocal` and `rsqrt`, which are made from
    the processor's approximate instructions: other models, other last bits.
    """
    with notices_held_back():
        import keras  # noqa: F401
        import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    tf.config.optimizer.set_experimental_options(
        {"arithmetic_optimization": False, "constant_folding": False}
    )


@contextmanager
def notices_held_back() -> Iterator[None]:
    """In the block, what TensorFlow's C++ code tells of itself while it loads is left out of standard error.

    It comes before TensorFlow reads `TF_CPP_MIN_LOG_LEVEL`, and past Python's `sys.stderr`.
    """
    sys.stderr.flush()
    shown = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(shown, 2)
            os.close(shown)
            held.seek(0)
            for line in held:
                if not line.startswith(NOTICES):
                    os.write(2, line)


def seed_tensorflow(seed: int) -> None:
    """Seed Python, NumPy and TensorFlow, after `pin_tensorflow`."""
    pin_tensorflow()
    import keras

    keras.utils.set_random_seed(seed)
