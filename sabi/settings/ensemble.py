"""Section `ensemble`: whose scores count, and how they are combined."""

from typing import Annotated, Literal

import pydantic
from pydantic import Field

from sabi.settings.section import Section, check_distinct

Method = Literal["mean", "median", "weighted"]


class Ensemble(Section):
    members: Annotated[list[str], Field(min_length=1)]
    method: Method

    @pydantic.field_validator("members")
    @classmethod
    def _distinct(cls, members: list[str]) -> list[str]:
        return check_distinct(members, "member")
