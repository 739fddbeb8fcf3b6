"""Does this commit give the same bits again? `sabi verify`.

Clones the commit into a new folder, copies the photographs there in another
order, runs every stage under another hash seed, locale, time zone, umask and
number of threads, and compares each output with the commit's `dvc.lock`.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from sabi.runtime.errors import InputError
from sabi.runtime.repository import environment_for_another_repository, git
from sabi.settings.reading import read_yaml

SOURCES = ("data/raw", "data/unlabelled")
# None of these may change a byte of any output.
DISTURBED = {
    "PYTHONHASHSEED": "1234",
    "LC_ALL": "C",
    "TZ": "Asia/Tokyo",
    "TF_NUM_INTRAOP_THREADS": "8",
}


def first_difference(committed: dict[str, Any], rerun: dict[str, Any]) -> str | None:
    """The first stage of `committed` (a parsed dvc.lock) whose entry in `rerun` differs, in words."""
    for stage, entry in committed["stages"].items():
        again = rerun["stages"].get(stage)
        if again is None:
            return f"{stage}: did not run"
        for kind in ("outs", "deps"):
            now = {item["path"]: item["md5"] for item in again.get(kind, [])}
            then = {item["path"]: item["md5"] for item in entry.get(kind, [])}
            for path in sorted(then.keys() | now.keys()):
                if then.get(path) != now.get(path):
                    return f"{stage}: {path} differs (commit: {then.get(path)}, again: {now.get(path)})"
        if entry != again:
            return f"{stage}: its command or parameters differ from the commit's dvc.lock"
    extra = rerun["stages"].keys() - committed["stages"].keys()
    return f"{min(extra)}: not in the commit's dvc.lock" if extra else None


def in_order(lock: dict[str, Any], stages: list[str]) -> dict[str, Any]:
    """`lock` with its stages in the order of `dvc.yaml`, where each comes after what it needs."""
    return lock | {"stages": {stage: lock["stages"][stage] for stage in stages if stage in lock["stages"]}}


def verify() -> None:
    """Run the commit again in a fresh clone; raise `InputError` if it fails, or gives another byte."""
    root = Path(git("rev-parse", "--show-toplevel").strip())
    commit = git("rev-parse", "--short", "HEAD").strip()
    committed = read_yaml(git("show", "HEAD:dvc.lock"))
    if git("status", "--porcelain", "--untracked-files=no"):
        print("note: uncommitted changes are not verified", file=sys.stderr)

    with tempfile.TemporaryDirectory(prefix="sabi-verify-") as folder:
        clone = Path(folder) / "clone"
        git("clone", "--quiet", "--no-hardlinks", str(root), str(clone))
        for source in SOURCES:
            copy_backwards(root / source, clone / source)
        print(f"running commit {commit} again, every stage", flush=True)
        again = subprocess.run(
            ["dvc", "repro", "--force", "--no-run-cache"],
            cwd=clone,
            env=environment_for_another_repository() | DISTURBED,
            umask=0o077,
        )
        if again.returncode:
            raise InputError(f"commit {commit} does not run in a fresh clone; see above")
        stages = list(read_yaml((clone / "dvc.yaml").read_text(encoding="utf-8"))["stages"])
        rerun = read_yaml((clone / "dvc.lock").read_text(encoding="utf-8"))
        difference = first_difference(in_order(committed, stages), rerun)
    if difference:
        raise InputError(f"commit {commit} is not reproduced: {difference}")
    print(f"commit {commit} is reproduced: all {len(committed['stages'])} stages gave the same bytes")


def copy_backwards(source: Path, target: Path) -> None:
    """Copy a folder's files, last name first, so that the order on disk differs."""
    target.mkdir(parents=True)
    for file in sorted((path for path in source.rglob("*") if path.is_file()), reverse=True):
        copy = target / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
