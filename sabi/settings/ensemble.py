"""Section `ensemble`: whose scores count, and how they are combined."""

from typing import Annotated, Literal

import pydantic
from pydantic import Field

from sabi.settings.section import Section

Method = Literal["mean", "median", "weighted"]


class Ensemble(Section):
    members: Annotated[list[str], Field(min_length=1)]
    method: Method

    @pydantic.field_validator("members")
    @classmethod
    def _once(cls, members: list[str]) -> list[str]:
        if len(set(members)) < len(members):
            raise ValueError("names a member twice")
        return members
