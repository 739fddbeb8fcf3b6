"""Whether `dvc.lock` belongs to the files beside it: `sabi lock`.

It does if `dvc repro`, with all data there, would run no stage but those that
always run. DVC itself says so only of a workspace with all data; this reads
what is in git: `dvc.yaml`, `dvc.lock`, `params.yaml`, code, metrics, `.dvc` files.
"""

from typing import TYPE_CHECKING

from sabi.runtime.errors import InputError
from sabi.settings.reading import read_yaml

if TYPE_CHECKING:
    from dvc.dependency import Dependency
    from dvc.output import Output
    from dvc.repo import Repo
    from dvc.stage import PipelineStage
    from dvc_data.hashfile.hash_info import HashInfo


def out_of_step(revision: str | None = None) -> list[str]:
    """What in the `dvc.lock` of a git revision does not belong to its other files, a line each.

    Without a revision it is of the workspace. Empty if all is in step. As for
    DVC, a stage that is in `dvc.lock` only, of a former candidate, does not count.

    A dependency inside a folder that is one output, or a folder of several
    outputs, is derived from the folders' lists of files in DVC's cache. Without them
    the former is not checked, the latter only by its number of files and bytes:
    a lock put together from two runs whose folders are equally large may pass.

    Raises `InputError` for a revision that does not exist and outside of a DVC repository.
    """
    from dvc.exceptions import DvcException, NotDvcRepoError
    from dvc.repo import Repo
    from dvc.repo.brancher import switch
    from dvc.scm import SCMError
    from ruamel.yaml import YAMLError

    try:
        with Repo() as repo:
            try:
                if revision is None:
                    return _lines(repo)
                with switch(repo, revision):
                    return _lines(repo)
            except SCMError:
                raise InputError(f"{revision}: no such revision; `git branch -a` shows them") from None
            except (DvcException, YAMLError) as error:  # a merge's conflict marks, say
                return [f"DVC cannot read the pipeline: {' '.join(str(error).split())}"]
    except NotDvcRepoError:
        raise InputError("no DVC repository here; run from the repository's root") from None


def _lines(repo: "Repo") -> list[str]:
    from dvc.stage import PipelineStage

    file = repo.fs.join(repo.root_dir, "dvc.lock")
    if not repo.fs.exists(file):
        return ["dvc.lock: no such file"]
    recorded = read_yaml(repo.fs.read_text(file, encoding="utf-8")) or {}
    stages = repo.index.stages
    outs = [out for stage in stages for out in stage.outs]
    lines = []
    for stage in stages:
        if not isinstance(stage, PipelineStage):  # a .dvc file, which has no lock
            continue
        if stage.name in recorded.get("stages", {}):
            lines += [f"{stage.name}: {problem}" for problem in _problems(stage, outs)]
        else:
            lines.append(f"{stage.name}: this stage is not in dvc.lock")
    return lines


def _problems(stage: "PipelineStage", outs: list["Output"]) -> list[str]:
    """What of a stage is not as its entry in the lock says; `outs` are those of all stages and .dvc files."""
    from dvc.dependency import ParamsDependency

    problems = ["its command is not that of dvc.lock"] if stage.cmd_changed else []
    for dep in stage.deps:
        if isinstance(dep, ParamsDependency):
            changed = dep.status().get(str(dep), {})
            # A word about the whole file, or one about each parameter.
            names = [""] if isinstance(changed, str) else [f" {name}" for name in changed]
            problems += [f"{dep.def_path}{name} is not that of dvc.lock" for name in names]
        elif sources := [out for out in outs if _overlap(dep, out)]:
            problems += _of_outputs(dep, sources)
        else:
            problems += _of_file(dep)
    for out in stage.outs:
        if not out.hash_info:
            problems.append(f"{out.def_path} is not in dvc.lock")
        elif not out.use_cache:
            problems += _of_file(out)
    return problems


def _overlap(dep: "Dependency", out: "Output") -> bool:
    a, b = dep.fs_path, out.fs_path
    return a == b or dep.fs.isin(a, b) or dep.fs.isin(b, a)


def _of_file(item: "Output") -> list[str]:
    """What is wrong with a dependency or output that is in git."""
    if not item.hash_info:
        return [f"{item.def_path} is not in dvc.lock"]
    if not item.exists:
        return [f"{item.def_path}: no such file in git"]
    return [] if item.get_hash() == item.hash_info else [f"{item.def_path} is not that of dvc.lock"]


def _of_outputs(dep: "Dependency", sources: list["Output"]) -> list[str]:
    """What is wrong with a dependency that consists of outputs, or is in one."""
    if not dep.hash_info:
        return [f"{dep.def_path} is not in dvc.lock"]
    files = _files(sources)
    left = ""
    if [out.fs_path for out in sources] == [dep.fs_path]:
        same = dep.hash_info == sources[0].hash_info
    elif dep.fs.isin(dep.fs_path, sources[0].fs_path):
        same = files is None or dep.hash_info == _hash(dep, files)
    else:
        # Files and bytes; of a file DVC writes no number of files.
        recorded, made = (
            (sum(item.meta.nfiles or 1 for item in items), sum(item.meta.size or 0 for item in items))
            for items in ([dep], sources)
        )
        same = recorded == made if files is None else dep.hash_info == _hash(dep, files)
        if recorded[0] > made[0]:
            left = f", which made {made[0]} of its {recorded[0]} files; remove the others"
    if same:
        return []
    # A .dvc file has no name of its own.
    makers = dict.fromkeys(getattr(out.stage, "name", out.stage.path_in_repo) for out in sources)
    return [f"{dep.def_path} in dvc.lock is not that of {', '.join(makers)}{left}"]


def _files(outs: list["Output"]) -> "dict[str, HashInfo] | None":
    """The hash of every file of outputs, by path; None if DVC's cache has not all lists of files."""
    files = {}
    for out in outs:
        if not out.is_dir_checksum:
            files[out.fs_path] = out.hash_info
        elif listed := out.get_obj():
            files |= {out.fs.join(out.fs_path, *key): info for key, _, info in listed}
        else:
            return None
    return files


def _hash(dep: "Dependency", files: "dict[str, HashInfo]") -> "HashInfo":
    """The hash of a file, or of a folder, that consists of these files."""
    from dvc_data.hashfile.tree import Tree

    if dep.fs_path in files:
        return files[dep.fs_path]
    tree = Tree()
    for path, info in files.items():
        if dep.fs.isin(path, dep.fs_path):
            tree.add(dep.fs.relparts(path, dep.fs_path), None, info)
    tree.digest()
    return tree.hash_info
