"""The gate in real repositories: it fails a worse commit, and never passes by silence.

Their `dvc.yaml` has one stage, which copies a drawn result to where the pipeline writes it.
"""

import contextlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from dvc.repo import Repo
from hypothesis import given, settings
from hypothesis import strategies as st

from sabi.evaluation import sets
from sabi.evaluation.differences import Difference, verdict
from sabi.evaluation.metrics import METRICS, measure
from sabi.grades import Grades
from sabi.review import gate, gate_rules
from sabi.review.results import Result
from sabi.runtime.errors import InputError
from sabi.settings.evaluate import Bootstrap
from sabi.settings.gate import Rule
from sabi.settings.loading import load
from sabi.tables import read_graded, write_json, write_table
from tests.conftest import ROOT, change_params, commit, shell

RATING = Grades(tuple("12345"), worst_sound=3)
FILES = ["metrics/ensemble.json", "metrics/validation.json", "metrics/predictions.csv"]
STAGE = {
    "cmd": "mkdir -p metrics && cp drawn/* metrics",
    "deps": ["drawn"],
    "params": ["evaluate", "labels"],
    "plots": [{FILES[2]: {"cache": False}}],
    "metrics": [{name: {"cache": False}} for name in FILES[:2]],
}


def drawn(photographs: int = 60) -> pd.DataFrame:
    """Predictions, three photographs a specimen, about two thirds of them right."""
    rng = np.random.default_rng(4)
    actual = 1 + np.arange(photographs) // 3 % 5
    score = np.clip(actual + rng.normal(0, 0.5, photographs), 1, 5).round(4)
    numbers = range(photographs)
    return pd.DataFrame(
        {
            "path": [f"{number:02}.jpg" for number in numbers],
            "sha256": [f"{number:064x}" for number in numbers],
            "specimen": [f"s{number // 3:02}" for number in numbers],
            "actual": actual,
            "predicted": np.rint(score).astype(int),
            "score": score,
        }
    )


def spoilt(table: pd.DataFrame, count: int) -> pd.DataFrame:
    """`table` with the first `count` right grades, of sound photographs, off by one."""
    right = table.index[(table.actual == table.predicted) & (table.actual > 3)][:count]
    table = table.copy()
    table.loc[right, "predicted"] -= 1
    table.loc[right, "score"] -= 1
    return table


def measured(table: pd.DataFrame) -> dict:
    return measure(*(table[name].to_numpy() for name in ("actual", "predicted", "score")), RATING)


def record(folder: Path, table: pd.DataFrame, **false: float) -> None:
    """Commit a run that comes to `table`, with `false` metrics."""
    write_table(table, folder / "drawn/predictions.csv")
    write_json(measured(table) | false, folder / "drawn/ensemble.json")
    write_json({"ensemble": {"mae": 0.3, "rmse": 0.4}}, folder / "drawn/validation.json")
    rerun(folder)


def rerun(folder: Path) -> None:
    with contextlib.chdir(folder), Repo() as repo:
        repo.reproduce()
    commit(folder, "run")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    """A repository with one result, branch main; not to be changed."""
    folder = tmp_path_factory.mktemp("gate") / "repository"
    folder.mkdir()
    shutil.copy(ROOT / "params.yaml", folder)
    change_params(folder, {"evaluate": {"bootstrap": {"resamples": 200}}})
    shell("git init -q -b main && git config user.name sabi && git config user.email s@example.org", folder)
    shell(f"dvc init -q && cp {ROOT / '.gitignore'} . && echo /gate.md >> .gitignore", folder)
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"evaluate": STAGE}}))
    record(folder, drawn())
    return folder


@pytest.fixture
def repository(recorded, tmp_path, monkeypatch) -> Path:
    """A copy on branch `change`; what is run in this process runs there."""
    folder = tmp_path / "repository"
    shutil.copytree(recorded, folder, symlinks=True)
    shell("git checkout -q -b change", folder)
    monkeypatch.chdir(folder)
    return folder


def judged(capsys, base: str = "main") -> tuple[int, str]:
    """The gate's exit status, and what it printed, which it has also written."""
    status = gate.gate(base)
    printed = capsys.readouterr().out
    assert Path("gate.md").read_text(encoding="utf-8") == printed
    return status, printed


def rows(text: str) -> dict[str, list[str]]:
    """The cells of each metric's row."""
    cells = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {row[0]: row[1:] for row in cells[2:]}


