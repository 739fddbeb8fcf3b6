"""`sabi serve` from its start to its end."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request

import psutil
import pytest

from sabi.runtime.errors import InputError
from sabi.serving.serve import LOOPBACK, is_loopback, link, names_of, serve
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("host", "mine"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False)]
)
def test_what_only_this_machine_reaches_needs_no_link(host, mine):
    assert is_loopback(host) == mine


def test_a_server_goes_by_its_own_names_alone():
    assert set(names_of("127.0.0.1")) == set(LOOPBACK) and "127.0.0.2" in names_of("127.0.0.2")
    assert names_of("office-pc") == [*LOOPBACK, "office-pc"] and names_of("fd00::5")[-1] == "[fd00::5]"
    assert {socket.gethostname(), *LOOPBACK} <= set(names_of("0.0.0.0")) and "*" not in names_of("0.0.0.0")


def test_the_link_holds_the_token_where_there_is_one():
    assert link("127.0.0.1", 8000, None) == "http://127.0.0.1:8000/"
    assert link("fd00::5", 8000, "t") == "http://[fd00::5]:8000/?token=t"
    assert link("0.0.0.0", 80, "t") == f"http://{socket.gethostname()}:80/?token=t"


@pytest.mark.slow
def test_what_cannot_be_served_is_told_in_one_line(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    model = folder / "model"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            InputError, match=rf"^127.0.0.1:{port}: .*in use.*; choose another --host or --port$"
        ):
            serve(model, "127.0.0.1", port, None)
    with pytest.raises(InputError, match=r"^203\.0\.113\.5:0: .*; choose another --host or --port$"):
        serve(model, "203.0.113.5", 0, None)
    with pytest.raises(InputError, match="no list of a model's checksums"):
        serve(tmp_path, "127.0.0.1", 0, None)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file: .*; choose another --keep$"):
        serve(model, "127.0.0.1", 0, tmp_path / "file")


@pytest.mark.slow
def test_it_is_served_until_ctrl_c_and_leaves_nothing(folder, tmp_path):
    for name in ("temporary", "home"):
        (tmp_path / name).mkdir()
    shutil.copytree(folder / "model", tmp_path / "model")
    places = {"XDG_CACHE_HOME": str(tmp_path / "home"), "XDG_DATA_HOME": str(tmp_path / "home")}
    process = subprocess.Popen(
        [sys.executable, "-m", "sabi.cli", "serve", "--model", "model", "--host", "0.0.0.0", "--port", "0"],
        cwd=tmp_path,
        env=os.environ | places | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path / "temporary")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell that starts the tests in the background lets them ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    line = process.stdout.readline()
    found = re.fullmatch(r"open http://.+:(\d+)/\?token=(\S{43}) \(Ctrl-C stops\)\n", line)
    assert found, line
    port, token = found.groups()
    assert "not encrypted" in process.stdout.readline()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    page = opener.open(f"http://127.0.0.1:{port}/?token={token}").read().decode("utf-8")
    assert "Choose photographs" in page
    started = psutil.Process(process.pid).children(recursive=True)
    assert started and list((tmp_path / "temporary").iterdir())
    os.killpg(process.pid, signal.SIGINT)  # as a terminal sends it, to the worker too
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert err.splitlines()[-1] == "stopped" and "Traceback" not in err and token not in err
    _, alive = psutil.wait_procs(started, timeout=10)
    assert alive == []
    assert list((tmp_path / "temporary").iterdir()) == []
