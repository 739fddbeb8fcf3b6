"""A fingerprint changes with a value, a byte of code or a file's place, and with nothing else."""

import pytest

from sabi.runtime import fingerprint as module
from sabi.runtime.fingerprint import fingerprint


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "ROOT", tmp_path)
    (tmp_path / "rooms/inner").mkdir(parents=True)
    (tmp_path / "rooms/a.py").write_text("1")
    (tmp_path / "rooms/inner/b.py").write_text("2")
    (tmp_path / "alone.py").write_text("3")
    return tmp_path


def test_it_is_of_the_values_and_of_every_python_file(root):
    code = ["rooms", "alone.py"]
    first = fingerprint({"x": 1, "y": 2}, code)
    assert fingerprint({"y": 2, "x": 1}, code) == first
    (root / "rooms/__pycache__").mkdir()
    (root / "rooms/__pycache__/a.cpython-311.pyc").write_bytes(b"compiled")
    assert fingerprint({"x": 1, "y": 2}, code) == first
    assert fingerprint({"x": 1, "y": 3}, code) != first
    assert fingerprint({"x": 1, "y": 2}, ["rooms"]) != first
    for file in ("rooms/inner/b.py", "alone.py"):
        before = fingerprint({}, code)
        (root / file).write_text("changed")
        assert fingerprint({}, code) != before
    before = fingerprint({}, code)
    (root / "rooms/a.py").rename(root / "rooms/inner/a.py")
    assert fingerprint({}, code) != before


def test_code_that_is_not_there_is_an_error(root):
    with pytest.raises(FileNotFoundError):
        fingerprint({}, ["gone.py"])
