"""Section `scale`: how much steel a pixel covers."""

from typing import Annotated

from pydantic import Field

from sabi.settings.section import Section

SMALLEST_MM, LARGEST_MM = 0.001, 100.0
MmPerPixel = Annotated[float, Field(ge=SMALLEST_MM, le=LARGEST_MM)]


class Scale(Section):
    photographs: MmPerPixel | None
    target: MmPerPixel | None
