"""Every option measured on the sample, as the README's table: `python -m sabi.survey`.

Runs the settings of `sabi/survey.yaml` as DVC experiments, one after the
other, records each in `metrics/survey.csv` as soon as it is done, and writes
the table into the README. Interrupted, it goes on where it was. A setting is
recorded under the metrics of the commit's own run: where these change,
everything is run again.
"""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import dvc.api
import pandas as pd
import yaml
from tqdm import tqdm

from sabi import tracking
from sabi.errors import InputError
from sabi.handover import read_table, write_table

RUNS = Path("sabi/survey.yaml")
RECORD = Path("metrics/survey.csv")
README = Path("README.md")
START, END = "<!-- survey: begin -->", "<!-- survey: end -->"
COLUMNS = ["group", "title", "settings", "baseline", "accuracy", "low", "high", "kappa", "mae", "seconds"]


def rows_of(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A dictionary a row of the table: group, title, settings (list), member (None: the ensemble)."""
    rows = []
    for group in groups:
        for run in group["runs"]:
            for member in run.get("members", [None]):
                title = run["title"].format(member=member)
                settings = sorted(run["set"])
                rows.append({"group": group["title"], "title": title, "settings": settings, "member": member})
    return rows


def baseline() -> str:
    """What the recorded figures are comparable under: the outputs of the commit's own evaluation.

    Raises `InputError` for changes that are not committed: the experiments would include them.
    """
    changed = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=no"], capture_output=True, text=True, check=True
    ).stdout
    others = [line for line in changed.splitlines() if line[3:] not in (str(RECORD), str(README))]
    if others:
        raise InputError(f"uncommitted changes ({others[0].strip()}, ...); commit, then run the survey")
    judged = yaml.safe_load(Path("dvc.lock").read_text(encoding="utf-8"))["stages"]["evaluate"]["outs"]
    return hashlib.sha256(json.dumps(judged).encode()).hexdigest()[:12]


def experiment(settings: list[str]) -> str:
    """Run an experiment with `settings` if there is none of its name yet; its git revision.

    Raises `InputError` if it fails.
    """
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout
    if not settings:
        return commit.strip()
    name = "survey-" + hashlib.sha256(json.dumps([commit, settings]).encode()).hexdigest()[:10]
    if not _revision(name):
        options = [option for setting in settings for option in ("-S", setting)]
        result = subprocess.run(["dvc", "exp", "run", "--temp", "-n", name, *options])
        if result.returncode:
            raise InputError(f"dvc exp run {' '.join(settings)}: failed; its own message stands above")
    return _revision(name)


def _revision(name: str) -> str:
    listed = subprocess.run(
        ["git", "for-each-ref", "--format=%(objectname) %(refname)", "refs/exps"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return next((line.split()[0] for line in listed.splitlines() if line.endswith(f"/{name}")), "")


def figures(revision: str, member: str | None) -> dict[str, float]:
    """Test metrics of a run's ensemble or member, and the seconds its trainings took."""

    def read(file: str) -> Any:
        return json.loads(dvc.api.read(file, rev=revision))

    metrics = read("metrics/members.json")[member] if member else read("metrics/ensemble.json")
    low, high = read("data/evaluate/intervals.json")[member or "ensemble"]["accuracy"]
    trained = [member] if member else list(read("data/ensemble/ensemble.json")["weights"])
    seconds = sum(
        tracking.training_seconds(read(f"data/members/{name}/model.json")["key"]) for name in trained
    )
    return {
        "accuracy": metrics["accuracy"],
        "low": low,
        "high": high,
        "kappa": metrics["kappa"],
        "mae": metrics["mae"],
        "seconds": round(seconds, 1),
    }


def table(record: pd.DataFrame) -> str:
    """The record as Markdown, a table a group."""
    lines = []
    for group, rows in record.groupby("group", sort=False):
        lines += [f"| {group} | accuracy (95 %) | kappa | MAE | seconds |", "|---|---|---|---|---|"]
        for row in rows.to_dict("records"):
            accuracy = f"{row['accuracy']:.2f} ({row['low']:.2f} to {row['high']:.2f})"
            numbers = f"{row['kappa']:.2f} | {row['mae']:.2f} | {row['seconds']:.0f}"
            lines.append(f"| {row['title']} | {accuracy} | {numbers} |")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    """Run what is not recorded, record it, renew the README's table."""
    rows = rows_of(yaml.safe_load(RUNS.read_text(encoding="utf-8")))
    current = baseline()
    record = read_table(RECORD) if RECORD.exists() else pd.DataFrame(columns=COLUMNS)
    known = {
        (row["group"], row["title"], row["settings"]): row
        for row in record.to_dict("records")
        if row["baseline"] == current
    }
    done = []
    for row in tqdm(rows, desc="survey", unit="row"):
        settings = " ".join(row["settings"])
        place = {"group": row["group"], "title": row["title"], "settings": settings, "baseline": current}
        before = known.get((row["group"], row["title"], settings))
        done.append(before or place | figures(experiment(row["settings"]), row["member"]))
        write_table(pd.DataFrame(done, columns=COLUMNS), RECORD)
    text = README.read_text(encoding="utf-8")
    head, _, rest = text.partition(START)
    _, _, tail = rest.partition(END)
    README.write_text(f"{head}{START}\n{table(pd.DataFrame(done))}{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
