"""The benchmark on a small pipeline of its own, in a real repository: what each case changes and writes."""

import json
import shlex
import shutil
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
import pytest
import yaml

from sabi.bench import cases
from sabi.runtime.errors import InputError
from sabi.settings.loading import load
from sabi.tables import read_json, write_json
from tests.conftest import ROOT, commit, shell

# A stage in place of all: the manifest, and a line in a file beside the clone whenever it runs.
STAGE = """
import json
from pathlib import Path

import yaml

if __name__ == "__main__":
    params = yaml.safe_load(Path("params.yaml").read_text())
    raw = sorted(Path("data/raw").iterdir())
    manifest = Path("data/split/manifest.csv")
    manifest.parent.mkdir(exist_ok=True)
    rows = [
        f"{file.name},{('train', 'validation', 'test')[i % 3]},{file.name[0]}" for i, file in enumerate(raw)
    ]
    manifest.write_text("\\n".join(["path,partition,soft_score", *rows]) + "\\n")
    seen = {
        "head": params["train"]["head"],
        "copies": params["augment"]["copies"],
        "penalty": params["train"]["loss"]["penalty"],
        "members": params["ensemble"]["members"],
        "raw": len(raw),
        "unlabelled": sum(file.is_file() for file in Path("data/unlabelled").rglob("*")),
    }
    with Path("../runs.txt").open("a") as runs:
        runs.write(json.dumps(seen) + "\\n")
"""
PIPELINE = {
    "stages": {
        "split": {
            "cmd": "python -m stages.split",
            "deps": ["data/raw", "data/unlabelled", "stages/split.py"],
            "params": ["augment", "ensemble", "train"],
            "outs": ["data/split/manifest.csv"],
        }
    }
}
SMALL = replace(
    cases.QUICK, specimens=2, epochs=1, added=2, graded=3, growth=(10, 20), rounds=1, networks=("mobilenet",)
)


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """A committed repository with `PIPELINE` and the real parameters."""
    folder = tmp_path_factory.mktemp("bench") / "repository"
    (folder / "stages").mkdir(parents=True)
    shutil.copy(ROOT / "params.yaml", folder)
    (folder / "stages/__init__.py").touch()
    (folder / "stages/split.py").write_text(STAGE)
    (folder / "dvc.yaml").write_text(yaml.safe_dump(PIPELINE))
    (folder / ".gitignore").write_text("/data/raw\n/data/unlabelled\n__pycache__/\n")
    shell("git init -q && git config user.name sabi && git config user.email sabi@example.org", folder)
    shell(f"dvc init -q && cp {ROOT / 'tests/dvc/config'} .dvc", folder)
    commit(folder, "pipeline")
    return folder


@pytest.fixture
def path(monkeypatch):
    """Commands find `dvc`, and a clone the package, as with the environment on the path."""
    monkeypatch.setenv("PATH", str(ROOT / ".venv/bin"), prepend=":")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.mark.slow
def test_each_case_changes_what_it_says_and_its_ratio_is_of_its_seconds(repository, path, tmp_path):
    part = cases.time_cases(repository, tmp_path, SMALL)
    default = {"head": "ridge", "copies": 1, "penalty": 1.0, "raw": 10, "unlabelled": 10}
    standard = ["efficientnet", "densenet", "mobilenet"]
    equal = default | {"head": "dense", "copies": 0, "members": standard}
    loss = equal | {"penalty": 2.0}
    one = loss | {"members": ["mobilenet"]}
    more = one | {"raw": 12}
    expected = [default | {"members": standard}, equal, loss, one, more, more | {"unlabelled": 13}]
    assert [json.loads(line) for line in (tmp_path / "runs.txt").read_text().splitlines()] == expected

    assert list(part["cases"]) == list(cases.CASES) and part["photographs"] == 10
    for case in part["cases"].values():
        assert case["ours_seconds"] > 0
        assert case["ratio"] == pytest.approx(case["wiki_seconds"] / case["ours_seconds"], abs=0.01)
    # A set without the networks that a user leaves out is no slower to train.
    whole = part["cases"]["nothing"]["wiki_seconds"]
    assert part["cases"]["members"]["wiki_seconds"] == part["cases"]["loss"]["wiki_seconds"] == whole
    assert len(list((tmp_path / "wiki").glob("score?/*.jpg"))) == 10 + len(range(2, 10, 3))
    assert len(list((tmp_path / "graded").glob("score?/*.jpg"))) == 3
    assert (tmp_path / "models/MobileNetV3Large.keras").is_file()


