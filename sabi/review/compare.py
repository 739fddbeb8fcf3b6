"""The experiments of a commit side by side, each against the best: `sabi compare [COMMIT]`.

Writes `comparison.md`, `comparison.csv` and `comparison.png`. The best is the
one whose scores err least on validation, of those tested on the most photographs and lacking no fold;
so test photographs only judge.
Experiments that differ in nothing but `split.fold` are one line: their test
partitions are pooled.
"""

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sabi.evaluation.differences import cannot_tell, common, differences, mcnemar, verdict
from sabi.evaluation.metrics import intervals, measure
from sabi.report.figures import interval_plot
from sabi.review import results
from sabi.review.results import Result, seconds_of, truth_grades_scores
from sabi.runtime.errors import InputError
from sabi.runtime.repository import repository_root, unfit_for_experiments
from sabi.settings.evaluate import Bootstrap
from sabi.tables import flat, write_table

SHOWN = {"accuracy": "higher", "kappa": "higher", "mae": "lower", "sensitivity": "higher"}
TITLES = {"accuracy": "accuracy", "kappa": "kappa", "mae": "MAE, grades", "sensitivity": "sensitivity"}
MARKDOWN, TABLE, PLOT = (Path(f"comparison.{suffix}") for suffix in ("md", "csv", "png"))
COMMITTED = "the commit itself"


@dataclass(frozen=True)
class Entry:
    """One line: an experiment, or those of a cross-validation's folds."""

    name: str
    results: list[Result]
    whole: bool = True  # no fold is missing

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """Predictions of test photographs, each of which is in one fold only.

        Raises `InputError` if one is in several: folds of other photographs or seeds.
        """
        joined = pd.concat([result.predictions for result in self.results], ignore_index=True)
        if joined.sha256.duplicated().any():
            twice = joined.path[joined.sha256.duplicated()].iloc[0]
            raise InputError(f"{self.name}: {twice} is tested twice; `dvc exp remove` what is of other data")
        return joined

    @property
    def validation_rmse(self) -> float:
        """Root of the mean square error of the score on validation; of folds, of their mean."""
        errors = [result.validation["ensemble"]["rmse"] for result in self.results]
        return float(np.sqrt(np.mean(np.square(errors))))


def experiments(commit: str) -> dict[str, str]:
    """The revision of each DVC experiment of `commit` by name, and of the commit itself.

    Raises `InputError` for a commit that does not exist and outside of a DVC repository.
    """
    from dvc.exceptions import DvcException, NotDvcRepoError
    from dvc.repo import Repo
    from dvc.scm import SCMError

    try:
        with Repo() as repo:
            listed = repo.experiments.ls(rev=commit)
    except NotDvcRepoError:
        raise InputError("no DVC repository here; run from the repository's root") from None
    except (DvcException, SCMError) as error:  # the latter of a repository without a commit
        raise InputError(f"{commit}: {error}; `git branch -a` shows what there is") from None
    return {COMMITTED: commit} | {
        name: revision for pairs in listed.values() for name, revision in sorted(pairs)
    }


def failures(commit: str) -> dict[str, str]:
    """Why experiments of `commit` in DVC's queue failed, by name; not of those that succeeded after all."""
    from dvc.repo import Repo

    with Repo() as repo:
        shown = repo.experiments.show(revs=[commit])[-1]  # the workspace comes first
    states = [(run.name, run.executor) for run in shown.experiments or []]
    # Of one that failed before it began DVC knows no more than that.
    failed = {name: at.local and Path(at.local.log) for name, at in states if at and at.state == "failed"}
    others = {name for name, at in states if not at or at.state != "failed"}
    return {name: reason(log) for name, log in sorted(failed.items()) if name not in others}


def reason(log: Path | None) -> str:
    """The line of an experiment's log that says why it failed: ours, else of a traceback, else DVC's."""
    if log is None or not log.is_file():
        cause = unfit_for_experiments(repository_root()) or "`dvc queue remove --failed` forgets it"
        return f"DVC has no log of it; {cause}"
    text = log.read_text(encoding="utf-8", errors="replace").replace("\r", "\n")
    for said in (
        r"^error: (.+)",
        r"^(interrupted: .+)",
        r"^Traceback .*\n(?:[ \n].*\n)*?(\S.*)",
        r"^ERROR: (.+)",
    ):
        if found := re.findall(said, text, re.MULTILINE):
            return found[-1]
    return "its log does not say why"


