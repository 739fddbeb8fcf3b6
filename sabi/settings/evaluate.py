"""Section `evaluate`: how sure the grades and the metrics are, and the maps of the embeddings."""

from typing import Annotated

from pydantic import Field

from sabi.settings.section import Fraction, Section, Seed


class Bootstrap(Section):
    seed: Seed
    resamples: Annotated[int, Field(ge=100, le=10_000)]


class Projection(Section):
    seed: Seed
    photographs: Annotated[int, Field(ge=10, le=10_000)]


class Evaluate(Section):
    confidence: Annotated[Fraction, Field(ge=0.5, le=0.99)]
    false_alarms: Annotated[Fraction, Field(ge=0.01, le=0.5)]
    bootstrap: Bootstrap
    projection: Projection
