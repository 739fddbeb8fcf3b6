"""Section `binning`: how scores become grades."""

from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from sabi.settings.section import Section, as_spelled_name


class Correction(Section):
    method: Literal["none", "measured"]
    above: str
    within: Annotated[float, Field(gt=0, le=1)]

    @pydantic.field_validator("above", mode="before")
    @classmethod
    def _above_as_text(cls, above: Any) -> Any:
        return as_spelled_name(above)


class Binning(Section):
    method: Literal["tuned", "fixed"]
    thresholds: list[float]
    correction: Correction
