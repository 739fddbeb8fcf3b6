"""`kill -9` of all that runs, at any moment: the next `dvc repro` comes to the same bytes.

`make accidents` runs all of them; a kill in the first stages is tried each time.
"""

import random
import signal
import time

import pytest

from tests.conftest import shell
from tests.whole.accidents.conftest import check_whole, interrupt, start, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.accident]
STAGES = ["split", "augment", "train_efficientnet", "train_densenet", "train_mobilenet"]
STAGES += ["ensemble", "binning", "evaluate"]
KILLS = 20


@pytest.mark.parametrize("number", range(KILLS))
def test_the_run_after_a_kill_comes_to_the_same_bytes(fresh, number):
    chance = random.Random(number)
    stage, delay = STAGES[number % len(STAGES)], chance.uniform(0, 8)
    log = fresh / "killed.log"
    process = start(fresh, log)
    wait_for(f"Running stage '{stage}'", log, process)
    time.sleep(delay)
    interrupt(process, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, f"ended before it could be killed\n{log.read_text()}"
    print(f"killed {delay:.2f} s after {stage} began")
    shell("python -m sabi.cli precheck", fresh)
    shell("dvc repro", fresh)
    check_whole(fresh)
