"""Every option measured on the sample, as the tables of docs/results/survey.md: `sabi survey`.

Queues the settings of `sabi/bench/survey.yaml` as DVC experiments, runs them, records
their figures in `metrics/survey.csv`, and writes the tables into the page.
Interrupted, it goes on where it was. A setting is recorded under the lock
of the commit's own run: where it changes, everything is run again.
"""

import hashlib
import itertools
import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from sabi.bench.pages import SURVEY, renew
from sabi.review import results
from sabi.runtime.errors import InputError
from sabi.runtime.repository import git
from sabi.settings.reading import read_yaml
from sabi.tables import read_table, write_table

RUNS = Path(__file__).with_name("survey.yaml")
RECORD = Path("metrics/survey.csv")
JOBS = 2  # at once; a part of each run has only one thread
COLUMNS = [
    "group",
    "title",
    "settings",
    "baseline",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "kappa",
    "mae",
    "seconds",
]


def rows_of(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A dictionary a row of the table: group, title, settings (list), member (None: the ensemble)."""
    rows = []
    for group in groups:
        for run in group["runs"]:
            for member in run.get("members", [None]):
                title = run["title"].format(member=member)
                parts = [part if isinstance(part, list) else [part] for part in run["set"]]
                settings = sorted(itertools.chain(*parts))
                rows.append({"group": group["title"], "title": title, "settings": settings, "member": member})
    return rows


def baseline() -> str:
    """What the recorded figures are comparable under: outputs and parameters of all stages but the report.

    Not the code: where it decides a training it is in an output (`key` in model.json).

    Raises `InputError` for changes that are not committed, which the experiments would include, and
    without a `dvc.lock`.
    """
    changed = git("status", "--porcelain", "--untracked-files=no")
    files = [line.split(maxsplit=1)[1] for line in changed.splitlines()]
    others = [file for file in files if file not in (str(RECORD), str(SURVEY))]
    if others:
        raise InputError(f"{others[0]}: changed but not committed; commit, then run the survey")
    lock = Path("dvc.lock")
    if not lock.exists():
        raise InputError("dvc.lock: no such file here; run `dvc repro` and commit, then run the survey")
    stages = read_yaml(lock.read_text(encoding="utf-8"))["stages"]
    del stages["report"]
    decisive = {name: [stage.get("outs"), stage.get("params")] for name, stage in stages.items()}
    return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()[:12]


def named(settings: list[str], baseline: str) -> str:
    """The name of the experiment with `settings` under a baseline; "HEAD" for none."""
    if not settings:
        return "HEAD"
    return "survey-" + hashlib.sha256(json.dumps([baseline, settings]).encode()).hexdigest()[:10]


def revisions() -> dict[str, str]:
    """The git revision of every DVC experiment by its name, and of HEAD."""
    listed = git("for-each-ref", "--format=%(refname:lstrip=4) %(objectname)", "refs/exps")
    pairs = (line.split() for line in listed.splitlines())
    return {**dict(pair for pair in pairs if len(pair) == 2), "HEAD": git("rev-parse", "HEAD").strip()}


def run_queued(wanted: dict[str, list[str]], jobs: int) -> None:
    """Queue the experiments `wanted` (settings by name) that do not exist yet; run them, `jobs` at once."""
    there = revisions()
    missing = {name: settings for name, settings in wanted.items() if name not in there}
    _dvc("queue", "remove", "--failed")
    waiting = _unfinished()
    for name in tqdm(missing, desc="queue", unit="run", disable=not missing):
        if not any(name in line for line in waiting):
            options = [option for setting in missing[name] for option in ("-S", setting)]
            _dvc("exp", "run", "--queue", "--name", name, *options)
    if not missing:
        return
    # Its workers would keep a pipe open until they end.
    start = ["dvc", "queue", "start", "--jobs", str(jobs)]
    subprocess.run(start, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with tqdm(total=len(missing), desc="run", unit="run") as bar:
            while _unfinished():
                bar.update(len(missing.keys() & revisions().keys()) - bar.n)
                time.sleep(5)
    finally:
        _dvc("queue", "stop")


def _unfinished() -> list[str]:
    """The lines of DVC's queue about runs that wait or run."""
    return re.findall(r".*(?:Queued|Running).*", _dvc("queue", "status"))


def _dvc(*arguments: str) -> str:
    """What a command of DVC prints; raises `InputError` with its message if it fails."""
    result = subprocess.run(["dvc", *arguments], capture_output=True, text=True)
    if result.returncode:
        raise InputError(f"dvc {' '.join(arguments)}: {' '.join(result.stderr.split())[-300:]}")
    return result.stdout.strip()


def figures(revision: str, member: str | None) -> dict[str, float | None]:
    """Test metrics of a run's ensemble or member, and the seconds its trainings took.

    Seconds are None if this machine's MLflow does not know a training: one restored from DVC's cache.
    """

    def read(file: str) -> Any:
        return json.loads(results.text(revision, file))

    metrics = read("metrics/members.json")[member] if member else read("metrics/ensemble.json")
    low, high = read("data/evaluate/intervals.json")[member or "ensemble"]["accuracy"]
    trained = [member] if member else list(read("data/ensemble/ensemble.json")["weights"])
    keys = [read(f"data/networks/{name}/model.json")["key"] for name in trained]
    return {
        "accuracy": metrics["accuracy"],
        "accuracy_low": low,
        "accuracy_high": high,
        "kappa": metrics["kappa"],
        "mae": metrics["mae"],
        "seconds": results.seconds_of(keys),
    }


def table(record: pd.DataFrame) -> str:
    """The record as Markdown, a table a group."""
    lines = []
    for group, rows in record.groupby("group", sort=False):
        lines += [f"| {group} | accuracy (95 %) | kappa | MAE | seconds |", "|---|---|---|---|---|"]
        for row in rows.to_dict("records"):
            accuracy = f"{row['accuracy']:.2f} ({row['accuracy_low']:.2f} to {row['accuracy_high']:.2f})"
            seconds = "–" if pd.isna(row["seconds"]) else f"{row['seconds']:.0f}"
            numbers = f"{row['kappa']:.2f} | {row['mae']:.2f} | {seconds}"
            title = row["title"].replace("|", "\\|")  # a bar would end the cell
            lines.append(f"| {title} | {accuracy} | {numbers} |")
        lines.append("")
    return "\n".join(lines)


def survey() -> None:
    """Run what is not recorded, record it, renew the page's tables.

    Raises `InputError`, after recording all others, for runs that failed.
    """
    rows = rows_of(read_yaml(RUNS.read_text(encoding="utf-8")))
    current = baseline()
    record = read_table(RECORD) if RECORD.exists() else pd.DataFrame(columns=COLUMNS)
    recorded = {(row["group"], row["title"], row["settings"]): row for row in record.to_dict("records")}
    for row in rows:
        row["text"] = " ".join(row["settings"])
        row["before"] = recorded.get((row["group"], row["title"], row["text"]))
        row["known"] = row["before"] and row["before"]["baseline"] == current
    wanted = {named(row["settings"], current): row["settings"] for row in rows if not row["known"]}
    try:
        run_queued({name: settings for name, settings in wanted.items() if name != "HEAD"}, JOBS)
    finally:
        there = revisions()
        done, failed = [], []
        for row in rows:
            place = {
                "group": row["group"],
                "title": row["title"],
                "settings": row["text"],
                "baseline": current,
            }
            if row["known"]:
                done.append(row["before"])
            elif named(row["settings"], current) in there:
                done.append(place | figures(there[named(row["settings"], current)], row["member"]))
            else:
                failed.append(named(row["settings"], current))
                if row["before"]:  # better of another commit than none
                    done.append(row["before"])
        write_table(pd.DataFrame(done, columns=COLUMNS), RECORD)
        renew(SURVEY, "survey", table(pd.DataFrame(done)))
    if failed:
        raise InputError(f"{len(failed)} runs failed; `dvc queue logs {failed[0]}` says why of the first")
