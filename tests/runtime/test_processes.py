"""A process beside another knows what that knows, and is never left behind."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from sabi.runtime.processes import beside
from tests.conftest import ROOT


def test_its_results_and_errors_come_back():
    with beside() as other:
        assert other.submit(os.getpid).result() != os.getpid()
        with pytest.raises(ZeroDivisionError):
            other.submit(divmod, 1, 0).result()


@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_when_its_parent_is_killed(death):
    code = f"""
import os, time
from sabi.runtime.processes import beside
with beside() as other:
    print(other.submit(os.getpid).result(), flush=True)
    os.kill(os.getpid(), {int(death)})
    time.sleep(60)
"""
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, timeout=30)
    assert ended.returncode == -death
    child = int(ended.stdout)
    for _ in range(100):
        if not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE:
            break
        time.sleep(0.1)
    else:
        pytest.fail("it is still there")


def test_ctrl_c_is_left_to_its_parent():
    code = """
import os, signal
from sabi.runtime.processes import beside
with beside() as other:
    child = other.submit(os.getpid).result()
    os.kill(child, signal.SIGINT)
    print(other.submit(os.getpid).result() == child)
"""
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "True\n", "")