def entries(found: dict[str, Result]) -> list[Entry]:
    """Experiments as lines: those that are folds of one cross-validation together."""
    together: dict[str, list[str]] = {}
    for name, result in found.items():
        split = result.params["split"]
        folds = split.get("folds", 1)
        alike = result.params | {"split": split | {"fold": None}} if folds > 1 else name
        together.setdefault(json.dumps(alike, sort_keys=True), []).append(name)
    lines = []
    for names in together.values():
        folds = found[names[0]].params["split"].get("folds", 1)
        of_fold = {found[name].params["split"].get("fold", 0): found[name] for name in names}
        suffix = f" ({len(of_fold)} of {folds} folds)" if folds > 1 else ""
        ordered = [of_fold[fold] for fold in sorted(of_fold)]
        lines.append(Entry(names[0] + suffix, ordered, len(of_fold) == folds))
    return lines


def figures(entry: Entry, base: dict[str, Any], *, resamples: int, seed: int) -> dict[str, Any]:
    """What is shown of an entry: settings, metrics with 95 % intervals, seconds, parameters.

    `base` are the commit's parameters: only what differs from them is named.
    Seconds and parameters are None where this machine does not know them.
    """
    first, predictions = entry.results[0], entry.predictions
    mine, theirs = dict(flat(first.params)), dict(flat(base))
    # Members have a column of their own, and a line has all folds.
    apart = ("ensemble.members", "split.fold")
    changed = [f"{key}={mine[key]}" for key in mine if theirs.get(key) != mine[key] and key not in apart]
    judged = truth_grades_scores(predictions)
    point = measure(*judged, first.grades)
    drawn = Bootstrap(resamples=resamples, seed=seed)
    bounds = intervals(*judged, predictions.specimen.to_numpy(), first.grades, drawn)
    row = {
        "experiment": entry.name,
        "members": " ".join(first.members),
        "settings": " ".join(changed),
        "photographs": len(predictions),
        "specimens": predictions.specimen.nunique(),
        "validation_rmse": entry.validation_rmse,
    }
    for name in SHOWN:
        row[name] = point[name]
        row[f"{name}_low"], row[f"{name}_high"] = bounds[name]
    return row | training(entry)


def training(entry: Entry) -> dict[str, float | None]:
    """Seconds the trainings of an entry's members took, and the number of their weights."""
    try:
        models = [results.models(result) for result in entry.results]
    except InputError:  # not in DVC's cache: of an experiment that was fetched, say
        return {"seconds": None, "parameters": None}
    return {
        "seconds": seconds_of(model["key"] for members in models for model in members.values()),
        "parameters": sum(model["parameters"] for model in models[0].values()),
    }


def against(best: Entry, entry: Entry, *, resamples: int, seed: int) -> dict[str, Any]:
    """An entry compared with the best one on the photographs that both were tested on."""
    base, new = common(best.predictions, entry.predictions)
    if new.empty:
        return {"compared": 0}
    found = differences(base, new, best.results[0].grades, resamples=resamples, seed=seed)
    row: dict[str, Any] = {"compared": len(new)}
    for name, better in SHOWN.items():
        difference = found[name]
        row[f"{name}_rise"] = difference.value
        row[f"{name}_rise_low"], row[f"{name}_rise_high"] = difference.low, difference.high
        row[f"{name}_verdict"] = verdict(difference, better, len(new), new.specimen.nunique())
    row["only_best_right"], row["only_this_right"], row["mcnemar_p"] = mcnemar(base, new)
    if row["accuracy_verdict"] in ("better", "worse") and row["mcnemar_p"] >= 0.05:
        row["accuracy_verdict"] = cannot_tell(len(new))
    return row


def best_of(lines: list[Entry]) -> Entry:
    """The entry that errs least on validation, of those tested on the most photographs.

    A cross-validation tests every photograph; what was tested on a part of them cannot lead it. One that
    lacks folds leads only where all do.
    """
    eligible = [entry for entry in lines if entry.whole] or lines
    most = max(len(entry.predictions) for entry in eligible)
    tested = [entry for entry in eligible if len(entry.predictions) == most]
    return min(tested, key=lambda entry: entry.validation_rmse)


def table(lines: list[Entry], best: Entry, base: dict[str, Any]) -> pd.DataFrame:
    """A row an entry, the best first, then by their error on validation."""
    chosen = base["evaluate"]["bootstrap"]
    drawn = {"resamples": chosen["resamples"], "seed": chosen["seed"]}
    rows = []
    for entry in sorted(lines, key=lambda entry: (entry is not best, entry.validation_rmse)):
        compared = {} if entry is best else against(best, entry, **drawn)
        rows.append(figures(entry, base, **drawn) | compared)
    return pd.DataFrame(rows)


