"""A real Ray cluster on this machine: whatever dies, every photograph is in the table once.

It shows faults, not speed: all nodes are this machine.
"""

import os
import subprocess
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sabi.cluster import on_ray, shards
from sabi.cluster.sources import find_sources
from sabi.cluster.survey import SHARDS, TABLE, grade_into_table
from sabi.runtime.determinism import PINNED
from sabi.runtime.errors import InputError
from tests.conftest import ROOT, command_environment

ray = pytest.importorskip("ray", reason="Ray is not installed; `make ray`")
pytestmark = pytest.mark.slow
SIZE = 2  # photographs a shard: 40 of them, and half a one
# Loaded by every Python of the cluster: storage that is slow, and a file whose bytes end who reads them.
STORAGE = """
import os, pathlib, time
real = pathlib.Path.read_bytes
def read_bytes(self):
    if self.suffix == ".jpg" and os.environ["SLOW"] != "0":
        time.sleep(float(os.environ["SLOW"]))
    if self.name == "deadly.jpg":
        os._exit(1)
    return real(self)
pathlib.Path.read_bytes = read_bytes
"""


@pytest.fixture(scope="module")
def model(folder, tmp_path_factory) -> Path:
    """With its network's forward pass, so that an actor starts quickly."""
    from sabi.grading.export import export

    out = tmp_path_factory.mktemp("exported") / "model"
    export(folder / "model", out)
    return out


@pytest.fixture
def cluster(tmp_path, monkeypatch, request):
    """A head without a core, two nodes of one each; their storage takes `request.param` s a photograph."""
    from ray.cluster_utils import Cluster

    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(STORAGE)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'site'}{os.pathsep}{ROOT}")
    monkeypatch.setenv("SLOW", str(request.param))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    made.add_node(num_cpus=1)
    made.add_node(num_cpus=1)
    made.wait_for_nodes()
    yield made
    made.shutdown()


def driver(cluster, given: list[str], model: Path, out: Path) -> subprocess.Popen:
    command = ["python", "-m", "sabi.cli", "grade", *given, "--model", str(model), "--out", str(out)]
    command += ["--engine", "ray", "--address", cluster.address, "--shard", str(SIZE)]
    return subprocess.Popen(
        command,
        cwd=out.parent,
        env=command_environment(SLOW="0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for(count: int, out: Path, process: subprocess.Popen) -> None:
    """Until so many shards are graded."""
    until = time.monotonic() + 300
    while len(list((out / SHARDS).glob("*.parquet"))) < count:
        assert process.poll() is None and time.monotonic() < until, process.communicate()[0]
        time.sleep(0.02)


@pytest.mark.parametrize("cluster", [0.2], indirect=True)
def test_a_node_and_then_the_driver_die_and_the_bytes_are_those_of_one_process(
    cluster, model, drawings, tmp_path
):
    grade_into_table(tmp_path / "alone", [str(drawings)], model, SIZE, ray=False)
    out = tmp_path / "out"
    first = driver(cluster, [str(drawings)], model, out)
    wait_for(5, out, first)
    [*_, node] = cluster.worker_nodes
    cluster.remove_node(node, allow_graceful=False)
    wait_for(12, out, first)
    first.kill()
    first.communicate()
    kept = len(list((out / SHARDS).glob("*.parquet")))
    assert 12 <= kept < 41
    cluster.add_node(num_cpus=1)
    again = driver(cluster, [str(drawings)], model, out)
    said, _ = again.communicate(timeout=300)
    assert again.returncode == 1, said  # one file is no photograph
    assert "1 could not be graded" in said
    assert (out / TABLE).read_bytes() == (tmp_path / "alone" / TABLE).read_bytes()
    paths = pq.read_table(out / TABLE).column("path").to_pylist()
    assert paths == sorted(file.as_posix() for file in drawings.iterdir())


@pytest.mark.parametrize("cluster", [0], indirect=True)
def test_a_photograph_that_ends_its_worker_becomes_a_row_with_a_reason(cluster, model, drawings, tmp_path):
    given = tmp_path / "given"
    given.mkdir()
    for file in sorted(drawings.glob("*.jpg"))[:5]:
        (given / file.name).write_bytes(file.read_bytes())
    grade_into_table(tmp_path / "alone", [str(given)], model, SIZE, ray=False)
    (given / "deadly.jpg").write_bytes(b"")
    out = tmp_path / "out"
    process = driver(cluster, [str(given)], model, out)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 1, said
    deadly, *rest = pq.read_table(out / TABLE).to_pylist()
    assert (
        deadly["path"].endswith("deadly.jpg")
        and deadly["reason"] == "it ended the process that graded it, twice"
    )
    assert rest == pq.read_table(tmp_path / "alone" / TABLE).to_pylist()


@pytest.mark.parametrize("cluster", [0], indirect=True)
def test_a_worker_that_was_started_without_the_pins_refuses(cluster, model, drawings, tmp_path, monkeypatch):
    monkeypatch.setattr(on_ray, "PINNED", PINNED | {"OMP_NUM_THREADS": "2"})
    whole = shards.cut(find_sources([str(drawings)]), "model", SIZE)
    with pytest.raises(InputError, match="started with OMP_NUM_THREADS=2, not 1"):
        on_ray.grade_on_ray(whole, model, tmp_path, cluster.address, lambda _: None)


@pytest.mark.parametrize("cluster", [0], indirect=True)
def test_what_another_machine_writes_elsewhere_is_told(cluster, model, drawings, tmp_path, monkeypatch):
    monkeypatch.setattr(on_ray, "SEEN", 1)
    monkeypatch.setattr(on_ray, "done", lambda *_: False)
    whole = shards.cut(find_sources([str(drawings / "drawing01.jpg")]), "model", SIZE)
    with pytest.raises(InputError, match="--out must be a folder that all machines share"):
        on_ray.grade_on_ray(whole, model, tmp_path, cluster.address, lambda _: None)


def test_a_cluster_that_is_not_there_is_told(model, drawings, tmp_path):
    with pytest.raises(InputError, match=r"no Ray cluster at 127\.0\.0\.1:1"):
        grade_into_table(tmp_path / "out", [str(drawings)], model, SIZE, ray=True, address="127.0.0.1:1")
