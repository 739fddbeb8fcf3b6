"""YAML as DVC reads and writes it, version 1.2: `1e-05` is a number there, `no` and `yes` are words.

Both are otherwise in YAML 1.1, so that a value which `dvc exp run -S` writes would be read as another.
"""

from typing import Any

from ruamel.yaml import YAML, YAMLError
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, ScalarEvent
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.reader import ReaderError

# Far more than any parameter needs; what goes beyond could take minutes, or all memory, to read.
LONGEST_FILE, LONGEST_VALUE, DEEPEST = 50_000, 1000, 20
DATE = "tag:yaml.org,2002:timestamp"


def read_yaml(text: str) -> Any:
    """The value of a YAML 1.2 document, as DVC reads it. Raises ruamel's `YAMLError`."""
    return YAML(typ="safe", pure=True).load(text)


def read_parameters(text: str) -> Any:
    """The value of a document that anybody may have written: `read_yaml`, but for plain values only.

    Raises `ValueError`, one line that begins with the place (from 1), for what is no YAML, repeats a name,
    holds a tag, an alias or a date, or is larger or deeper than any parameters.
    """
    if len(text) > LONGEST_FILE:
        raise ValueError(f"{len(text)} characters, {LONGEST_FILE} at most")
    try:
        _check(text)
        return read_yaml(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        tab = text[mark.index : mark.index + 1] == "\t"
        problem = "a tab, where only spaces may stand" if tab else " ".join(str(error.problem).split())[:200]
        raise ValueError(f"{_place(mark)}: not YAML: {problem.removeprefix('but ')}") from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - text.rfind("\n", 0, error.position)
        raise ValueError(f"line {line}, column {column}: not YAML: {error.reason}") from None
    except YAMLError as error:
        raise ValueError(f"not YAML: {' '.join(str(error).split())[:200]}") from None


def _check(text: str) -> None:
    """Raise `ValueError` for what is YAML but no parameters, before anything of it is built."""
    yaml = YAML(typ="safe", pure=True)
    depth = 0
    for event in yaml.parse(text):
        problem = None
        if isinstance(event, CollectionStartEvent):
            depth += 1
        elif isinstance(event, CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST:
            problem = f"more than {DEEPEST} levels, one in the other"
        elif isinstance(event, AliasEvent):
            problem = f"an alias, *{event.anchor}; write the value itself"
        elif isinstance(event, (CollectionStartEvent, ScalarEvent)) and event.tag:
            problem = f"a tag, {event.tag}; leave it out"
        elif isinstance(event, ScalarEvent):
            if len(event.value) > LONGEST_VALUE:
                problem = f"a value of {len(event.value)} characters, {LONGEST_VALUE} at most"
            elif str(yaml.resolver.resolve(ScalarNode, event.value, event.implicit)) == DATE:
                problem = f"{event.value} is a date; write it in quotes if it is a name"
        if problem:
            raise ValueError(f"{_place(event.start_mark)}: {problem}")


def _place(mark: Any) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}"
