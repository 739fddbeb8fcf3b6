"""Whether the working commit breaks a rule of `params.yaml` (section `gate`), compared with another commit.

Both are judged by what is in git, which is checked first: that `dvc.lock`
belongs to the commit, and that the metrics are those of the predictions.
"""

import math
from typing import Any

from sabi.evaluation import sets
from sabi.evaluation.differences import FEWEST, Difference, common, differences, verdict
from sabi.evaluation.metrics import measure
from sabi.review.lock import out_of_step
from sabi.review.results import METRICS, PREDICTIONS, Result, read, truth_grades_scores
from sabi.runtime.errors import InputError
from sabi.runtime.repository import git
from sabi.settings.gate import Rule
from sabi.settings.loading import load
from sabi.settings.params import Params

PASSES, FAILS, UNJUDGED = 0, 1, 2
OUTCOMES = {PASSES: "kept", FAILS: "**broken**", UNJUDGED: "**cannot be judged**"}
HEADER = ["metric", "base", "new", "difference (95 %)", "verdict", "rule", "outcome"]


def judge(base: str) -> tuple[int, str]:
    """`PASSES`, `FAILS` or `UNJUDGED` for HEAD against the revision `base`, and why, as Markdown.

    Raises `InputError` if nothing can be compared: for changes that are not
    committed, an unknown revision, and as `checked` and `compared` do.
    """
    changed = git("status", "--porcelain", "-z", "--untracked-files=no").split("\0")[0][3:]
    if changed:
        raise InputError(
            f"{changed}: changed but not committed; commit first "
            "(if it was `dvc repro` that changed it, the commit does not give the results it holds)"
        )
    old, new = checked(commit(base), base, base=True), checked(git("rev-parse", "HEAD").strip(), "HEAD")
    return compared(old, new, load(), base)


def commit(revision: str) -> str:
    """The commit of a git revision or DVC experiment; raises `InputError` if there is none."""
    from dvc.repo import Repo
    from dvc.scm import SCMError, resolve_rev

    with Repo() as repo:
        try:
            # DVC takes an empty name, a variable of CI that is not set, for HEAD.
            return resolve_rev(repo.scm, revision or "(an empty name)")
        except SCMError:
            raise InputError(f"{revision!r}: no such revision; `git branch -a` shows them") from None


def checked(commit: str, name: str, base: bool = False) -> Result:
    """The result of a commit, whose `name` is for messages.

    The code of a `base` may know fewer metrics; of HEAD all are there.

    Raises `InputError` as `sabi.review.results.read` does, if `dvc.lock` does not
    belong to the commit, if a test photograph is there twice, and if the
    metrics are not those of the predictions.
    """
    try:
        result = read(commit)
    except InputError as error:
        raise InputError(str(error).replace(commit, name)) from None
    if lines := out_of_step(commit):
        more = f" and {len(lines) - 1} more" * (len(lines) > 1)
        raise InputError(
            f"{name}: dvc.lock does not belong to this commit ({lines[0]}{more}); "
            "run `dvc repro` there and commit"
        )
    table = result.predictions
    if table.sha256.duplicated().any():
        twice = table.path[table.sha256.duplicated()].iloc[0]
        raise InputError(f"{name}: {PREDICTIONS} has the photograph {twice} twice; run `dvc repro` there")
    again = measure(*truth_grades_scores(table), result.grades)
    if sets.given(table):
        again |= sets.measure(table, result.grades)
    for metric, value in again.items():
        if base and metric not in result.metrics:
            continue
        if not _same(value, result.metrics.get(metric)):
            raise InputError(
                f"{name}: {metric} in {METRICS} is {result.metrics.get(metric)}, "
                f"but {PREDICTIONS} gives {value}; run `dvc repro` there and commit"
            )
    return result


def _same(value: Any, other: Any) -> bool:
    """Equal to six decimals; numbers, None, and mappings of them."""
    if isinstance(value, dict) and isinstance(other, dict):
        return value.keys() == other.keys() and all(_same(value[name], other[name]) for name in value)
    if isinstance(value, int | float) and isinstance(other, int | float):
        # The last decimal may be rounded the other way from sums of another order.
        return math.isclose(value, other, rel_tol=0, abs_tol=1.5e-6)
    return value is other is None


