"""The map, `dvc.yaml`, agrees with the code."""

import ast
import re
from functools import reduce
from pathlib import Path

import pytest
import yaml
from dvc.utils.hydra import apply_overrides
from dvc_data.hashfile.meta import Meta

from sabi.backbones.embedder import CODE
from sabi.photographs import reading
from tests.conftest import ROOT

FILE = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
# The stage of a candidate is described once, under "do".
STAGES = {name: stage.get("do", stage) for name, stage in FILE["stages"].items()}
# It records; no output depends on it.
RECORDS = {"sabi/tracking"}
# Of augment and the trainings, which take hours with many photographs, what checks, finds and starts
# is not listed either. What params.yaml says reaches an output only through a section that is listed.
UNLISTED = {
    "sabi/networks.py",
    "sabi/runtime/errors.py",
    "sabi/runtime/machine.py",
    "sabi/runtime/repository.py",
    "sabi/settings",
    "sabi/stage.py",
}
HEAVY = ("augment", "train")
RULE = ("better:", "tolerated:", "significant:")


def script(stage: str) -> Path:
    return ROOT / "stages" / f"{stage.partition('_')[0]}.py"


def imported(file: Path, unlisted: set[str], seen: set[str] | None = None) -> set[str]:
    """Files of sabi/ that `file` imports, directly or through others; nothing through what is `unlisted`."""
    seen = set() if seen is None else seen
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("sabi"):
            continue
        place = node.module.replace(".", "/")
        # A module's own names, or a folder's modules.
        whole = (ROOT / f"{place}.py").is_file()
        modules = [f"{place}.py"] if whole else [f"{place}/{a.name}.py" for a in node.names]
        for module in modules:
            if module not in seen and not covered(module, unlisted):
                seen.add(module)
                imported(ROOT / module, unlisted, seen)
    return seen


def covered(file: str, places: set[str]) -> bool:
    """Whether `file` is one of `places`, or in a folder that is."""
    return any(file == place or file.startswith(f"{place}/") for place in places)


def test_exactly_the_nine_stages_in_order_and_one_for_candidates():
    names = "split augment train_efficientnet train_densenet train_mobilenet ensemble binning evaluate report"
    assert [name for name in STAGES if name != "train"] == names.split()
    assert FILE["stages"]["train"]["foreach"] == "${candidates}"


@pytest.mark.parametrize("stage", STAGES)
def test_stage_is_described_and_runs_its_own_script(stage):
    name, _, network = stage.partition("_") if stage != "train" else ("train", "_", "${item}")
    assert STAGES[stage]["cmd"] == f"python -m stages.{name} {network}".strip()
    assert len(STAGES[stage]["desc"]) > 20


@pytest.mark.parametrize("stage", STAGES)
def test_stage_depends_on_exactly_the_code_it_imports(stage):
    listed = {dep for dep in STAGES[stage]["deps"] if dep.startswith(("sabi/", "stages/"))}
    unlisted = RECORDS | (UNLISTED - listed if stage.startswith(HEAVY) else set())
    own = f"stages/{script(stage).name}"
    # Every stage's processor paths are pinned in determinism.py.
    needed = imported(script(stage), unlisted) | {own, "sabi/runtime/determinism.py"}
    reached = imported(script(stage), RECORDS) | {own}
    assert {file for file in needed if not covered(file, listed)} == set()
    assert {place for place in listed if not any(covered(file, {place}) for file in reached)} == set()
    assert all((ROOT / place).exists() for place in listed)


def test_trainings_depend_on_the_same_code():
    """As `stages/train.py` supposes, which hashes what is listed."""
    trainings = [stage["deps"] for name, stage in STAGES.items() if name.startswith("train")]
    assert len(trainings) == 4 and all(deps == trainings[0] for deps in trainings)


def test_embeddings_are_stored_under_all_code_that_computes_them():
    """The network's own entry and the parameters are hashed by value."""
    unlisted = {"sabi/networks.py", "sabi/settings"}
    unlisted |= {f"sabi/runtime/{name}.py" for name in ("errors", "fingerprint", "repository", "store")}
    needed = imported(ROOT / "sabi/backbones/embedder.py", unlisted)
    assert {file for file in needed if not covered(file, set(CODE))} == set()


