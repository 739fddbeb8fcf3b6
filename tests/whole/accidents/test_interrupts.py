"""Ctrl-C at every stage, at any moment of it: one line, and the next run goes on to the same bytes."""

import os
import random
import re
import signal
import subprocess
import sys
import time

import pytest

from sabi.runtime.interruption import CONTINUE
from tests.conftest import ROOT, shell
from tests.whole.accidents.conftest import check_whole, interrupt, start, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.accident]
STAGES = ["split", "augment", "train_efficientnet", "train_densenet", "train_mobilenet"]
STAGES += ["ensemble", "binning", "evaluate", "report"]


@pytest.mark.parametrize("seed", range(2))
def test_ctrl_c_at_each_stage_in_turn_and_a_last_run(fresh, seed):
    """Where DVC itself is met, between two stages, its own line is the last."""
    chance = random.Random(seed)
    told = 0
    for stage in STAGES:
        log = fresh / f"{stage}.log"
        process = start(fresh, log)
        wait_for(f"Running stage '{stage}'", log, process)
        time.sleep(chance.choice([chance.uniform(0.2, 1), chance.uniform(1, 5)]))
        interrupt(process, signal.SIGINT)
        assert process.wait() != 0 or stage == "report", log.read_text()
        said = log.read_text()
        assert "Traceback" not in said and "Exception ignored" not in said, said
        told += CONTINUE in said
    assert told >= 5  # the others had ended before
    shell("python -m sabi.cli precheck && dvc repro", fresh)
    check_whole(fresh)


FIRST = {"stages/__init__.py", "sabi/__init__.py", "sabi/runtime/__init__.py", "sabi/runtime/interruption.py"}
MODULES = ["split", "augment", "train mobilenet", "ensemble", "binning", "evaluate", "report"]


@pytest.mark.parametrize("module", MODULES)
def test_ctrl_c_while_a_stage_loads_is_one_line(tmp_path, module):
    """From the moment when Python has found our code; before that it is Python's own."""
    chance = random.Random(module)
    command = [sys.executable, "-m", *f"stages.{module}".split()]
    in_time = 0
    for _ in range(8):
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        time.sleep(chance.uniform(0.3, 3))
        process.send_signal(signal.SIGINT)
        said = process.communicate()[1]
        # Where it was quicker it has found no params.yaml, where it was slower nothing of ours but what
        # is to say the line.
        ours = set(re.findall(rf'File "{re.escape(str(ROOT))}/([^"]*)"', said)) - FIRST
        quicker, slower = said.startswith("error: params.yaml"), "KeyboardInterrupt" in said and not ours
        assert (process.returncode, said) == (130, f"{CONTINUE}\n") or quicker or slower
        in_time += not slower
    assert in_time >= 4