@pytest.mark.slow
def test_a_drop_fails_from_the_command_line_and_says_which_rules_it_breaks(repository):
    table = drawn()
    record(repository, spoilt(table, 12))
    before, after = measured(table)["accuracy"], measured(spoilt(table, 12))["accuracy"]
    text = shell("python -m sabi.cli gate main; test $? = 1", repository, PYTHONPATH=str(ROOT))
    assert text == (repository / "gate.md").read_text(encoding="utf-8")
    first, _, counts, *_ = text.splitlines()
    assert first == "**Fails:** 3 of 6 rules broken (accuracy, kappa, mae)."
    assert counts == "60 photographs, 20 specimens"
    base, new, difference, meaning, rule, outcome = rows(text)["accuracy"]
    assert (base, new) == (f"{before:.3f}", f"{after:.3f}")
    assert difference.startswith(f"{after - before:+.3f} (-")
    assert (meaning, rule, outcome) == ("worse", "no significant drop", "**broken**")
    assert rows(text)["sensitivity"][3:] == ["no difference", "no drop over 0.05", "kept"]
    assert rows(text)["mae"][4:] == ["no significant rise over 0.02", "**broken**"]
    assert rows(text)["mae_grade"][3:] == ["worse", "none", "–"]
    # The other way round it is a gain.
    shell("git checkout -q main", repository)
    text = shell("python -m sabi.cli gate change", repository, PYTHONPATH=str(ROOT))
    assert text.startswith("**Passes:** none of 6 rules is broken.\n")
    assert [rows(text)[name][3] for name in ("accuracy", "mae", "sensitivity")] == [
        "better", "better", "no difference",
    ]  # fmt: skip


def test_a_drop_that_may_be_chance_passes_but_not_as_progress(repository, capsys):
    record(repository, spoilt(drawn(), 1))
    status, text = judged(capsys)
    assert status == 0
    assert rows(text)["accuracy"][3] == "cannot tell with 60 photographs"


def test_where_a_drop_need_not_be_significant_it_fails_all_the_same(repository, capsys):
    table = drawn()
    missed = table.index[(table.actual == 2) & (table.predicted <= 2)][:2]
    table.loc[missed, ["predicted", "score"]] = [3, 3.0]
    record(repository, table)
    status, text = judged(capsys)
    assert (status, rows(text)["sensitivity"][3]) == (1, "cannot tell with 60 photographs")
    assert text.startswith("**Fails:** 1 of 6 rules broken (sensitivity).\n")


def test_the_same_commit_is_no_difference_and_said_to_be_the_same(repository, capsys):
    status, text = judged(capsys)
    assert status == 0 and "HEAD and main are the same commit." in text
    assert {row[3] for row in rows(text).values()} == {"no difference"}
    shell("git commit -q --allow-empty -m nothing", repository)
    status, text = judged(capsys)
    assert status == 0 and "same commit" not in text


def test_a_clone_without_data_and_cache_is_enough(repository, tmp_path, monkeypatch, capsys):
    record(repository, spoilt(drawn(), 12))
    shell(f"git clone -q {repository} clone", tmp_path)
    monkeypatch.chdir(tmp_path / "clone")
    # A branch that only the remote has.
    assert judged(capsys)[0] == 1


@pytest.mark.parametrize("stage", ["", "git add -A"])
@pytest.mark.parametrize("file", ["metrics/ensemble.json", "dvc.lock"])
def test_changes_that_are_not_committed_are_refused_by_name(repository, capsys, file, stage):
    with (repository / file).open("a") as text:
        text.write("\n")
    shell(stage or "true", repository)
    status, text = judged(capsys)
    assert status == 2 and text.startswith(f"**Cannot be judged:** {file}: changed but not committed")


def test_files_that_git_does_not_know_are_no_changes(repository, capsys):
    (repository / "notes.txt").write_text("mine")
    assert judged(capsys)[0] == 0


def test_a_merge_that_is_not_finished_is_refused(repository, capsys):
    record(repository, spoilt(drawn(), 1))
    shell("git checkout -q main", repository)
    record(repository, spoilt(drawn(), 2))
    shell("git merge change", repository, fails=True)
    assert judged(capsys)[0] == 2


@pytest.mark.parametrize("base", ["no-such-branch", "", "0" * 40, "main..change", "workspace"])
def test_an_unknown_revision_is_refused(repository, capsys, base):
    status, text = judged(capsys, base)
    assert status == 2 and f"{base!r}: no such revision" in text


def test_no_revision_is_refused(repository):
    shell("python -m sabi.cli gate; test $? = 2", repository, PYTHONPATH=str(ROOT))


