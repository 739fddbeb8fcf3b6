"""A process that is not wanted any more ends in one line: by Ctrl-C in its imports, or left behind by DVC."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from sabi.runtime.interruption import CONTINUE, end_at_once, quick_end
from sabi.runtime.repository import environment_for_another_repository
from tests.conftest import ROOT, shell

# As C extensions are when they are interrupted, and libraries that catch all.
HOSTILE = """
import os, signal, time
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)
except BaseException:
    raise ImportError("cannot be loaded")
"""


def run(folder: Path, *arguments: str, ignored: bool = False) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        # A shell that starts the tests in the background lets them ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN if ignored else signal.SIG_DFL),
    )


@pytest.fixture
def stages(tmp_path) -> Path:
    """A folder with a package `stages` whose `__init__` is ours."""
    (tmp_path / "stages").mkdir()
    shutil.copyfile(ROOT / "stages/__init__.py", tmp_path / "stages/__init__.py")
    return tmp_path


def test_ctrl_c_while_a_stage_imports_ends_in_one_line(stages):
    (stages / "hostile.py").write_text(HOSTILE)
    (stages / "stages/some.py").write_text("import hostile\n")
    ended = run(stages, "-m", "stages.some")
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", f"{CONTINUE}\n")


def test_ctrl_c_while_the_command_imports_ends_in_one_line(tmp_path):
    (tmp_path / "typer.py").write_text(HOSTILE)
    ended = run(tmp_path, "-m", "sabi.cli", "precheck")
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "interrupted\n")


def test_ctrl_c_is_ignored_where_the_shell_said_so(stages):
    (stages / "stages/some.py").write_text("import os\nos.kill(os.getpid(), 2)\nprint(1)\n")
    assert run(stages, "-m", "stages.some", ignored=True).stdout == "1\n"


def test_who_imports_the_stages_keeps_ctrl_c():
    code = "import signal, stages, sabi.cli; print(signal.getsignal(signal.SIGINT).__name__)"
    assert run(ROOT, "-c", code).stdout == "default_int_handler\n"


def test_after_the_block_ctrl_c_is_what_it_was():
    before = signal.getsignal(signal.SIGINT)
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with quick_end("now"):
            assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        end_at_once()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.parametrize("through", ["/bin/sh", "/bin/bash"])
def test_a_stage_ends_soon_after_its_dvc_was_killed(stages, through):
    """Alone, not with its process group: as the system's memory killer does."""
    (stages / "stages/long.py").write_text(
        "import time\nfrom pathlib import Path\nfor number in range(600):\n"
        "    Path('new').write_text(str(number))\n    Path('new').rename('out')\n    time.sleep(0.05)\n"
    )
    pipeline = {"stages": {"long": {"cmd": f"{sys.executable} -m stages.long; true", "outs": ["out"]}}}
    (stages / "dvc.yaml").write_text(yaml.safe_dump(pipeline))
    shell("git init -q && dvc init -q", stages)
    environment = environment_for_another_repository() | {"PYTHONPATH": str(ROOT), "SHELL": through}
    command = [Path(sys.executable).with_name("dvc"), "repro"]
    with (stages / "log").open("w") as log:
        dvc = subprocess.Popen(command, cwd=stages, env=environment, stdout=log, stderr=log)
    until = time.monotonic() + 60
    while not (stages / "out").exists() and time.monotonic() < until:
        time.sleep(0.05)
    below = psutil.Process(dvc.pid).children(recursive=True)
    assert len(below) == 2, "a shell and the stage"
    dvc.kill()
    dvc.wait()
    _, alive = psutil.wait_procs(below, timeout=10)
    for process in alive:
        process.kill()
    assert not alive
    assert "ended: DVC, which had started this stage, is gone\n" in (stages / "log").read_text()
    assert int((stages / "out").read_text()) < 599