@pytest.mark.slow
def test_what_is_measured_is_written_and_parts_of_before_are_kept(repository, path, monkeypatch):
    monkeypatch.chdir(repository)
    points = [{"photographs": n, "seconds": n / 10, "peak_mib": 100} for n in (80, 160)]
    grown = {"stage": "split", "points": points}
    grown |= {name: {"slope": 1.0, "start": 0.0, "r2": 1.0} for name in ("seconds", "peak_mib")}
    work = json.loads(json.dumps(asdict(cases.QUICK)))
    file = cases.QUICK_FOLDER / "bench.json"
    write_json({"machine": cases.machine(), "work": work, "growth": grown}, file)
    cases.measure(["start"], quick=True)
    record = read_json(file)
    assert record["growth"] == grown and list(record["start"]["stages_seconds"]) == ["split"]
    assert record["start"]["commit"] == shell("git rev-parse --short HEAD", repository).strip()
    assert (cases.QUICK_FOLDER / cases.PLOT.name).read_bytes().startswith(b"\x89PNG")
    assert shell("git status --porcelain", repository) == ""


def test_only_a_record_of_the_same_machine_and_work_is_continued():
    new = {"machine": {"cores": 2}, "work": {"side": 32}}
    before = new | {"growth": {"points": []}}
    assert cases.continued(before, new) == before
    assert cases.continued(before | {"work": {"side": 64}}, new) == new
    assert cases.continued(before | {"machine": {"cores": 4}}, new) == new
    assert cases.continued({}, new) == new


def test_settings_of_equal_work_are_allowed(tmp_path):
    shutil.copy(ROOT / "params.yaml", tmp_path)
    cases.change(tmp_path, cases.equal_work(cases.FULL.side, cases.FULL.epochs) | {"train.loss.penalty": 2.0})
    chosen = load(tmp_path / "params.yaml")
    assert (chosen.train.epochs, chosen.train.patience, chosen.augment.copies) == (30, 30, 0)
    assert chosen.train.loss.penalty == 2.0 and chosen.train.head == "dense"


def test_a_command_is_measured_with_what_it_starts_and_without_what_sabi_pins(path, tmp_path):
    inner = (
        "import os; open('seen', 'w').write(str(os.environ.get('OMP_NUM_THREADS'))); bytearray(300 * 2**20)"
    )
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    # From a process of its own: the system counts what the starting one has had in memory, too.
    measuring = (
        f"import sys; from sabi.bench import cases; print(cases.run([sys.executable, '-c', {outer!r}], '.'))"
    )
    printed = shell(f"python -c {shlex.quote(measuring)}", tmp_path)
    measured = json.loads(printed.splitlines()[-1].replace("'", '"'))
    assert 300 <= measured["peak_mib"] < 2000 and measured["seconds"] > 0
    assert (tmp_path / "seen").read_text() == "None"
    with pytest.raises(InputError, match="failed in a clone"):
        cases.run([sys.executable, "-c", "raise SystemExit(3)"], tmp_path)


def test_a_line_is_found_and_what_is_not_one_has_a_lower_r2():
    counts = pd.Series([250, 500, 1000, 2000])
    exact = cases.line(counts, 3 + 0.5 * counts)
    assert (exact["slope"], exact["start"], exact["r2"]) == pytest.approx((0.5, 3, 1))
    assert cases.line(counts, (counts / 100) ** 2.0)["r2"] < 0.97
