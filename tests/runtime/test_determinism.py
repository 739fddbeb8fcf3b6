"""What TensorFlow tells of itself while it loads is held back, and nothing else is."""

import os
import subprocess
import sys

import pytest

from sabi.runtime.determinism import notices_held_back
from tests.conftest import ROOT


def test_only_notices_are_held_back_also_if_loading_fails(capfd):
    with pytest.raises(ImportError), notices_held_back():
        os.write(2, b"I0000 00:00:1 1 port.cc:153] oneDNN custom operations are on.\nE0000 no memory\n")
        raise ImportError("no such library")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "E0000 no memory\nafter\n"


@pytest.mark.slow
def test_tensorflow_loads_without_a_word():
    code = "import stages; from sabi.runtime.determinism import pin_tensorflow; pin_tensorflow()"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True)
    assert (ended.returncode, ended.stderr, ended.stdout) == (0, b"", b"")
