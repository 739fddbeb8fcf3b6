"""How fast the pipeline is, beside the wiki's method: `sabi bench`.

Measures the commit in fresh clones, on drawings made for it, one thing after
another: the cases of `CASES` against `sabi/bench/wiki_method.py`, on small and, if
asked for, on large photographs and on a laboratory's, how time and memory grow with their number,
the networks beside other engines, the head beside its arithmetic
(`sabi/bench/throughput.py`), and what starting costs. Writes `metrics/bench.json`, a
plot, and the tables of `docs/results/speed.md`. The machine should have nothing else to do.
"""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd

from sabi.bench import crowd, laboratory
from sabi.bench.clones import (
    RAW,
    REPRO,
    SABI,
    UNLABELLED,
    architecture,
    change,
    changed,
    cloned,
    equal_work,
    files,
    line,
    members_of,
    run,
)
from sabi.bench.pages import SPEED, renew
from sabi.bench.scripts import job_of, script
from sabi.bench.speed_report import plot, table
from sabi.networks import STANDARD
from sabi.photographs.drawings import SEED, draw_graded, draw_ungraded
from sabi.runtime.errors import InputError
from sabi.runtime.machine import processor
from sabi.runtime.repository import git
from sabi.settings.reading import read_yaml
from sabi.tables import MANIFEST, read_json, read_table, write_json

RECORD, PLOT = Path("metrics/bench.json"), Path("docs/results/speed.png")
QUICK_FOLDER = Path(".dvc/tmp/bench")  # where nothing is mistaken for the record; git ignores it
# By key: what is done, and how many times faster than the wiki's method it ought to be.
CASES = {
    "nothing": ("everything from nothing", 12),
    "default": ("the same, by the default settings (ridge head, one altered copy)", None),
    "loss": ("another loss, three networks", 60),
    "members": ("another set of members", 200),
    "photographs": ("5 % more photographs", 40),
    "grading": ("grading 500 new photographs", 4),
}
GROWN = "train_mobilenet"  # the last stage of the growing runs; split and augment are before it


@dataclass(frozen=True)
class Work:
    """How much is measured."""

    specimens: int  # a grade
    photographs: int  # a specimen
    side: int  # pixels, of the sample's settings
    large: int  # pixels, of photographs as the networks were made for
    epochs: int
    added: int  # photographs
    graded: int  # photographs
    growth: tuple[int, ...]  # numbers of photographs, multiples of 10
    rounds: int  # that a median is of
    networks: tuple[str, ...] = STANDARD
    survey: laboratory.Survey = laboratory.FULL
    crowd: tuple[int, ...] = (1000, 4000, 20_000)  # photographs that are only graded
    crowd_width: int = 6000  # pixels, of 4 : 3


FULL = Work(36, 3, 128, 224, 30, 27, 500, (250, 500, 1000, 2000, 4000), 5)
# To try the benchmark itself; its figures say nothing.
QUICK = Work(15, 1, 32, 64, 2, 4, 10, (80, 160), 1, survey=laboratory.QUICK, crowd=(20, 40), crowd_width=800)


def time_cases(root: Path, folder: Path, work: Work) -> dict[str, Any]:
    """Seconds of each of `CASES`, ours and the wiki's.

    The wiki's method knows no partial run: every change is its whole run again,
    which is measured once, on the photographs before any are added. A smaller
    set of members is that run less the time spent on the networks left out.
    """
    drawn = folder / "drawn"
    draw_graded(drawn / RAW, specimens=work.specimens, photographs=work.photographs)
    draw_ungraded(drawn / UNLABELLED)
    ours: dict[str, dict[str, float]] = {}

    clone = cloned(root, folder / "default")
    shutil.copytree(drawn, clone, dirs_exist_ok=True)
    change(clone, {"augment.size": work.side})
    ours["default"] = run(REPRO, clone)

    clone = cloned(root, folder / "clone")
    shutil.copytree(drawn, clone, dirs_exist_ok=True)
    change(clone, equal_work(work.side, work.epochs))
    ours["nothing"] = run(REPRO, clone)

    job = job_of(clone, drawn / RAW, files(drawn / UNLABELLED), work.networks, (work.side, work.epochs))
    job |= {"models": str(folder / "models")}
    photographs = len(read_table(clone / MANIFEST))
    wiki = script("wiki_method", job, folder / "wiki")
    spent = read_json(folder / "wiki/seconds.json")

    ours |= changed(clone, work.networks)
    others = [architecture(name) for name in work.networks if name not in members_of(work.networks)]

    add_specimens(clone / RAW, folder / "new", work.added)
    ours["photographs"] = run(REPRO, clone)

    draw_ungraded(clone / UNLABELLED / "new", count=work.graded, seed=SEED + 1)
    ours["grading"] = run(REPRO, clone)
    job |= {"train": [], "grade": files(clone / UNLABELLED / "new")}
    grading = script("wiki_method", job, folder / "graded")

    theirs = dict.fromkeys(CASES, wiki["seconds"]) | {
        "members": wiki["seconds"] - sum(spent[network] for network in others),
        "grading": grading["seconds"],
    }
    return {
        "cases": {
            key: {
                "title": title,
                "ours_seconds": ours[key]["seconds"],
                "wiki_seconds": round(theirs[key], 2),
                "ratio": round(theirs[key] / ours[key]["seconds"], 2),
                "wished": wished,
            }
            for key, (title, wished) in CASES.items()
        },
        "side": work.side,
        "photographs": photographs,
        "ours_peak_mib": ours["nothing"]["peak_mib"],
        "wiki_peak_mib": wiki["peak_mib"],
        "unchanged_seconds": run(REPRO, clone)["seconds"],
    }


