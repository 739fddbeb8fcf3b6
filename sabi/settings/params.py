"""All parameters of `params.yaml`, and whether its sections agree.

`params.yaml` is the manual (what each value means and what the wiki used);
here, a file a section, is what is allowed. Every stage checks the whole file,
also the part it does not use, so that a mistake in the last stage's value does
not show only after the training.
"""

import itertools
from typing import Any

import pydantic

from sabi.networks import NETWORKS, STANDARD
from sabi.settings.augment import Augment
from sabi.settings.binning import Binning
from sabi.settings.ensemble import Ensemble
from sabi.settings.evaluate import Evaluate
from sabi.settings.gate import Gate
from sabi.settings.labels import Labels
from sabi.settings.report import Report
from sabi.settings.scale import Scale
from sabi.settings.section import Section, check_distinct
from sabi.settings.split import Split
from sabi.settings.train import Train


class Params(Section):
    labels: Labels
    scale: Scale
    split: Split
    augment: Augment
    standard: bool
    candidates: list[str]
    train: Train
    ensemble: Ensemble
    binning: Binning
    evaluate: Evaluate
    report: Report
    gate: Gate

    def __reduce__(self) -> tuple[Any, ...]:
        # Classes that pydantic makes, of transforms, cannot be pickled; their values can.
        return Params.model_validate, (self.model_dump(),)

    @property
    def networks(self) -> list[str]:
        """All networks that are trained: the standard three if they are, then the candidates."""
        return [*(STANDARD if self.standard else ()), *self.candidates]

    @pydantic.field_validator("candidates")
    @classmethod
    def _registered(cls, candidates: list[str]) -> list[str]:
        others = [name for name in NETWORKS if name not in STANDARD]
        for name in candidates:
            if name in STANDARD:
                raise ValueError(f"{name!r} is one of the standard three; leave it out")
            if name not in NETWORKS:
                raise ValueError(f"unknown network {name!r}; allowed: {', '.join(others)}")
        return check_distinct(candidates, "network")

    @pydantic.model_validator(mode="after")
    def _sections_agree(self) -> "Params":
        for check in (self._members, self._sides, self._correction, self._thresholds):
            check()
        return self

    def _members(self) -> None:
        for member in self.ensemble.members:
            if member not in self.networks:
                if member in STANDARD:
                    raise ValueError(f"ensemble.members: {member!r} is not trained; set standard to true")
                if member in NETWORKS:
                    raise ValueError(f"ensemble.members: {member!r} is not trained; add it to candidates")
                known = ", ".join(self.networks)
                raise ValueError(f"ensemble.members: unknown member {member!r}; allowed: {known}")

    def _sides(self) -> None:
        for name in self.networks:
            smallest = NETWORKS[name].smallest
            if self.augment.size < smallest:
                raise ValueError(
                    f"augment.size = {self.augment.size}: {name} needs {smallest} pixels or more"
                )

    def _correction(self) -> None:
        correction = self.binning.correction
        if correction.method != "none" and correction.above not in self.labels.grades[:-1]:
            raise ValueError(
                f"binning.correction.above = {correction.above!r}: must be one of labels.grades, "
                f"not the best: {', '.join(self.labels.grades[:-1])}"
            )

    def _thresholds(self) -> None:
        if self.binning.method == "tuned":
            return
        scale = self.labels.rating.scale
        bounds = [scale[0], *self.binning.thresholds, scale[-1]]
        if len(bounds) != len(scale) + 1 or any(low >= high for low, high in itertools.pairwise(bounds)):
            middles = [(low + high) / 2 for low, high in itertools.pairwise(scale)]
            raise ValueError(
                f"binning.thresholds = {self.binning.thresholds}: needs {len(middles)} that ascend strictly "
                f"between {scale[0]:g} and {scale[-1]:g}, like {middles}"
            )
