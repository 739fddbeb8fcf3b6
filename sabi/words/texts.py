"""Texts for people, one file a language: `en.yaml`, `ja.yaml`.

Both hold the same keys, and each text the same names in braces.
"""

from functools import cache
from pathlib import Path
from typing import Literal, get_args

from ruamel.yaml import YAML

Language = Literal["en", "ja"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


@cache
def texts(language: Language) -> dict[str, str]:
    """The texts of a language, by key."""
    file = Path(__file__).with_name(f"{language}.yaml")
    return YAML(typ="safe").load(file.read_text(encoding="utf-8"))
