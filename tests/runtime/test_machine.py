"""A process is told from every other one, and from those that are gone."""

import os
import subprocess
import sys

from sabi.runtime.machine import process_mark, processor


def test_a_process_has_one_mark_while_it_runs_and_none_afterwards():
    command = [sys.executable, "-c", "input()"]
    first, second = (subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(2))
    marks = [process_mark(pid) for pid in (first.pid, second.pid, os.getpid())]
    assert None not in marks and len(set(marks)) == 3
    assert process_mark(first.pid) == marks[0]
    first.kill()
    os.waitid(os.P_PID, first.pid, os.WEXITED | os.WNOWAIT)  # ended, but its parent has not asked yet
    assert process_mark(first.pid) is None
    first.communicate()
    assert process_mark(first.pid) is None
    second.communicate(b"\n")


def test_a_programs_name_may_hold_brackets_and_spaces(tmp_path):
    program = tmp_path / "a) Z (b"
    program.symlink_to("/bin/sleep")
    process = subprocess.Popen([program, "60"])
    mark = process_mark(process.pid)
    process.kill()
    process.wait()
    assert mark and mark.startswith(f"{process.pid} ") and mark.split()[1].isdecimal()


def test_the_processor_has_a_name():
    assert processor()
