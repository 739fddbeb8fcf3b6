"""Whether what a stage reads is, byte for byte, what the stages before it made.

DVC restores files from its cache without looking at their bytes: one that was damaged there, or on the
disk since, would be computed with. `dvc.lock` says what each of them was.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import yaml

from sabi.runtime.errors import InputError
from sabi.runtime.repository import repository_root


def check_inputs(stage: str, candidates: list[str]) -> None:
    """Raise `InputError` if an output that `stage` depends on is not as `dvc.lock` says.

    To be called where DVC runs the stage, with its `DVC_STAGE`. Of the stages that `dvc.yaml` repeats,
    those of `candidates` count: what is left of former ones is not read.
    """
    recorded = _recorded()
    if not recorded:
        return
    described = _stages(Path("dvc.yaml"))
    stage = stage.rpartition(":")[2]  # it begins with dvc.yaml's path if DVC was started elsewhere
    name = stage.partition("@")[0]
    deps = described[name].get("do", described[name])["deps"]
    for maker, out in recorded:
        path, md5 = out["path"], out["md5"]
        base, _, item = maker.partition("@")
        current = base in described and maker != stage and (not item or item in candidates)
        if current and any(_overlap(dep, path) for dep in deps) and _md5(Path(path)) not in (md5, None):
            raise InputError(f"{path}: damaged, it is not what the stage {maker} made; {way_out(Path(path))}")


def bytes_written(stage: str) -> int:
    """About how much a stage needs on the disk: twice what it wrote the last time, for DVC keeps a copy.

    Where it is the first time, twice as much as all other outputs together; 0 if there are none.
    """
    recorded = _recorded()
    own = sum(out["size"] for maker, out in recorded if maker == stage.rpartition(":")[2])
    return 2 * (own or sum(out["size"] for _, out in recorded))


def way_out(output: Path) -> str:
    """How a damaged output is replaced: what to remove, here and of DVC's cache, before `dvc repro`."""
    known = {out["path"]: out["md5"] for _, out in _recorded()}
    place = os.path.relpath(output)
    if place not in known:
        return "copy all of it again from where it came"
    cache = repository_root() / ".dvc/cache/files/md5"
    kept = {cache / md5[:2] / md5[2:]: md5 for md5 in _parts(known[place], cache)}
    damaged = [os.path.relpath(file) for file, md5 in kept.items() if _md5(file) not in (_plain(md5), None)]
    removed = " ".join([place, *damaged])
    return f"run `rm -rf {removed}` and then `dvc repro` (where there is a remote, `dvc fetch` before it)"


def _recorded() -> list[tuple[str, dict[str, Any]]]:
    """Every output in `dvc.lock` with its stage: its path, size and MD5; that of a folder ends in ".dir"."""
    lock = Path("dvc.lock")
    stages = _stages(lock) if lock.exists() else {}
    return [(stage, out) for stage in stages for out in stages[stage].get("outs", [])]


def _stages(file: Path) -> dict[str, Any]:
    # Written in C, it takes an eighth of the time.
    return yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader).get("stages", {})


def _overlap(one: str, other: str) -> bool:
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def _md5(path: Path) -> str | None:
    """The MD5 of a file, or what DVC takes for a folder's: that of the list of its files; None without it."""
    if path.is_dir():
        files = {file.relative_to(path).as_posix(): file for file in path.rglob("*") if file.is_file()}
        listed = [{"md5": _md5(files[name]), "relpath": name} for name in sorted(files)]
        return hashlib.md5(json.dumps(listed).encode(), usedforsecurity=False).hexdigest() + ".dir"
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "md5").hexdigest()


def _plain(md5: str) -> str:
    return md5.removesuffix(".dir")


def _parts(md5: str, cache: Path) -> list[str]:
    """The MD5 of all that DVC's `cache` keeps of an output: itself and, of a folder, each file."""
    listing = cache / md5[:2] / md5[2:]
    if not md5.endswith(".dir") or _md5(listing) != _plain(md5):
        return [md5]
    return [md5, *(entry["md5"] for entry in json.loads(listing.read_bytes()))]
