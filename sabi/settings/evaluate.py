"""Section `evaluate`: how sure the grades and the metrics are, and the maps of the embeddings."""

from typing import Annotated, Literal

import pydantic
from pydantic import Field

from sabi.settings.section import Fraction, Section, Seed, check_distinct

Method = Literal["pca", "tsne", "umap"]


class Bootstrap(Section):
    seed: Seed
    resamples: Annotated[int, Field(ge=100, le=10_000)]


class Projection(Section):
    seed: Seed
    photographs: Annotated[int, Field(ge=10, le=10_000)]
    methods: Annotated[list[Method], Field(min_length=1)]

    @pydantic.field_validator("methods")
    @classmethod
    def _distinct(cls, methods: list[Method]) -> list[Method]:
        return check_distinct(methods, "method")


class Evaluate(Section):
    confidence: Annotated[Fraction, Field(ge=0.5, le=0.99)]
    false_alarms: Annotated[Fraction, Field(ge=0.01, le=0.5)]
    bootstrap: Bootstrap
    projection: Projection
