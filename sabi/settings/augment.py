"""Section `augment`: the size of photographs, and how their copies are altered."""

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import Field

from sabi.settings.section import Probability, Section, Seed

Strength = TypeVar("Strength")


class Chance(Section):
    probability: Probability


class Transform(Chance, Generic[Strength]):
    strength: Strength


Tone = Transform[Annotated[float, Field(ge=0, lt=1)]]
Half = Transform[Annotated[float, Field(ge=0, le=0.5)]]


class Augment(Section):
    seed: Seed
    # The backbones halve the side five times; on other sides they round it differently.
    size: Annotated[int, Field(ge=32, le=1024, multiple_of=32)]
    copies: Annotated[int, Field(ge=0, le=100)]
    fill: Literal["constant", "nearest", "reflect", "wrap"]
    horizontal_flip: Chance
    vertical_flip: Chance
    rotation: Transform[Annotated[float, Field(ge=0, le=180)]]
    zoom: Transform[Annotated[float, Field(ge=0, le=0.9)]]
    shift: Transform[Annotated[float, Field(ge=0, le=1)]]
    shear: Transform[Annotated[float, Field(ge=0, le=60)]]
    resized_crop: Transform[Annotated[float, Field(ge=0, le=0.95)]]
    brightness: Tone
    contrast: Tone
    hue: Half
    grid_shuffle: Transform[Literal[2, 3]]
    cutout: Half
    mixup: Half
