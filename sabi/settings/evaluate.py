"""Section `evaluate`: how sure the metrics are, and the maps of the embeddings."""

from typing import Annotated

from pydantic import Field

from sabi.settings.section import Section, Seed


class Bootstrap(Section):
    seed: Seed
    resamples: Annotated[int, Field(ge=100, le=10_000)]


class Projection(Section):
    seed: Seed
    photographs: Annotated[int, Field(ge=10, le=10_000)]


class Evaluate(Section):
    bootstrap: Bootstrap
    projection: Projection