def test_readings_are_stored_under_all_code_that_makes_them():
    """What is asked for is hashed by value; partitions' names and labels decide no reading."""
    unlisted = {"sabi/settings", "sabi/networks.py", "sabi/grades.py", "sabi/names.py"}
    unlisted |= {
        f"sabi/runtime/{name}.py" for name in ("errors", "fingerprint", "repository", "store", "threads")
    }
    needed = imported(ROOT / "sabi/photographs/reading.py", unlisted) | {"sabi/photographs/reading.py"}
    assert needed - set(reading.CODE) == set() == set(reading.CODE) - needed


def written_names(source: str) -> set[str]:
    """Dotted chains that follow `params.` in a source: params.a.b -> a.b."""
    chains = re.findall(r"params\.([a-z_]+(?:\.(?!model_dump)[a-z_]+)*)", source)
    return {chain.replace("labels.rating", "labels.grades") for chain in chains}


@pytest.mark.parametrize("stage", STAGES)
def test_stage_depends_on_the_parameters_it_reads(stage):
    sections = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    read = written_names(script(stage).read_text(encoding="utf-8"))
    declared = STAGES[stage]["params"]
    for name in read:
        if name.split(".")[0] in sections:
            assert any(name.startswith(d) or d.startswith(name) for d in declared), name
    for name in declared:
        value = sections
        for part in name.split("."):
            value = value[part]  # a KeyError here: declared, but no such parameter


def test_every_parameter_section_is_read_by_a_stage():
    sections = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    declared = {name.split(".")[0] for stage in STAGES.values() for name in stage["params"]}
    # The gate is not a stage: it judges what the stages came to.
    assert declared == set(sections) - {"gate"}


def test_every_value_of_params_has_a_comment_above_it_or_its_list():
    lines = (ROOT / "params.yaml").read_text(encoding="utf-8").splitlines()
    commented, missing = False, []
    for line in lines:
        text = line.strip()
        if text.startswith("#"):
            commented = True
        elif not text:
            commented = False
        # "Below, each with the probability", "By metric": said once for all of them.
        elif not text.startswith(("-", "probability:", *RULE)) and not text.endswith(":") and not commented:
            missing.append(text)
    assert not missing


def test_an_experiments_settings_lose_no_comment(tmp_path):
    """`dvc exp run -S` rewrites the file and drops comments that follow a list."""
    before = (ROOT / "params.yaml").read_text(encoding="utf-8")
    file = tmp_path / "params.yaml"
    file.write_text(before, encoding="utf-8")
    apply_overrides(file, ["ensemble.members=[densenet]", "train.dense.units=[64]", "split.seed=3"])
    apply_overrides(file, ["labels.grades=[bad,good]", "labels.sound=good", "candidates=[vgg16,cnn1]"])
    apply_overrides(file, ["train.ridge.penalties=[1,2]", "binning.thresholds=[1.5]"])
    apply_overrides(file, ["train.fine_tune.layers=x", "scale.target=0.5"])
    apply_overrides(file, ["evaluate.projection.methods=[pca]", "split.seed=4"])
    apply_overrides(file, ["train.learning_rate=0.002"])
    after = file.read_text(encoding="utf-8")
    assert "- densenet\n" in after and "learning_rate: 0.002" in after

    def comments(text: str) -> list[str]:
        return [line for line in text.splitlines() if "#" in line]

    assert comments(after) == comments(before)


def test_lock_file_names_no_index():
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in lock
    assert "--index" not in lock
    pinned = re.findall(r"^[a-z0-9._-]+==\S+ \\\n    --hash=sha256:", lock, re.M)
    assert len(pinned) == len(re.findall(r"^[a-z0-9]", lock, re.M))


def keys_of(values, before: str = "") -> list[str]:
    """The full names of all parameters in a section."""
    if not isinstance(values, dict):
        return []
    return [
        name
        for key, value in values.items()
        for name in (f"{before}{key}", *keys_of(value, f"{before}{key}."))
    ]


@pytest.mark.parametrize("stage", STAGES)
def test_what_dvcs_run_cache_overlooks_in_a_section_is_listed_by_its_name(stage):
    """It drops keys of these names at any depth, so that another value would give the results of before."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    listed = STAGES[stage].get("params", [])
    values = {section: reduce(lambda held, key: held[key], section.split("."), params) for section in listed}
    overlooked = [
        name
        for section in listed
        for name in keys_of(values[section], f"{section}.")
        if name.rpartition(".")[2] in (Meta.PARAM_SIZE, Meta.PARAM_NFILES)
    ]
    assert set(overlooked) <= set(listed)
    assert ("augment" in listed) == ("augment.size" in overlooked)
