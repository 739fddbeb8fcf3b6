"""Section `report`."""

from typing import Annotated, Literal

import pydantic
from pydantic import Field

from sabi.settings.section import Section, check_pattern


class Report(Section):
    worst: Annotated[int, Field(ge=0, le=1000)]
    why: Annotated[int, Field(ge=0, le=1000)]
    bridge: str | None
    # As sabi.words.texts has them, which no stage but the last is to depend on.
    language: Literal["en", "ja"]

    @pydantic.field_validator("bridge")
    @classmethod
    def _pattern(cls, pattern: str | None) -> str | None:
        return None if pattern is None else check_pattern(pattern, "bridge")
