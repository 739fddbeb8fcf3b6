"""Section `split`: which photographs are used, and for what."""

from typing import Annotated, Literal

import pydantic
from pydantic import Field

from sabi.settings.section import Fraction, Section, Seed, check_pattern


class SoftScore(Section):
    half_width: Annotated[float, Field(ge=0, lt=0.5)]
    outside: Literal["clip", "drop"]


class Split(Section):
    seed: Seed
    specimen: str
    validation: Fraction
    test: Fraction
    folds: Annotated[int, Field(ge=1, le=100)]
    fold: Annotated[int, Field(ge=0)]
    min_side: Annotated[int, Field(ge=1, le=10_000)]
    max_megapixels: Annotated[float, Field(gt=0, le=1000)]
    soft_score: SoftScore

    @pydantic.field_validator("specimen")
    @classmethod
    def _one_group(cls, pattern: str) -> str:
        return check_pattern(pattern, "specimen")

    @pydantic.model_validator(mode="after")
    def _room_for_training(self) -> "Split":
        tested = self.test if self.folds == 1 else 1 / self.folds
        if self.validation + tested >= 1:
            test = "test" if self.folds == 1 else "a fold"
            raise ValueError(f"validation and {test} together must leave some for training (sum < 1)")
        return self

    @pydantic.model_validator(mode="after")
    def _one_of_the_folds(self) -> "Split":
        if self.fold >= self.folds:
            raise ValueError(f"fold = {self.fold}: folds = {self.folds} has the folds 0 to {self.folds - 1}")
        return self
