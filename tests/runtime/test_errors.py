"""A full disk is told from every other trouble, whichever library met it."""

import errno
import sqlite3
import subprocess
import sys

import pytest

from sabi.runtime.errors import InputError, NoSpace, lacks_space
from tests.conftest import ROOT


def test_what_is_not_for_want_of_space_is_left_alone():
    others = [ValueError("a mistake"), FileNotFoundError(errno.ENOENT, "No such file"), InputError("wrong")]
    others += [KeyboardInterrupt(), sqlite3.OperationalError("database is locked")]
    assert not any(lacks_space(error) for error in others)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
@pytest.mark.parametrize("link", ["none", "cause", "context", "from None"])
def test_it_is_found_however_far_it_was_passed_on(number, link):
    error = OSError(number, "…")
    if link != "none":
        try:
            try:
                raise error
            except OSError as reason:
                if link == "context":
                    raise RuntimeError("MLflow: something") from RuntimeError("unless told")
                raise InputError("store cannot be used") from (reason if link == "cause" else None)
        except (InputError, RuntimeError) as last:
            error = last
            if link == "context":
                error.__cause__ = None
    assert lacks_space(error)


# Ways in which stages and their libraries write, on a file that may not grow beyond 100 kB.
WAYS = {
    "text": "open('out', 'w').write('x' * 10**6)",
    "numpy": "np.save('out.npy', np.zeros(10**6))",
    "archive": "np.savez('out.npz', a=np.zeros(10**6))",
    "table": "import pandas; pandas.DataFrame({'a': range(10**5)}).to_csv('out.csv')",
    "weights": "import h5py; f = h5py.File('out.h5', 'w'); f['a'] = np.zeros(10**6); f.close()",
    "picture": "from PIL import Image; r = np.random.default_rng(0).integers(0, 255, (900, 900, 3), 'u1'); "
    "Image.fromarray(r).save('out.png')",
    "database": "import sqlite3; d = sqlite3.connect('out.db'); d.execute('pragma max_page_count = 9'); "
    "d.execute('create table t (a)'); d.execute('insert into t values (zeroblob(1000000))')",
    "mapped": "from sabi.tables import new_array; new_array(Path('out.npy'), (1000, 1000))[:] = 1",
}
CODE = """
import sys, os, numpy as np, resource
from pathlib import Path
from sabi.runtime.errors import lacks_space
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    exec(sys.argv[1])
    print("written", flush=True)
except Exception as error:
    print(lacks_space(error), type(error), error, flush=True)
os._exit(0)  # HDF5 would try again
"""


@pytest.mark.parametrize("way", WAYS)
def test_it_is_found_whatever_was_writing(tmp_path, way):
    command = [sys.executable, "-c", CODE, WAYS[way]]
    ended = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stdout[:5]) == (0, "True "), ended.stdout + ended.stderr


def test_the_line_names_the_disk_and_what_is_needed(tmp_path):
    line = str(NoSpace(tmp_path, 3 * 2**20 + 1))
    assert line.startswith(f"no space left on the disk of {tmp_path}: ") and "needs about 4 MB" in line
    assert line.endswith("make room there and run the same command again") and "\n" not in line
    assert "needs" not in str(NoSpace(tmp_path, None))
