"""Section `report`."""

from typing import Annotated

from pydantic import Field

from sabi.settings.section import Section


class Report(Section):
    worst: Annotated[int, Field(ge=0, le=1000)]
