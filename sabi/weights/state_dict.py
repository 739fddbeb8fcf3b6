"""PyTorch's file of weights, read without PyTorch and without running what its pickle says.

The format that PyTorch wrote until 2020: pickles of a number that marks it, of
its version, of the machine and of the state dictionary, whose arrays are
references; a pickle of the arrays' keys; then their contents, each a number of
elements (int64) and so many little-endian values.
"""

import io
import pickle
from collections import OrderedDict
from typing import Any

import numpy as np

from sabi.runtime.errors import InputError

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
# What the dictionary's pickle may name; it can call nothing else.
DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


def read_state_dict(content: bytes) -> dict[str, np.ndarray]:
    """The arrays by name. Raises `InputError` for a file that is none, is damaged, or would run code."""
    stream = io.BytesIO(content)
    try:
        if (_plain(stream), _plain(stream)) != (MAGIC, VERSION):
            raise ValueError("another format")
        _plain(stream)
        arrays: dict[str, np.ndarray] = {}
        views = _Pickle(stream, arrays).load()
        for key in _plain(stream):
            _fill(stream, arrays[key])
        if stream.read(1):
            raise ValueError("bytes are left over")
        if not isinstance(views, dict) or not all(isinstance(view, np.ndarray) for view in views.values()):
            raise ValueError("no dictionary of arrays")
    except Exception as error:  # a damaged pickle raises anything
        raise InputError(f"no file of PyTorch's weights that can be read ({error})") from None
    return dict(views)


def _plain(stream: io.BytesIO) -> Any:
    """A pickle of numbers and texts alone, which names nothing."""
    return _Pickle(stream, {}).load()


def _fill(stream: io.BytesIO, array: np.ndarray) -> None:
    count = int.from_bytes(stream.read(8), "little", signed=True)
    content = stream.read(array.nbytes)
    if count != len(array) or len(content) != array.nbytes:
        raise ValueError("an array is cut")
    array[:] = np.frombuffer(content, array.dtype)


class _Pickle(pickle.Unpickler):
    """Knows four names, PyTorch's arrays, and nothing else."""

    def __init__(self, stream: io.BytesIO, arrays: dict[str, np.ndarray]) -> None:
        super().__init__(stream)
        self._arrays = arrays

    def find_class(self, module: str, name: str) -> Any:
        known: dict[tuple[str, str], Any] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _view,
            **{("torch", kind): dtype for kind, dtype in DTYPES.items()},
        }
        if (module, name) not in known:
            raise ValueError(f"its pickle names {module}.{name}")
        return known[module, name]

    def persistent_load(self, reference: Any) -> np.ndarray:
        kind, dtype, key, _, count, part = reference
        if kind != "storage" or not isinstance(dtype, np.dtype) or part is not None or not 0 <= count < 2**28:
            raise ValueError("an array of an unknown kind")
        return self._arrays.setdefault(key, np.zeros(count, dtype))


def _view(array: np.ndarray, start: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any) -> Any:
    """A tensor over an array that is filled later; `strides` are in elements."""
    furthest = start + sum((side - 1) * stride for side, stride in zip(shape, strides, strict=True))
    if min((start, furthest, *shape, *strides)) < 0 or furthest >= len(array) or 0 in shape:
        raise ValueError("a tensor that lies outside of its array")
    places = [stride * array.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(array[start:], shape, places, writeable=False)
