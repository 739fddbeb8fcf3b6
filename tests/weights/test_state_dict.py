"""PyTorch's files are read without running anything; what would run something is refused."""

import io
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sabi.runtime.errors import InputError
from sabi.weights.state_dict import MAGIC, VERSION, read_state_dict


class Named:
    """Stands in a pickle for a name of PyTorch's."""

    def __init__(self, module: str, name: str) -> None:
        self.line = f"c{module}\n{name}\n".encode()


class Storage(Named):
    def __init__(self, key: str, array: np.ndarray) -> None:
        super().__init__("torch", {"f": "FloatStorage", "i": "LongStorage"}[array.dtype.kind])
        self.key, self.array = key, array


class Call:
    """A call in a pickle, by opcodes: pickle itself writes only what it can import."""

    def __init__(self, function: Named, *arguments: object) -> None:
        self.function, self.arguments = function, arguments


def opcodes(value: object) -> bytes:
    """The pickle of a value, protocol 2 without its frame."""
    if isinstance(value, Call):
        return value.function.line + opcodes(value.arguments) + b"R"
    if isinstance(value, Storage):
        rest = (value.key, "cpu", len(value.array), None)
        return b"(" + opcodes("storage") + value.line + b"".join(map(opcodes, rest)) + b"tQ"
    if isinstance(value, tuple):
        return b"(" + b"".join(map(opcodes, value)) + b"t"
    if isinstance(value, OrderedDict):
        items = b"".join(opcodes(key) + opcodes(each) for key, each in value.items())
        return opcodes(Call(Named("collections", "OrderedDict"))) + b"(" + items + b"u"
    return pickle.dumps(value, 2)[2:-1]


def file_of(state: OrderedDict, storages: list[Storage]) -> bytes:
    """A file as PyTorch 1.5 writes it."""
    stream = io.BytesIO()
    for value in (MAGIC, VERSION, {"little_endian": True}):
        pickle.dump(value, stream, 2)
    stream.write(b"\x80\x02" + opcodes(state) + b".")
    pickle.dump([storage.key for storage in storages], stream, 2)
    for storage in storages:
        stream.write(len(storage.array).to_bytes(8, "little") + storage.array.tobytes())
    return stream.getvalue()


def tensor(storage: Storage, start: int, shape: tuple, strides: tuple) -> Call:
    hooks = Call(Named("collections", "OrderedDict"))
    return Call(Named("torch._utils", "_rebuild_tensor_v2"), storage, start, shape, strides, False, hooks)


KERNEL = Storage("1", np.arange(24, dtype=np.float32))
COUNT = Storage("2", np.array([7], np.int64))
STATE = OrderedDict(
    {
        "plain": tensor(KERNEL, 0, (2, 3, 4), (12, 4, 1)),
        "turned": tensor(KERNEL, 12, (4, 3), (1, 4)),
        "count": tensor(COUNT, 0, (), ()),
    }
)
GOOD = file_of(STATE, [KERNEL, COUNT])


def test_tensors_are_views_of_their_arrays_in_any_order_of_axes():
    read = read_state_dict(GOOD)
    assert list(read) == ["plain", "turned", "count"]
    assert (read["plain"] == KERNEL.array.reshape(2, 3, 4)).all()
    assert (read["turned"] == KERNEL.array[12:].reshape(3, 4).T).all()
    assert read["count"] == 7


@pytest.mark.parametrize(
    "function",
    [("os", "system"), ("builtins", "eval"), ("torch.serialization", "load"), ("collections", "Counter")],
)
def test_a_pickle_that_would_call_anything_else_is_refused_and_nothing_is_called(tmp_path, function):
    mark = tmp_path / "called"
    hostile = OrderedDict({"plain": Call(Named(*function), f"touch {mark}")})
    with pytest.raises(InputError, match=f"its pickle names {function[0]}.{function[1]}"):
        read_state_dict(file_of(hostile, []))
    assert not mark.exists()


@pytest.mark.parametrize("which", [0, 1, 2, 4])
def test_none_of_its_pickles_may_call_anything(tmp_path, which):
    """The hostile one in the place of the mark, the version, the machine, or the keys."""
    mark = tmp_path / "called"
    call = b"\x80\x02" + opcodes(Call(Named("os", "system"), f"touch {mark}")) + b"."
    parts = [pickle.dumps(value, 2) for value in (MAGIC, VERSION, {})]
    parts += [b"\x80\x02" + opcodes(OrderedDict()) + b".", pickle.dumps([], 2)]
    parts[which] = call
    with pytest.raises(InputError, match=r"os\.system"):
        read_state_dict(b"".join(parts))
    assert not mark.exists()


@pytest.mark.parametrize(
    ("start", "shape", "strides"),
    [(0, (25,), (1,)), (-1, (2,), (1,)), (20, (2, 3), (3, 1)), (0, (2,), (-1,)), (23, (2,), (1,))],
)
def test_a_tensor_outside_of_its_array_is_refused(start, shape, strides):
    with pytest.raises(InputError, match="outside of its array"):
        read_state_dict(file_of(OrderedDict(a=tensor(KERNEL, start, shape, strides)), [KERNEL]))


@given(st.data())
def test_a_damaged_file_is_refused_or_harmless(data):
    place = data.draw(st.integers(0, len(GOOD) - 1))
    cut = data.draw(st.booleans())
    flipped = bytes([GOOD[place] ^ data.draw(st.integers(1, 255))])
    damaged = GOOD[:place] if cut else GOOD[:place] + flipped + GOOD[place + 1 :]
    try:
        read_state_dict(damaged)
    except InputError:
        return
    assert not cut


def test_what_is_no_such_file_is_refused(tmp_path: Path):
    for content in (b"", b"PK\x03\x04", pickle.dumps({"a": 1}), GOOD + b"!"):
        with pytest.raises(InputError, match="no file of PyTorch's weights"):
            read_state_dict(content)