@pytest.mark.parametrize("file", [*FILES, "dvc.lock"])
@pytest.mark.parametrize("who", ["base", "HEAD"])
def test_a_file_that_is_missing_in_either_is_refused_by_name(repository, capsys, who, file):
    # It stays in the folder: what counts is what is committed.
    shell(f"git rm -q --cached {file} && git commit -q -m lost", repository)
    if who == "base":
        shell(f"git checkout -q -f main && git branch -m change base && test -e {file}", repository)
    status, text = judged(capsys, "base" if who == "base" else "main")
    assert status == 2 and text.startswith(f"**Cannot be judged:** {who}: ") and file in text
    assert "| accuracy" not in text


def test_damaged_metrics_are_refused(repository, capsys):
    (repository / FILES[0]).write_text('{"accuracy": <<<<<<<')
    commit(repository, "half a merge")
    status, text = judged(capsys)
    assert status == 2 and f"HEAD: {FILES[0]} cannot be read" in text


@pytest.mark.parametrize("who", ["base", "HEAD"])
def test_a_lock_of_other_files_is_refused(repository, capsys, who):
    metrics = json.loads((repository / FILES[0]).read_text())
    write_json(metrics | {"accuracy": 1.0}, repository / FILES[0])
    commit(repository, "better by hand")
    if who == "base":
        shell("git checkout -q main && git branch -m change base", repository)
    status, text = judged(capsys, "base" if who == "base" else "main")
    assert status == 2 and f"{who}: dvc.lock does not belong to this commit (evaluate: {FILES[0]}" in text


def test_a_parameter_changed_without_a_run_is_refused(repository, capsys):
    change_params(repository, {"evaluate": {"bootstrap": {"seed": 8}}})
    commit(repository, "not run")
    status, text = judged(capsys)
    assert status == 2 and "HEAD: dvc.lock does not belong to this commit" in text


@pytest.mark.parametrize(
    ("false", "named"),
    [({"accuracy": 0.99}, "accuracy"), ({"recall": {"1": 1.0}}, "recall"), ({"kappa": None}, "kappa")],
)
def test_metrics_that_are_not_those_of_the_predictions_are_refused(repository, capsys, false, named):
    record(repository, drawn(), **false)  # the lock is in step with them
    status, text = judged(capsys)
    assert status == 2 and f"HEAD: {named} in metrics/ensemble.json is" in text


def test_a_photograph_listed_twice_is_refused(repository, capsys):
    record(repository, pd.concat([drawn(), drawn()[:1]]))
    status, text = judged(capsys)
    assert status == 2 and "HEAD: metrics/predictions.csv has the photograph 00.jpg twice" in text


@pytest.mark.parametrize("drop", [0, 12])
def test_other_test_photographs_are_counted_and_those_in_both_compared(repository, capsys, drop):
    table = spoilt(drawn(), drop)
    table.loc[5, "sha256"] = "f" * 64  # another photograph of the same name
    table.loc[9, "actual"] = 5  # graded anew
    table["path"] = "renamed-" + table.path
    record(repository, table[2:])
    status, text = judged(capsys)
    assert status == 2
    assert "test photographs differ, 4 only in main, 2 only in HEAD" in text.splitlines()[0]
    assert "56 photographs, 19 specimens" in text or "56 photographs, 20 specimens" in text
    assert rows(text)["accuracy"][5] == ("**broken**" if drop else "kept")

    change_params(repository, {"gate": {"test_photographs": "common"}})
    commit(repository, "judge by those in both")
    status, text = judged(capsys)
    assert status == bool(drop)
    assert "**The test photographs differ, 4 only in main, 2 only in HEAD:**" in text


@pytest.mark.parametrize("which", ["same", "common"])
def test_no_test_photograph_in_common_is_refused(repository, capsys, which):
    table = drawn()
    table["sha256"] = "f" + table.sha256.str[1:]
    change_params(repository, {"gate": {"test_photographs": which}})
    record(repository, table)
    status, text = judged(capsys)
    assert status == 2 and "60 only in main, 60 only in HEAD, none in both" in text


def test_a_rule_whose_metric_does_not_exist_is_not_taken_for_kept(repository, capsys):
    sound = drawn()
    sound = sound[sound.actual > 2]
    record(repository, sound)
    shell("git branch -f main", repository)
    record(repository, spoilt(sound, 1))
    status, text = judged(capsys)
    assert status == 2 and text.startswith("**Cannot be judged:** sensitivity does not exist.\n")
    assert rows(text)["sensitivity"] == [
        *["–"] * 3, "does not exist", "no drop over 0.05", "**cannot be judged**",
    ]  # fmt: skip