def add_specimens(raw: Path, drawn: Path, count: int) -> None:
    """Add `count` drawings of specimens that `raw` does not have, evenly over the grades."""
    draw_graded(drawn, specimens=-(-count // 5), photographs=1, seed=SEED + 1)
    found = sorted(drawn.iterdir())
    for file in (found[place] for place in np.linspace(0, len(found) - 1, count).round().astype(int)):
        shutil.copy(file, raw / file.name.replace("specimen", "specimen9"))


def growth(root: Path, folder: Path, work: Work) -> dict[str, Any]:
    """Seconds and memory from nothing to a trained network, by the number of photographs."""
    draw_graded(folder / "drawn", specimens=max(work.growth) // 10, photographs=2)
    points = []
    for count in work.growth:
        clone = cloned(root, folder / f"clone{count}")
        (clone / RAW).mkdir(parents=True)
        for grade in (1, 2, 3, 4, 5):
            for file in sorted((folder / "drawn").glob(f"{grade}_*"))[: count // 5]:
                shutil.copy(file, clone / RAW)
        change(clone, equal_work(work.side, work.epochs))
        points.append({"photographs": count} | run([*REPRO, GROWN], clone))
        shutil.rmtree(clone)
    table = pd.DataFrame(points)
    return {
        "stage": GROWN,
        "points": points,
        "seconds": line(table.photographs, table.seconds),
        "peak_mib": line(table.photographs, table.peak_mib),
    }


def throughput(root: Path, folder: Path, side: int, rounds: int) -> dict[str, Any]:
    """What `sabi/bench/throughput.py` measures, in a process of its own."""
    clone = cloned(root, folder / "clone")
    file = folder / "throughput.json"
    run([*SABI, "throughput", str(side), str(rounds), str(file)], clone)
    return {"side": side} | read_json(file)


def start(root: Path, folder: Path, work: Work) -> dict[str, Any]:
    """Seconds until each stage's process has loaded its code and parameters, before it works.

    What loads TensorFlow does so later, when it needs it; `tensorflow_seconds` is that.
    """
    clone = cloned(root, folder / "clone")
    stages = read_yaml((clone / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    modules = {name: stage["cmd"].split()[2] for name, stage in stages.items() if "cmd" in stage}

    def seconds(code: str) -> float:
        run([sys.executable, "-c", code], clone)  # compiles what is not yet
        return median(run([sys.executable, "-c", code], clone)["seconds"] for _ in range(work.rounds))

    return {
        "stages_seconds": {
            name: seconds(f"import {module}; from sabi.settings.loading import load; load()")
            for name, module in modules.items()
        },
        "tensorflow_seconds": seconds("import tensorflow"),
    }


def machine() -> dict[str, Any]:
    """The kind of machine: its processor's name, cores that may be used, GiB of memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory / 2**30),
    }


PARTS: dict[str, Callable[[Path, Path, Work], dict[str, Any]]] = {
    "cases": time_cases,
    "large": lambda root, folder, work: time_cases(root, folder, replace(work, side=work.large)),
    "laboratory": lambda root, folder, work: laboratory.measure(root, folder, work.survey),
    "throughput": lambda root, folder, work: throughput(root, folder, work.side, work.rounds),
    "throughput-large": lambda root, folder, work: throughput(root, folder, work.large, work.rounds),
    "growth": growth,
    "crowd": lambda root, folder, work: crowd.measure(
        root, folder, replace(work.survey, width=work.crowd_width), work.crowd
    ),
    "start": start,
}

# Without those that take as long as all others, or add little to them.
USUAL = [part for part in PARTS if part not in ("large", "laboratory", "crowd", "throughput-large")]


def continued(before: dict[str, Any], record: dict[str, Any]) -> dict[str, Any]:
    """The record to go on with: `before`, if of the same machine and work as `record` without parts."""
    return before if all(before.get(name) == value for name, value in record.items()) else record


def measure(wanted: list[str], quick: bool) -> None:
    """Measure the `wanted` parts, record each when it is done; others stay if they are of the same work.

    Raises `InputError` for a part that is not of `PARTS`.
    """
    if unknown := [part for part in wanted if part not in PARTS]:
        raise InputError(f"the benchmark has no part {unknown[0]!r}; choose from {', '.join(PARTS)}")
    root = Path(git("rev-parse", "--show-toplevel").strip())
    commit = git("rev-parse", "--short", "HEAD").strip()
    if git("status", "--porcelain", "--untracked-files=no"):
        print("note: uncommitted changes are not measured", file=sys.stderr)
    work = QUICK if quick else FULL
    file, picture = (QUICK_FOLDER / RECORD.name, QUICK_FOLDER / PLOT.name) if quick else (RECORD, PLOT)
    record = {"machine": machine(), "work": json.loads(json.dumps(asdict(work)))}  # lists, as in the file
    record = continued(read_json(file) if file.exists() else {}, record)
    for part in wanted:
        with tempfile.TemporaryDirectory(prefix="sabi-bench-") as folder:
            record[part] = {"commit": commit} | PARTS[part](root, Path(folder), work)
        write_json(record, file)
    picture.write_bytes(plot(record))
    if not quick:
        renew(SPEED, "bench", table(record))
    print(f"\n{table(record)}\nwritten: {file}, {picture}")