def compared(old: Result, new: Result, settings: Params, base: str) -> tuple[int, str]:
    """`PASSES`, `FAILS` or `UNJUDGED` and why, for two results; `base` is the name of `old`.

    Raises `InputError` if their grades are not the same and if they have no test photograph in common.
    """
    if old.grades != new.grades:
        raise InputError(f"labels.grades or labels.sound are not those of {base}: grades mean something else")
    before, after = common(old.predictions, new.predictions)
    notes, unjudged = [], []
    if old.revision == new.revision:
        notes.append(f"HEAD and {base} are the same commit.")
    if changes := rule_changes(old.params, new.params):
        notes.append(f"**The rules are not those of {base}:** {'; '.join(changes)}.")
    gone, come = len(old.predictions) - len(before), len(new.predictions) - len(after)
    if gone or come:
        differ = f"test photographs differ, {gone} only in {base}, {come} only in HEAD"
        if after.empty:
            raise InputError(f"{differ}, none in both; nothing can be compared")
        if settings.gate.test_photographs == "same":
            unjudged.append(
                f"{differ} (below, those in both are compared; gate.test_photographs=common judges by them)"
            )
        else:
            notes.append(f"**The {differ}:** those in both are compared.")
    if moved := (before.specimen != after.specimen).sum():
        notes.append(f"**Specimens are not those of {base}:** {moved} photographs are of another.")

    found = differences(before, after, new.grades, **settings.evaluate.bootstrap.model_dump())
    rows, outcomes = [HEADER, ["---"] * len(HEADER)], {}
    lacking = [name for name, rule in settings.gate.rules if name not in found and rule.tolerated is not None]
    if lacking and sets.given(old.predictions) and not sets.given(new.predictions):
        unjudged.append(f"HEAD has no sets of grades for {', '.join(lacking)}; run `dvc repro`")
    elif "coverage" not in found:
        notes.append(f"{base} has no sets of grades: coverage, set_size and look are not judged.")
    judged = [(name, rule) for name, rule in settings.gate.rules if name in found]
    for name, rule in judged:
        meaning = verdict(found[name], rule.better, len(after), after.specimen.nunique())
        cells = [name, _number(found[name].base), _number(found[name].new), _span(found[name]), meaning]
        if rule.tolerated is None:
            rows.append([*cells, "none", "–"])
        else:
            outcomes[name] = outcome(found[name], rule, meaning)
            rows.append([*cells, in_words(rule), OUTCOMES[outcomes[name]]])
    specimens = after.specimen.nunique()
    if specimens < FEWEST and any(rule.significant for name, rule in judged if name in outcomes):
        unjudged.append(
            f"{specimens} test specimens are too few to tell a drop from chance, {FEWEST} are needed"
        )
    unjudged += [f"{name} does not exist" for name, kept in outcomes.items() if kept == UNJUDGED]
    broken = [name for name, kept in outcomes.items() if kept == FAILS]
    if not outcomes:
        unjudged.append("gate.rules in params.yaml tolerates any drop of any metric; give one a number")
    if unjudged:
        status, said = UNJUDGED, f"**Cannot be judged:** {'; '.join(unjudged)}."
    elif broken:
        status, said = (
            FAILS,
            f"**Fails:** {len(broken)} of {len(outcomes)} rules broken ({', '.join(broken)}).",
        )
    else:
        status, said = PASSES, f"**Passes:** none of {len(outcomes)} rules is broken."
    counts = f"{len(after)} photographs, {after.specimen.nunique()} specimens"
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return status, "\n\n".join([said, counts, *notes, table]) + "\n"


def outcome(difference: Difference, rule: Rule, meaning: str) -> int:
    """What a rule, whose `tolerated` is a number, says of a difference whose verdict is `meaning`."""
    assert rule.tolerated is not None
    if difference.value is None or meaning == "does not exist":
        return UNJUDGED
    drop = -difference.value if rule.better == "higher" else difference.value
    return FAILS if drop > rule.tolerated and (meaning == "worse" or not rule.significant) else PASSES


def rule_changes(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What the parameters `new` judge by that was otherwise in `old`, in words; both as in `params.yaml`."""
    was, now = _rules_as_text(old), _rules_as_text(new)
    return [
        f"{name} is {now.get(name, 'no more')}, was {was.get(name, 'not there')}"
        for name in was | now
        if was.get(name) != now.get(name)
    ]


def _rules_as_text(parameters: dict[str, Any]) -> dict[str, str]:
    """Every rule, and what else the outcome hangs on, as text by its name."""
    gate = parameters.get("gate", {})
    values = {f"gate.rules.{name}": rule for name, rule in gate.get("rules", {}).items()}
    values |= {"gate.test_photographs": gate.get("test_photographs")}
    values |= {"evaluate.bootstrap": parameters["evaluate"]["bootstrap"]}
    return {name: str(value).strip("{}").replace("'", "") for name, value in values.items()}


def in_words(rule: Rule) -> str:
    """A rule as the table has it."""
    size = f" over {rule.tolerated:g}" if rule.tolerated else ""
    return f"no {'significant ' * rule.significant}{'drop' if rule.better == 'higher' else 'rise'}{size}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _span(difference: Difference) -> str:
    if None in (difference.value, difference.low, difference.high):
        return "–"
    value, low, high = (f"{bound:+z.3f}" for bound in (difference.value, difference.low, difference.high))
    return f"{value} ({low} to {high})"
