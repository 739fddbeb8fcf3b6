"""The package as a whole: who pins the process, and what imports what."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sabi.runtime.determinism import PINNED
from tests.conftest import ROOT

FILES = sorted((ROOT / "sabi").rglob("*.py"))


def name_of(file: Path) -> str:
    """The name that a file of this repository is imported by: sabi/review/gate.py -> sabi.review.gate."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def statements(tree: ast.AST, within_functions: bool) -> Iterator[ast.stmt]:
    """What of a parsed module is run: when it is imported, or also when its functions are called."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not within_functions:
            continue
        # For type checkers only: never run.
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.stmt):
            yield node
        yield from statements(node, within_functions)


def imports_of(file: Path, within_functions: bool = True) -> set[str]:
    """The full names of all modules that a file imports, and of what it takes from them."""
    names: set[str] = set()
    for node in statements(ast.parse(file.read_text(encoding="utf-8")), within_functions):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are written in full"
            names |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def graph(within_functions: bool = True) -> dict[str, set[str]]:
    """By module of sabi, the modules of sabi that it imports. A package's own `__init__` counts for none:
    it says nothing but what the package is."""
    modules = {name_of(file): file for file in FILES if file.name != "__init__.py"}
    return {
        name: imports_of(file, within_functions) & modules.keys() - {name} for name, file in modules.items()
    }


def cycle(edges: dict[str, set[str]]) -> list[str]:
    """Modules that import each other in turn, the first again at the end; empty if none do."""
    left = dict(edges)
    # Whatever imports nothing that is left is in no cycle.
    while free := [name for name in left if not left[name] & left.keys()]:
        for name in free:
            del left[name]
    if not left:
        return []
    path = [min(left)]
    while path[-1] not in path[:-1]:
        path.append(min(left[path[-1]] & left.keys()))
    return path[path.index(path[-1]) :]


def environment_after(statement: str, **environment: str) -> dict[str, str]:
    """The environment of a new process in which nothing is pinned, after it has run `statement`."""
    free = {name: value for name, value in os.environ.items() if name not in PINNED}
    ended = subprocess.run(
        [sys.executable, "-c", f"{statement}; import json, os; print(json.dumps(dict(os.environ)))"],
        env=free | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(ended.stdout)


@pytest.mark.parametrize("module", ["sabi", "sabi.runtime.determinism", "sabi.grading.thresholds"])
@pytest.mark.parametrize("own", [{}, {"OMP_NUM_THREADS": "7", "CUDA_VISIBLE_DEVICES": "0"}])
def test_importing_the_package_changes_nothing_in_the_process(module, own):
    assert environment_after(f"import {module}", **own) == environment_after("pass", **own)


@pytest.mark.slow
def test_importing_no_module_but_the_command_line_pins():
    modules = [name_of(file) for file in FILES if file.name != "cli.py"]
    code = "import importlib, os; before = dict(os.environ); "
    code += f"[importlib.import_module(name) for name in {modules}]; "
    code += f"print({{name for name in {list(PINNED)} if os.environ.get(name) != before.get(name)}})"
    free = {name: value for name, value in os.environ.items() if name not in PINNED}
    ended = subprocess.run([sys.executable, "-c", code], env=free, cwd=ROOT, capture_output=True, text=True)
    assert ended.stdout.splitlines()[-1:] == ["set()"], ended.stderr


@pytest.mark.parametrize("door", ["stages", "sabi.cli", "tests.conftest"])
def test_importing_a_door_pins_everything_over_the_users_own_values(door):
    after = environment_after(f"import {door}", OMP_NUM_THREADS="7", OPENBLAS_CORETYPE="SkylakeX")
    assert {name: after.get(name) for name in PINNED} == PINNED


CACHES = ("NUMBA_CACHE_DIR", "MPLCONFIGDIR")


@pytest.mark.parametrize("home", ["/dev/null/home", "relative"])
def test_a_user_who_can_keep_no_caches_at_home_keeps_them_in_the_repository(home):
    """numba does not load otherwise."""
    here = {"HOME": home, "XDG_CACHE_HOME": "", "DVC_ROOT": "/there"}
    after = environment_after("import stages", **here)
    assert [after.get(name) for name in CACHES] == ["/there/.dvc/tmp/numba", "/there/.dvc/tmp/matplotlib"]
    own = environment_after("import stages", **here, NUMBA_CACHE_DIR="/own", MPLCONFIGDIR="/own")
    assert [own[name] for name in CACHES] == ["/own", "/own"]


def test_caches_stay_where_they_are_if_they_can_be_written(tmp_path):
    after = environment_after("import stages", HOME=str(tmp_path), XDG_CACHE_HOME="")
    assert not {name for name in CACHES if name not in os.environ} & after.keys()


@pytest.mark.parametrize("door", ["stages", "sabi.cli", "tests.conftest"])
def test_a_door_pins_before_it_loads_numpy(door):
    code = f"import sys, warnings; warnings.simplefilter('error'); import {door}"
    free = {name: value for name, value in os.environ.items() if name not in PINNED}
    ended = subprocess.run([sys.executable, "-c", code], env=free, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_no_module_imports_itself_by_way_of_others():
    assert cycle(graph(within_functions=False)) == []
    # Nor when a function is called: such an import is for speed, never to escape a cycle.
    assert cycle(graph()) == []


def test_a_cycle_is_found_and_named():
    assert cycle({"a": {"b", "d"}, "b": {"c"}, "c": {"a"}, "d": set(), "e": {"a"}}) == ["a", "b", "c", "a"]
    assert cycle({"a": {"b"}, "b": {"b", "c"}, "c": set()}) == ["b", "b"]
    assert cycle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_imports_are_found_wherever_they_stand(tmp_path):
    file = tmp_path / "module.py"
    file.write_text(
        "import a.b\nfrom c import d\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import never\n"
        "with open('x'):\n    import e\ndef f():\n    from g import h\n",
        encoding="utf-8",
    )
    at_once = {"a.b", "c", "c.d", "typing", "typing.TYPE_CHECKING", "e"}
    assert imports_of(file, within_functions=False) == at_once
    assert imports_of(file) == at_once | {"g", "g.h"}


def test_nothing_in_the_package_imports_the_stages():
    upwards = {name_of(file) for file in FILES for name in imports_of(file) if name.split(".")[0] == "stages"}
    assert upwards == set()


@pytest.mark.parametrize("room", ["grading", "models", "serving"])
def test_what_grades_imports_nothing_of_training(room):
    """Neither itself nor by way of others: a grader is loaded where nothing is trained."""
    edges = graph()
    reached, left = set(), [name for name in edges if name.startswith(f"sabi.{room}.")]
    assert left or room == "serving"  # which has no room yet
    while left:
        name = left.pop()
        if name not in reached:
            reached.add(name)
            left += edges[name]
    assert {name for name in reached if name.startswith(("sabi.training.", "sabi.tracking."))} == set()


def test_data_flows_one_way():
    """Nothing imports what comes after it, from photographs to the report."""
    row = ["photographs", "backbones", "models", "training", "grading", "evaluation", "report"]
    place = {f"sabi.{room}": number for number, room in enumerate(row)}
    room = {name: name.rpartition(".")[0] for name in graph()}
    backwards = [
        (name, imported)
        for name, all_imported in graph().items()
        for imported in all_imported
        if place.get(room[name], len(row)) < place.get(room[imported], -1)
    ]
    assert backwards == []
