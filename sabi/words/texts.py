"""Texts for people: `en.yaml` and `ja.yaml`, and the report's own, `report.en.yaml` and `report.ja.yaml`.

Both languages hold the same keys, and each text the same names in braces. What stages write into tables
and print, reasons and notes, is English; `messages.ja.yaml` has each of them in Japanese.
"""

import re
import string
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from ruamel.yaml import YAML

Language = Literal["en", "ja"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


@cache
def texts(language: Language, part: str | None = None) -> dict[str, str]:
    """The texts of a language, by key; with those that only a `part` of sabi needs, such as the report."""
    shared = _read(f"{language}.yaml")
    return shared if part is None else shared | _read(f"{part}.{language}.yaml")


def reasons(look: str, said: dict[str, str]) -> str:
    """Why a photograph deserves a look, in words; `look` are `sabi.grading.doubt.REASONS` apart by spaces."""
    return said["between_reasons"].join(said[f"look_{reason}"] for reason in look.split())


def translated(message: str, language: Language) -> str:
    """A reason or note that sabi gave in English, in a language.

    What sabi only passes on, such as an error of the system's, stays as it is.
    """
    if language == "en":
        return message
    for pattern, text in _messages(language):
        if found := pattern.fullmatch(message):
            return text.format(**found.groupdict())
    return message


@cache
def _messages(language: Language) -> list[tuple[re.Pattern[str], str]]:
    """What tells a message, with its values by name, and the text of the language."""
    return [
        (re.compile(_pattern(english), re.DOTALL), text)
        for english, text in _read(f"messages.{language}.yaml").items()
    ]


def _pattern(text: str) -> str:
    parts = string.Formatter().parse(text)
    return "".join(re.escape(literal) + (f"(?P<{name}>.+?)" if name else "") for literal, name, _, _ in parts)


def _read(name: str) -> dict[str, str]:
    return YAML(typ="safe").load(Path(__file__).with_name(name).read_text(encoding="utf-8"))