def test_rules_that_a_change_loosens_for_itself_are_named(repository, capsys):
    loose = {"accuracy": {"tolerated": 0.5}, "kappa": {"tolerated": None}, "mae": {"tolerated": 1.0}}
    change_params(repository, {"gate": {"rules": loose}})
    record(repository, spoilt(drawn(), 12))
    status, text = judged(capsys)
    assert status == 0 and text.startswith("**Passes:** none of 5 rules is broken.\n")
    (said,) = [line for line in text.splitlines() if line.startswith("**The rules are not those of main:**")]
    assert "gate.rules.accuracy is better: higher, tolerated: 0.5, significant: True, was better: " in said
    assert "gate.rules.kappa is better: higher, tolerated: None" in said
    assert not any(name in said for name in ("sensitivity", "bootstrap", "test_photographs"))


def test_a_base_without_rules_is_no_reason_to_be_silent_about_them(recorded):
    (first, *others) = gate_rules.rule_changes({"evaluate": PARAMS["evaluate"]}, PARAMS)
    assert first.startswith("gate.test_photographs is same, was None") and len(others) == 11


def test_rules_that_judge_nothing_are_not_taken_for_kept(repository, capsys):
    change_params(repository, {"gate": {"rules": {name: {"tolerated": None} for name in METRICS}}})
    commit(repository, "no rules")
    status, text = judged(capsys)
    assert status == 2 and "gate.rules in params.yaml tolerates any drop" in text


def test_other_resamples_and_specimens_are_named(repository, capsys):
    change_params(repository, {"evaluate": {"bootstrap": {"seed": 8}}})
    table = drawn()
    table["specimen"] = ["s00"] * 6 + list(table.specimen[6:])
    record(repository, table)
    status, text = judged(capsys)
    assert status == 0
    assert "evaluate.bootstrap is seed: 8, resamples: 200, was seed: 53, resamples: 200" in text
    assert "**Specimens are not those of main:** 3 photographs are of another." in text


def test_other_grades_are_refused(repository, capsys):
    change_params(repository, {"labels": {"sound": 4}})
    table = drawn()
    rating = Grades(tuple("12345"), worst_sound=4)
    judgements = (table[name].to_numpy() for name in ("actual", "predicted", "score"))
    record(repository, table, **measure(*judgements, rating))
    status, text = judged(capsys)
    assert status == 2 and "labels.sound are not those of main" in text


def test_a_misspelt_rule_is_refused(repository, capsys):
    values = yaml.safe_load((repository / "params.yaml").read_text())
    values["gate"]["rules"]["acuracy"] = values["gate"]["rules"].pop("accuracy")
    (repository / "params.yaml").write_text(yaml.safe_dump(values))
    commit(repository, "misspelt")
    status, text = judged(capsys)
    assert status == 2 and "acuracy" in text


@pytest.mark.parametrize("error", [RuntimeError("bug"), KeyboardInterrupt(), MemoryError()])
def test_nothing_but_a_broken_rule_ends_with_1(repository, monkeypatch, capsys, error):
    def fails(base: str) -> None:
        raise error

    (repository / "gate.md").write_text("**Passes:** of before")
    monkeypatch.setattr(gate_rules, "judge", fails)
    assert gate.gate("main") == 2 and type(error).__name__ in capsys.readouterr().err
    assert not (repository / "gate.md").exists()


def test_neither_does_a_module_that_cannot_be_loaded(repository, monkeypatch):
    monkeypatch.setitem(sys.modules, "sabi.review.gate_rules", None)
    assert gate.gate("main") == 2


def test_a_folder_that_is_no_repository_is_refused(tmp_path):
    shell("python -m sabi.cli gate main; test $? = 2", tmp_path, PYTHONPATH=str(ROOT))


# The rules themselves, on results in memory.

SETTINGS = load(ROOT / "params.yaml")
FEW = SETTINGS.evaluate.model_copy(update={"bootstrap": Bootstrap(seed=1, resamples=100)})
SETTINGS = SETTINGS.model_copy(update={"evaluate": FEW})
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
grades = st.integers(1, 5)
photographs = st.lists(st.tuples(grades, grades, grades), min_size=1, max_size=20)
bounds = st.floats(-1, 1).map(lambda value: round(value, 6))
rules = st.builds(
    Rule, better=st.sampled_from(["higher", "lower"]), tolerated=st.floats(0, 1), significant=st.booleans()
)


def result(revision: str, actual, predicted) -> Result:
    count = len(actual)
    table = drawn(count).assign(actual=actual, predicted=predicted, score=np.asarray(predicted, float))
    return Result(revision, PARAMS, measured(table), {}, table)


