"""The command line as it is typed: what there is, how it ends, and that asking for help is quick."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT, shell

COMMANDS = [
    "data",
    "weights",
    "precheck",
    "grade",
    "next",
    "serve",
    "export",
    "register",
    "diff",
    "compare",
    "gate",
    "verify",
    "lock",
    "survey",
    "bench",
]


def check_one_line(ended: subprocess.CompletedProcess) -> None:
    assert (ended.returncode, ended.stdout) == (1, "")
    assert re.fullmatch(r"error: .+\n", ended.stderr), ended.stderr


def sabi(arguments: str, folder: Path) -> subprocess.CompletedProcess:
    """`sabi` in `folder`, by the code of this checkout."""
    command = [sys.executable, "-m", "sabi.cli", *arguments.split()]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_help_is_a_table_of_contents(tmp_path):
    ended = sabi("--help", tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    listed = ended.stdout.partition("Commands:\n")[2]
    assert re.findall(r"^  (\w+)  +\S.*$", listed, re.MULTILINE) == COMMANDS
    assert "..." not in listed, "a description is cut off"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_it_does(tmp_path, command):
    ended = sabi(f"{command} --help", tmp_path)
    assert ended.returncode == 0 and ended.stdout.startswith(f"Usage: sabi {command} [OPTIONS]")


def test_asking_for_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom sabi import cli\nsys.argv = ['sabi', '--help']\ntry:\n    cli.main()\nfinally:\n"
        "    print({'numpy', 'pandas', 'dvc'} & set(sys.modules))"
    )
    assert shell(f'python -c "{code}"', ROOT).splitlines()[-1] == "set()"


@pytest.mark.parametrize("arguments", ["gate", "gate main twice", "grade-my-bridge", "compare --all", ""])
def test_wrong_usage_is_no_broken_rule(tmp_path, arguments):
    assert sabi(arguments, tmp_path).returncode == 2


@pytest.mark.slow
@pytest.mark.parametrize("prepare", ["true", "git init -q && dvc init -q"])
@pytest.mark.parametrize("command", ["compare", "verify", "survey", "bench"])
def test_where_nothing_is_set_up_a_command_says_so_in_one_line(tmp_path, command, prepare):
    shell(prepare, tmp_path)
    check_one_line(sabi(command, tmp_path))


def test_outside_of_a_repository_lock_says_so_in_one_line(tmp_path):
    check_one_line(sabi("lock", tmp_path))


def test_the_benchmark_names_the_parts_it_has(tmp_path):
    ended = sabi("bench --only start --only all", tmp_path)
    check_one_line(ended)
    parts = "cases, large, laboratory, throughput, throughput-large, growth, crowd, start"
    assert f"no part 'all'; choose from {parts}" in ended.stderr


def test_what_next_would_measure_is_not_what_it_would_choose_from(tmp_path):
    ended = sabi("next 50 photographs --measure graded", tmp_path)
    check_one_line(ended)
    assert "with --measure give its DIR and N alone, no PHOTOS" in ended.stderr


def test_data_leaves_own_photographs_alone(tmp_path):
    (tmp_path / "data/raw").mkdir(parents=True)
    ended = sabi("data", tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert list((tmp_path / "data/raw").iterdir()) == []


@pytest.mark.slow
def test_photographs_that_the_repository_tracks_are_not_drawn_anew(tmp_path):
    shell("git init -q && dvc init -q && mkdir -p data/unlabelled", tmp_path)
    (tmp_path / "data/unlabelled/mine.jpg").write_bytes(b"mine")
    shell("dvc add -q data/unlabelled && rm -r data/unlabelled", tmp_path)
    with_dvc = os.pathsep.join([str(ROOT / ".venv/bin"), os.environ["PATH"]])
    log = shell("python -m sabi.cli data", tmp_path, fails=True, PYTHONPATH=str(ROOT), PATH=with_dvc)
    assert log.splitlines()[-1].startswith("error: data/unlabelled.dvc names other photographs than the")
    assert "Traceback" not in log and not (tmp_path / "data/unlabelled").exists()


@pytest.mark.slow
def test_ctrl_c_ends_with_130(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "sabi.cli", "data"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        start_new_session=True,
        # A shell that starts the tests in the background lets them ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    (tmp_path / "data/unlabelled").mkdir(parents=True)  # the ten of them would be drawn too soon
    until = time.monotonic() + 60
    while not any((tmp_path / "data").glob("raw.partial/*")) and time.monotonic() < until:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal sends it, to the workers too
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert not (tmp_path / "data/raw").exists()
