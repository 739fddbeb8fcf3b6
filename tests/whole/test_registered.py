"""A registered model, whole: registered, fetched, served over HTTP; on the page, too, the same grades."""

import base64
import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest

from sabi.runtime.store import STORE
from sabi.tables import read_table
from tests.conftest import command_environment, shell
from tests.serving.conftest import Browser, said

pytestmark = pytest.mark.slow


@contextmanager
def started(folder: Path, *command: str, alive: str, **environment: str) -> Iterator[int]:
    """The port of a server by the folder's code that answers for the path `alive`.

    It and all it has started are stopped in the end.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", *command, "--host", "127.0.0.1", "--port", str(port)],
        cwd=folder,
        env=command_environment(**environment),
        start_new_session=True,
    )
    try:
        until = time.monotonic() + 200
        while True:
            assert server.poll() is None and time.monotonic() < until
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{alive}", timeout=5)
                break
            except OSError:  # refused, or listening but not yet answering
                time.sleep(0.5)
        yield port
    finally:
        subprocess.run(["kill", "--", f"-{server.pid}"], check=False)
        server.wait(30)


@contextmanager
def office(folder: Path) -> Iterator[int]:
    """The port at which `sabi serve` answers for a copy of the folder's model.

    Outside of the repository, so that no embedding is there yet: the page has its own.
    """
    away = folder.parent / "office"
    shutil.copytree(folder / "data/model", away / "model")
    places = {"XDG_CACHE_HOME": str(away / "cache"), "XDG_DATA_HOME": str(away / "home")}
    with started(
        folder, "sabi.cli", "serve", "--model", str(away / "model"), alive="/healthz", **places
    ) as port:
        yield port
    assert (away / "cache/sabi" / STORE).exists()


@contextmanager
def served(folder: Path, model: str) -> Iterator[str]:
    """The address that answers for a model of the registry."""
    command = ["mlflow", "models", "serve", "-m", model, "--env-manager", "local"]
    places = {
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    with started(folder, *command, alive="/ping", **places) as port:
        yield f"http://127.0.0.1:{port}/invocations"


def test_the_pipeline_the_command_the_page_and_mlflow_give_the_same_bits(copy):
    assert "registered: models:/sabi/1" in shell("python -m sabi.cli register --alias champion", copy)
    graded = read_table(copy / "data/grades/unlabelled.csv")
    photographs = [copy / "data/unlabelled" / path for path in graded.path]

    # The command writes two decimals for people, in the workbook as many digits as Excel keeps.
    arguments = "data/unlabelled --out graded --model models:/sabi@champion"
    shell(f"python -m sabi.cli grade {arguments}", copy)
    told = pd.read_csv(copy / "graded/grades.csv", encoding="utf-8-sig", dtype=str).set_index("path")
    for row in graded.itertuples():
        line = told.loc[f"data/unlabelled/{row.path}"]
        assert (line.grade, line.score) == (row.grade, f"{row.score:.2f}")
    sheet = openpyxl.load_workbook(copy / "graded/grades.xlsx").worksheets[0]
    written = {line[1]: line[3] for line in sheet.iter_rows(min_row=2, values_only=True)}
    assert {path: f"{score:.15g}" for path, score in written.items()} == {
        f"data/unlabelled/{row.path}": f"{row.score:.15g}" for row in graded.itertuples()
    }

    with office(copy) as port:
        browser = Browser(port)
        for file in photographs:
            assert browser.send(file.read_bytes(), file.name).status == 202
        cards = {said(card, "path"): card for card in browser.cards(len(photographs))}
    for row in graded.itertuples():
        card = cards[row.path]
        assert float(said(card, "score")) == row.score
        assert f'<span class="mark grade-{row.grade}">{row.grade}</span>' in card

    with served(copy, "models:/sabi@champion") as address:
        cells = [[base64.b64encode(file.read_bytes()).decode(), None] for file in photographs]
        cells.append([base64.b64encode(b"no photograph").decode(), 0.2])
        body = json.dumps({"dataframe_split": {"columns": ["photograph", "mm_per_pixel"], "data": cells}})
        request = urllib.request.Request(
            address, body.encode(), {"Content-Type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=300) as answer:
            given = json.load(answer)["predictions"]
    assert [one["score"] for one in given[:-1]] == graded.score.tolist()
    assert [one["grade"] for one in given[:-1]] == graded.grade.tolist()
    assert np.isnan(given[-1]["score"]) and "not a" in given[-1]["reason"]


def test_only_a_commits_own_result_is_registered(copy):
    with (copy / "params.yaml").open("a") as file:
        file.write("# changed\n")
    said = shell("python -m sabi.cli register", copy, fails=True)
    assert said.startswith("error: params.yaml is not committed")
    (copy / "sabi/grades.py").write_text((copy / "sabi/grades.py").read_text() + "# changed\n")
    shell("git commit -qam changed", copy)
    said = shell("python -m sabi.cli register", copy, fails=True)
    assert "dvc.lock is out of step" in said
    assert "no model" not in said and not (copy / "mlruns").exists()
