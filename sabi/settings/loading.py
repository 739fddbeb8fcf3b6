"""Reading `params.yaml`, with every mistake in one line that says the way out."""

import difflib
from pathlib import Path
from typing import Any

import pydantic

from sabi.runtime.errors import InputError
from sabi.settings.params import Params
from sabi.settings.reading import read_parameters

SHOWN = 200  # characters of a wrong value


def load(path: str | Path = "params.yaml") -> Params:
    """Read and check a parameter file.

    Raises `InputError`, one line, for a missing or unreadable file and for
    every value that is misspelt, missing, of the wrong type or out of bounds.
    """
    path = Path(path)
    try:
        raw = read_parameters(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run from the repository's root") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}: line {line}: not UTF-8; save the file in that encoding") from None
    except ValueError as error:
        raise InputError(f"{path}: {error}; `git diff {path.name}` shows what was changed") from None
    return checked(raw, path.name)


def checked(raw: Any, name: str) -> Params:
    """The parameters in `raw`, read from the file `name`; raises `InputError`, one line, for wrong values."""
    try:
        return Params.model_validate(raw)
    except pydantic.ValidationError as error:
        problems = [_explain(problem) for problem in error.errors()]
    # A misspelt name is reported once, not also as a missing one.
    misspelt = [p for p in problems if "not a parameter" in p]
    raise InputError(" ".join(f"{name}: {'; '.join(misspelt or problems)}".split()))


def _explain(problem: Any) -> str:
    """One problem of pydantic's as `<name> = <value>: <what is allowed and what to do>`."""
    location = list(problem["loc"])
    name = ".".join(str(part) for part in location)
    if problem["type"] == "extra_forbidden":
        return _explain_unknown(location)
    if problem["type"] == "missing":
        return f"{name} is missing; add it (`git diff params.yaml` shows what was changed)"
    allowed = problem["msg"].removeprefix("Value error, ")
    allowed = allowed[0].lower() + allowed[1:]
    value = problem["input"]
    if problem["type"] == "value_error" and _names(location):
        # Values that do not go together: the text names them, seen from their section.
        return f"{name}{'.' if name else ''}{allowed}; change it in params.yaml"
    whole = ".".join(part for part in location if isinstance(part, str))  # not one item of a list
    advice = f"change it in params.yaml or with -S {whole}=..."
    if problem["type"] == "model_type":
        allowed = f"must be a section with {', '.join(_names(location))}"
        advice = "`git diff params.yaml` shows what was changed"
    elif problem["type"] == "bool_type":
        advice = "write true or false, without quotes"
    elif problem["type"] == "string_type" and isinstance(value, (bool, float)):
        advice = "YAML does not read it as text: write it in quotes"
    shown = repr(value) if len(repr(value)) <= SHOWN else f"{repr(value)[:SHOWN]}…"
    return f"{name or 'the file'} = {shown}: {allowed}; {advice}"


def _explain_unknown(location: list[Any]) -> str:
    """A name that no parameter has, with the nearest that exists."""
    *parents, wrong = location
    known = _names(parents)
    near = difflib.get_close_matches(str(wrong), known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"allowed here: {', '.join(known)}"
    return f"{'.'.join(map(str, location))} is not a parameter; {hint}"


def _names(location: list[Any]) -> list[str]:
    """The names in the section at `location`; none if a value is there."""
    section: Any = Params
    for part in location:
        section = section.model_fields[part].annotation
    return list(getattr(section, "model_fields", ()))