def markdown(rows: pd.DataFrame, failed: dict[str, str]) -> str:
    """The comparison as two tables, figures and differences, and the experiments that failed."""
    best = rows.iloc[0]
    metrics = [TITLES[name].partition(",")[0] for name in SHOWN]
    heading = ["experiment", "members", "other settings", *metrics, "training, s", "parameters"]
    lines = [f"| {' | '.join(heading)} |", f"|{'---|' * len(heading)}"]
    for row in rows.to_dict("records"):
        cells = [_with_interval(row[name], row[f"{name}_low"], row[f"{name}_high"]) for name in SHOWN]
        seconds = _number(row["seconds"], ".0f")
        parameters = "–" if _none(row["parameters"]) else f"{row['parameters'] / 1e6:.1f} M"
        what = (
            f"{row['experiment']} | {row['members']} | {row['settings'].replace('|', chr(92) + '|') or '–'}"
        )
        lines.append(f"| {what} | {' | '.join(cells)} | {seconds} | {parameters} |")
    lines += [
        "",
        f"Test photographs; in brackets 95 % intervals. The best, {best.experiment}, is that whose scores "
        f"err least on validation (root mean square {best.validation_rmse:.3f}), of those that lack no "
        f"fold and were tested on the most photographs ({best.photographs}). Against it:",
        "",
        "| experiment | accuracy | only best right : only this | McNemar's p | verdict | MAE | verdict |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows.iloc[1:].to_dict("records"):
        if not row["compared"]:
            lines.append(f"| {row['experiment']} | no test photograph in common | | | cannot tell | | |")
            continue
        rise = [
            _with_interval(row[f"{name}_rise"], row[f"{name}_rise_low"], row[f"{name}_rise_high"], "+.3f")
            for name in ("accuracy", "mae")
        ]
        right = f"{row['only_best_right']:.0f} : {row['only_this_right']:.0f} | {_p(row['mcnemar_p'])}"
        verdicts = f"{row['accuracy_verdict']} | {rise[1]} | {row['mae_verdict']}"
        lines.append(f"| {row['experiment']} | {rise[0]} | {right} | {verdicts} |")
    lines += [
        "",
        "Differences are this less the best, on the test photographs both have, with the interval of a "
        "paired bootstrap over specimens. Accuracy is better or worse only if McNemar's test agrees "
        "(p < 0.05). Of twenty verdicts on experiments that are all alike, one or two are wrong by chance.",
        "",
    ]
    for row in rows.iloc[1:].to_dict("records"):
        if row["compared"] < max(row["photographs"], best.photographs):
            lines.append(
                f"- {row['experiment']} was tested on {row['photographs']} photographs, {best.experiment} on "
                f"{best.photographs}; {row['compared']:.0f} are the same."
            )
    lines += [f"- {name} failed: {reason}" for name, reason in failed.items()]
    return "\n".join(lines).rstrip() + "\n"


def _none(value: float | None) -> bool:
    return value is None or value != value


def _number(value: float | None, form: str) -> str:
    return "–" if _none(value) else format(value, form)


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _with_interval(value: float | None, low: float | None, high: float | None, form: str = ".2f") -> str:
    if _none(value):
        return "–"
    return f"{value:{form}} ({_number(low, form)} to {_number(high, form)})"


def compare(commit: str) -> None:
    """Compare, print and write the files; raises `InputError` if there is nothing to compare."""
    found: dict[str, Result] = {}
    unread: dict[str, str] = {}
    for name, revision in experiments(commit).items():
        try:
            result = results.read(revision)
            if COMMITTED in found and result.grades != found[COMMITTED].grades:
                raise InputError(
                    "other labels.grades or labels.sound than the commit's: it cannot be compared"
                )
            found[name] = result
        except InputError as error:
            unread[name] = str(error)
    if COMMITTED not in found:
        raise InputError(unread[COMMITTED])
    lines = entries(found)
    rows = table(lines, best_of(lines), found[COMMITTED].params)
    text = markdown(rows, failures(commit) | unread)
    write_table(rows, TABLE)
    MARKDOWN.write_text(text, encoding="utf-8")
    panels = {TITLES[name]: rows[[name, f"{name}_low", f"{name}_high"]].to_numpy(float) for name in SHOWN}
    PLOT.write_bytes(interval_plot(list(rows.experiment), panels))
    print(text)
    print(f"written: {MARKDOWN}, {TABLE}, {PLOT}")
