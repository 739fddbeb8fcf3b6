"""What tests share: real, tiny photographs and repositories."""

import stages  # noqa: F401  isort: skip  pins the processor's paths before NumPy loads

import fcntl
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import hypothesis
import pytest
import yaml

from sabi.runtime.repository import environment_for_another_repository

ROOT = Path(__file__).parent.parent
# Without settings of DVC's for the user; it would start a process more at each command, for its makers.
DVC_SETTINGS = {"DVC_GLOBAL_CONFIG_DIR": str(ROOT / "tests/dvc")}
os.environ |= DVC_SETTINGS
# A busy machine is slow at any moment; nothing here is a test of speed.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")
# The longest first, so that none is left to one of pytest's workers at the end; and what waits for the
# repository that `test_pipeline` makes not beside it.
FIRST = (
    "test_pipeline",
    "test_run",
    "test_embedder",
    "test_settings",
    "test_sweep",
    "test_trainings",
    "test_results",
    "test_cases",
    "test_loop",
    "test_stage",
    "test_team",
)
# Side 32, few photographs, no maps of what pulls a score down: a whole run in a minute.
TINY = {
    "augment": {"size": 32},
    "train": {"embed_batch": 8, "ridge": {"folds": 3}},
    "evaluate": {"bootstrap": {"resamples": 200}, "projection": {"methods": ["pca"], "photographs": 40}},
    "report": {"why": 0},
}

# In it the standard networks' names stand for small relatives, built in a fraction of the time:
# what is tested there is the pipeline. The real ones are tested in tests/backbones.
SMALL = {
    '"EfficientNetV2S",\n        "efficientnet_v2",': '"VGG16",\n        "vgg16",',
    '"DenseNet121",\n        "densenet",': '"MobileNet",\n        "mobilenet",',
    '"MobileNetV3Large",': '"MobileNetV3Small",',
}
STAGES = (
    "split",
    "augment",
    "train efficientnet",
    "train densenet",
    "train mobilenet",
    "ensemble",
    "binning",
    "evaluate",
    "report",
)

ODD_NAMES = ("<script>alert(1)<", "橋桁 G1, 下面", "'quoted' \"twice\"", "007", "NA, null")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        name = item.path.stem
        return FIRST.index(name) if name in FIRST else len(FIRST)

    items.sort(key=place)


def command_environment(**more: str) -> dict[str, str]:
    """For commands in a repository of its own: ours are on the path, `more` is set beside."""
    # Git and DVC started by a hook or a stage would point at the outer repository.
    path = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return environment_for_another_repository() | DVC_SETTINGS | {"PATH": path} | more


def shell(command: str, folder: Path, fails: bool = False, **environment: str) -> str:
    """Run a command line in `folder`, return what it printed; fail unless it ends as expected."""
    result = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=command_environment(**environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert (result.returncode != 0) == fails, f"{command}: exit {result.returncode}\n{result.stdout}"
    return result.stdout


def run_stages(folder: Path, *chosen: str) -> str:
    """Run stages one after another in one process, by the code of `folder`; what they printed.

    As `dvc repro` would, but TensorFlow and MLflow are loaded once, not once a stage.
    """
    code = """
import runpy, sys
for stage in sys.argv[1:]:
    name, *arguments = stage.split()
    sys.argv = [name, *arguments]
    runpy.run_module(f"stages.{name}", run_name="__main__")
"""
    return shell(shlex.join(["python", "-c", code, *(chosen or STAGES)]), folder)


def change_params(folder: Path, changes: dict) -> None:
    """Set nested values in a repository's params.yaml."""

    def merge(old: dict, new: dict) -> None:
        for key, value in new.items():
            if isinstance(value, dict):
                merge(old[key], value)
            else:
                old[key] = value

    file = folder / "params.yaml"
    values = yaml.safe_load(file.read_text(encoding="utf-8"))
    merge(values, changes)
    file.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")


def copy_project(folder: Path) -> Path:
    """The working tree as a new git repository, without data, lock and caches."""
    listed = shell("git ls-files --cached --others --exclude-standard", ROOT).splitlines()
    for name in listed:
        if (ROOT / name).is_file() and not name.startswith(("metrics/", "dvc.lock", "data/")):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
    shell("git init -q && git config user.name sabi && git config user.email sabi@example.org", folder)
    return folder


def commit(folder: Path, message: str) -> None:
    shell(f"git add -A && git commit -q -m '{message}'", folder)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory, worker_id) -> Path:
    """A repository with 75 drawings, some oddly named, that has run once and is committed.

    Not to be changed. Made once for all of pytest's workers. Its stages ran in one process;
    `test_another_clone_gives_the_same_bits` shows that `dvc repro` gives the same.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "tiny" / "repository"
    folder.parent.mkdir(exist_ok=True)
    with (folder.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder.parent / "ready").exists():
            assert not folder.exists(), "another worker failed to make the repository; see there"
            make_tiny(folder)
            (folder.parent / "ready").touch()
    return folder


def make_tiny(folder: Path) -> None:
    from sabi.photographs.drawings import draw_graded, draw_ungraded

    folder.mkdir()
    copy_project(folder)
    registry = folder / "sabi/networks.py"
    text = registry.read_text(encoding="utf-8")
    for real, small in SMALL.items():
        assert text.count(real) == 1
        text = text.replace(real, small)
    registry.write_text(text, encoding="utf-8")
    draw_graded(folder / "data/raw", specimens=15, photographs=1)
    draw_ungraded(folder / "data/unlabelled", count=3)
    raw = folder / "data/raw"
    for file, name in zip(sorted(raw.iterdir())[::9], ODD_NAMES, strict=False):
        file.rename(raw / f"{file.name[0]}_{name}.jpg")
    (raw / "<b>notes.txt").write_text("not a photograph")
    (raw / "2_half.jpg").write_bytes((folder / "data/unlabelled/drawing01.jpg").read_bytes()[:5000])
    change_params(folder, TINY)
    shell("dvc add --quiet data/raw data/unlabelled", folder)
    commit(folder, "photographs")
    run_stages(folder)
    shell("dvc commit --quiet --force", folder)
    commit(folder, "first run")


@pytest.fixture
def copy(tiny, tmp_path):
    """A copy of the repository that has run, to change."""
    return shutil.copytree(tiny, tmp_path / "copy", symlinks=True)
