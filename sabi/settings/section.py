"""What all sections of `params.yaml` are made of."""

import re
from typing import Annotated, Any, TypeVar

import pydantic
from pydantic import Field

from sabi.names import normal

Name = TypeVar("Name", bound=str)

Seed = Annotated[int, Field(ge=0, lt=2**32)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1, le=10_000)]
Probability = Annotated[float, Field(ge=0, le=1)]


class Section(pydantic.BaseModel):
    """A section of `params.yaml`: no unknown names, no silent conversion."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def as_name(grade: Any) -> Any:
    """YAML reads a grade 3 as a number; names are text."""
    return str(grade) if isinstance(grade, int) and not isinstance(grade, bool) else grade


def as_spelled_name(grade: Any) -> Any:
    """The name of a grade in the spelling in which `labels.grades` are compared."""
    name = as_name(grade)
    return normal(name) if isinstance(name, str) else name


def check_distinct(names: list[Name], what: str) -> list[Name]:
    """`names` if no two are the same; else raises `ValueError`."""
    if len(set(names)) < len(names):
        raise ValueError(f"names a {what} twice")
    return names


def check_pattern(pattern: str, what: str) -> str:
    """`pattern` if it is a regular expression with one group, which is `what`; else raises `ValueError`."""
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"not a regular expression ({error})") from None
    if groups != 1:
        raise ValueError(f"needs exactly one group in parentheses, the {what}")
    return pattern