def difference(values: list[float]) -> Difference:
    low, value, high = sorted(values)
    return Difference(0.0, value, value, low, high)


@settings(max_examples=25)
@given(photographs)
def test_a_change_that_breaks_no_grade_never_fails_for_accuracy(table):
    actual, old, other = (np.array(column) for column in zip(*table, strict=True))
    new = np.where(old == actual, old, other)
    _, text = gate_rules.compared(result("a", actual, old), result("b", actual, new), SETTINGS, "main")
    assert rows(text)["accuracy"][5] == "kept"


@settings(max_examples=25)
@given(photographs)
def test_a_rule_is_not_broken_both_ways(table):
    actual, old, new = (np.array(column) for column in zip(*table, strict=True))
    old, new = result("a", actual, old), result("b", actual, new)
    there, back = (rows(gate_rules.compared(*pair, SETTINGS, "main")[1]) for pair in ((old, new), (new, old)))
    assert set(there) == set(METRICS)
    for name in there:
        assert (there[name][0], there[name][1]) == (back[name][1], back[name][0])
        assert [there[name][5], back[name][5]].count("**broken**") < 2
        mirrored = {"better": "worse", "worse": "better"}
        assert mirrored.get(there[name][3], there[name][3]) == back[name][3]


@settings(max_examples=200)
@given(st.lists(bounds, min_size=3, max_size=3), rules, st.floats(0, 1))
def test_a_looser_rule_keeps_what_a_stricter_one_kept(values, rule, more):
    found = difference(values)

    def broken(rule: Rule) -> bool:
        return gate_rules.outcome(found, rule, verdict(found, rule.better, 9, 40)) == gate_rules.FAILS

    looser = rule.model_copy(update={"tolerated": rule.tolerated + more})
    proven = rule.model_copy(update={"significant": True})
    assert broken(rule) >= broken(looser) and broken(rule) >= broken(proven)
    mirrored = Difference(0.0, -found.value, -found.value, -found.high, -found.low)
    other = rule.model_copy(update={"better": {"higher": "lower", "lower": "higher"}[rule.better]})
    assert broken(rule) == (
        gate_rules.outcome(mirrored, other, verdict(mirrored, other.better, 9, 40)) == gate_rules.FAILS
    )


def test_a_drop_of_just_what_is_tolerated_is_kept():
    rule = Rule(better="higher", tolerated=0.05, significant=False)
    for drop, expected in ((0.05, gate_rules.PASSES), (0.050001, gate_rules.FAILS)):
        found = Difference(0.9, 0.9 - drop, -drop, -0.1, 0.1)
        assert gate_rules.outcome(found, rule, verdict(found, "higher", 9, 40)) == expected


def test_a_result_whose_lock_cannot_be_read_is_refused(repository):
    (repository / "dvc.lock").write_text("<<<<<<< main\n")
    commit(repository, "half a merge")
    with pytest.raises(InputError, match=r"^HEAD: dvc\.lock does not belong"):
        gate_rules.checked(shell("git rev-parse HEAD", repository).strip(), "HEAD")


def test_what_the_repository_holds_is_what_was_drawn(recorded):
    rating = Grades(("1", "2", "3", "4", "5"), 3)
    pd.testing.assert_frame_equal(read_graded(recorded / FILES[2], rating), drawn(), check_dtype=False)


def test_a_metric_that_the_code_of_the_base_did_not_know_is_judged_by_its_predictions(repository, capsys):
    known = measured(drawn())
    write_json({name: known[name] for name in known if name != "kappa"}, repository / "drawn/ensemble.json")
    rerun(repository)
    shell("git branch old", repository)
    record(repository, drawn())
    status, text = judged(capsys, "old")
    assert status == 0 and rows(text)["kappa"][5] == "kept"
    shell("git branch new && git checkout -q old", repository)
    status, text = judged(capsys, "new")
    assert status == 2 and "HEAD: kappa in metrics/ensemble.json is None" in text


def test_sets_of_grades_that_only_head_lacks_cannot_be_judged(repository, capsys):
    table = drawn()
    table = table.assign(low=table.predicted, high=table.predicted, look="")
    record(repository, table, **sets.measure(table, RATING))
    shell("git branch old", repository)
    record(repository, drawn())
    status, text = judged(capsys, "old")
    assert status == 2 and "HEAD has no sets of grades for coverage" in text.splitlines()[0]
    shell("git branch new && git checkout -q old", repository)
    status, text = judged(capsys, "new")
    assert status == 0 and "new has no sets of grades: coverage, set_size and look are not judged" in text
