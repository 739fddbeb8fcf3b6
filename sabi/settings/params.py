"""The parameters of `params.yaml`: their types and bounds, checked before any work.

`params.yaml` is the manual (what each value means and what the wiki used);
here is what is allowed. Every stage checks the whole file, also the part it
does not use, so that a mistake in the last stage's value does not show only
after the training.
"""

import difflib
import itertools
import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

import pydantic
import yaml
from pydantic import Field

from sabi.grades import Grades
from sabi.networks import NETWORKS, STANDARD
from sabi.runtime.errors import InputError
from sabi.runtime.repository import repository_root

Seed = Annotated[int, Field(ge=0, lt=2**32)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Probability = Annotated[float, Field(ge=0, le=1)]
Strength = TypeVar("Strength")


class Section(pydantic.BaseModel):
    """A section of `params.yaml`: no unknown names, no silent conversion."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def _as_name(grade: Any) -> Any:
    """YAML reads a grade 3 as a number; names are text."""
    return str(grade) if isinstance(grade, int) and not isinstance(grade, bool) else grade


class Labels(Section):
    source: Literal["name", "folder", "csv"]
    grades: Annotated[list[str], Field(min_length=2)]
    sound: str

    @pydantic.field_validator("grades", mode="before")
    @classmethod
    def _as_text(cls, grades: Any) -> Any:
        return [_as_name(name) for name in grades] if isinstance(grades, list) else grades

    @pydantic.field_validator("sound", mode="before")
    @classmethod
    def _sound_as_text(cls, sound: Any) -> Any:
        return _as_name(sound)

    @pydantic.field_validator("grades")
    @classmethod
    def _distinct_names(cls, grades: list[str]) -> list[str]:
        for name in grades:
            if not name or name != name.strip() or "/" in name or not name.isprintable():
                raise ValueError(
                    f"{name!r} is no name of a grade: one line, not empty, no '/', no space at either end"
                )
        if len(set(grades)) < len(grades):
            raise ValueError("names a grade twice")
        return grades

    @pydantic.model_validator(mode="after")
    def _sound_is_a_grade(self) -> "Labels":
        if self.sound not in self.grades[1:]:
            raise ValueError(
                f"sound = {self.sound!r} must be one of labels.grades, not the worst: "
                f"{', '.join(self.grades[1:])}"
            )
        return self


SMALLEST_MM, LARGEST_MM = 0.001, 100.0
MmPerPixel = Annotated[float, Field(ge=SMALLEST_MM, le=LARGEST_MM)]


class Scale(Section):
    photographs: MmPerPixel | None
    target: MmPerPixel | None


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
    min_side: Annotated[int, Field(ge=1)]
    max_megapixels: Annotated[float, Field(gt=0)]
    soft_score: SoftScore

    @pydantic.field_validator("specimen")
    @classmethod
    def _one_group(cls, pattern: str) -> str:
        try:
            groups = re.compile(pattern).groups
        except re.error as error:
            raise ValueError(f"not a regular expression ({error})") from None
        if groups != 1:
            raise ValueError("needs exactly one group in parentheses, the specimen")
        return pattern

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
    copies: Annotated[int, Field(ge=0)]
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


class Pooling(Section):
    layers: Literal["every_resolution", "last_block"]
    statistics: Literal["mean", "mean_std"]
    balance: Annotated[float, Field(ge=0, le=2)]


class Ridge(Section):
    penalties: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)]
    folds: Annotated[int, Field(ge=2)]


class Loss(Section):
    name: Literal["mse", "penalised", "strong"]
    margin: Annotated[float, Field(ge=0)]
    penalty: Annotated[float, Field(ge=0)]
    asymmetry: Annotated[float, Field(ge=0)]


class Dense(Section):
    units: Annotated[list[Count], Field(min_length=1)]
    dropout: Annotated[float, Field(ge=0, lt=1)]


class FineTune(Section):
    layers: Count
    first: dict[str, str]
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    epochs: Count

    @pydantic.field_validator("first")
    @classmethod
    def _of_networks(cls, first: dict[str, str]) -> dict[str, str]:
        for name in first:
            if name not in NETWORKS:
                raise ValueError(f"unknown network {name!r}; allowed: {', '.join(NETWORKS)}")
        return first


class Train(Section):
    seed: Seed
    weights: Annotated[str, Field(min_length=1)]
    weights_seed: Seed
    mode: Literal["frozen", "fine_tune", "scratch"]
    fine_tune: FineTune
    threads: Annotated[int, Field(ge=1, le=256)]
    embed_batch: Count
    pooling: Pooling
    measured: bool
    head: Literal["ridge", "dense"]
    ridge: Ridge
    dense: Dense
    output: Literal["linear", "sigmoid", "coral", "corn"]
    class_weights: Literal["equal", "balanced"]
    loss: Loss
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"]
    schedule: Literal["constant", "cosine", "plateau"]
    epochs: Count
    batch_size: Annotated[int, Field(ge=2)]
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    patience: Count

    @pydantic.field_validator("weights")
    @classmethod
    def _named_or_there(cls, weights: str) -> str:
        if weights in ("random", "imagenet"):
            return weights
        if Path(weights).is_absolute():
            # It would be part of the outputs, which are to be the same on every machine.
            raise ValueError("not an absolute path; put the folder into the repository's")
        if not (repository_root() / weights).is_dir():
            raise ValueError(
                "no such folder; allowed: random, imagenet, or a folder with Keras's no-top files, "
                "its path from the repository's root"
            )
        return weights

    @pydantic.model_validator(mode="after")
    def _head_fits(self) -> "Train":
        if self.head == "ridge" and self.mode == "scratch":
            raise ValueError(
                "head = 'ridge' needs finished features, which mode = 'scratch' has not; use dense"
            )
        if self.head == "ridge" and self.output != "linear":
            raise ValueError(f"output = {self.output!r} needs head = 'dense'; the ridge head is linear")
        return self


class Ensemble(Section):
    members: Annotated[list[str], Field(min_length=1)]
    method: Literal["mean", "median", "weighted"]

    @pydantic.field_validator("members")
    @classmethod
    def _once(cls, members: list[str]) -> list[str]:
        if len(set(members)) < len(members):
            raise ValueError("names a member twice")
        return members


class Correction(Section):
    method: Literal["none", "measured"]
    above: str
    within: Annotated[float, Field(gt=0, le=1)]

    @pydantic.field_validator("above", mode="before")
    @classmethod
    def _above_as_text(cls, above: Any) -> Any:
        return _as_name(above)


class Binning(Section):
    method: Literal["tuned", "fixed"]
    thresholds: list[float]
    correction: Correction


class Bootstrap(Section):
    seed: Seed
    resamples: Annotated[int, Field(ge=100)]


class Projection(Section):
    seed: Seed
    photographs: Annotated[int, Field(ge=10)]


class Evaluate(Section):
    bootstrap: Bootstrap
    projection: Projection


class Report(Section):
    worst: Annotated[int, Field(ge=0)]


class Rule(Section):
    better: Literal["higher", "lower"]
    tolerated: Annotated[float, Field(ge=0)] | None
    significant: bool


class Rules(Section):
    accuracy: Rule
    kappa: Rule
    mae: Rule
    mae_grade: Rule
    within_one: Rule
    macro_f1: Rule
    sensitivity: Rule
    specificity: Rule


class Gate(Section):
    test_photographs: Literal["same", "common"]
    rules: Rules


class Params(Section):
    labels: Labels
    scale: Scale
    split: Split
    augment: Augment
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
    def grades(self) -> Grades:
        """The grades and where soundness begins."""
        names = tuple(self.labels.grades)
        return Grades(names, names.index(self.labels.sound) + 1)

    @property
    def networks(self) -> list[str]:
        """All networks that are trained: the standard three, then the candidates."""
        return [*STANDARD, *self.candidates]

    @pydantic.field_validator("candidates")
    @classmethod
    def _registered(cls, candidates: list[str]) -> list[str]:
        others = [name for name in NETWORKS if name not in STANDARD]
        for name in candidates:
            if name in STANDARD:
                raise ValueError(f"{name!r} is always trained; leave it out")
            if name not in NETWORKS:
                raise ValueError(f"unknown network {name!r}; allowed: {', '.join(others)}")
        if len(set(candidates)) < len(candidates):
            raise ValueError("names a network twice")
        return candidates

    @pydantic.model_validator(mode="after")
    def _sections_agree(self) -> "Params":
        for check in (self._members, self._sides, self._correction, self._thresholds):
            check()
        return self

    def _members(self) -> None:
        for member in self.ensemble.members:
            if member not in self.networks:
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
        best = len(self.labels.grades)
        bounds = [1.0, *self.binning.thresholds, float(best)]
        if len(bounds) != best + 1 or any(low >= high for low, high in itertools.pairwise(bounds)):
            middles = [grade + 0.5 for grade in range(1, best)]
            raise ValueError(
                f"binning.thresholds = {self.binning.thresholds}: needs {best - 1} that ascend strictly "
                f"between 1 and {best}, like {middles}"
            )


def load(path: str | Path = "params.yaml") -> Params:
    """Read and check a parameter file.

    Raises `InputError`, one line, for a missing or unreadable file and for
    every value that is misspelt, missing, of the wrong type or out of bounds.
    """
    path = Path(path)
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run from the repository's root") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: not UTF-8, or a date that is none
        raise InputError(f"{path}: not YAML in UTF-8: {' '.join(str(error).split())}") from None
    try:
        return Params.model_validate(raw)
    except pydantic.ValidationError as error:
        problems = [_explain(problem) for problem in error.errors()]
    # A misspelt name is reported once, not also as a missing one.
    misspelt = [p for p in problems if "not a parameter" in p]
    raise InputError(" ".join(f"{path.name}: {'; '.join(misspelt or problems)}".split()))


def _explain(problem: Any) -> str:
    """One problem of pydantic's as `<name> = <value>: <what is allowed and what to do>`."""
    location = list(problem["loc"])
    name = ".".join(str(part) for part in location)
    if problem["type"] == "extra_forbidden":
        return _explain_unknown(location)
    if problem["type"] == "missing":
        return f"{name} is missing; add it (`git diff params.yaml` shows what was changed)"
    allowed = problem["msg"].removeprefix("Value error, ")
    allowed = allowed[0].lower() + allowed[1:]
    value = problem["input"]
    if problem["type"] == "value_error" and _names(location):
        # Values that do not go together: the text names them, seen from their section.
        return f"{name}{'.' if name else ''}{allowed}; change it in params.yaml"
    whole = ".".join(part for part in location if isinstance(part, str))  # not one item of a list
    advice = f"change it in params.yaml or with -S {whole}=..."
    if problem["type"] == "model_type":
        allowed = f"must be a section with {', '.join(_names(location))}"
        advice = "`git diff params.yaml` shows what was changed"
    elif isinstance(value, str) and re.fullmatch(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+", value):
        advice = f"YAML reads it as text: write {Decimal(value):f}"
    elif problem["type"] == "string_type" and isinstance(value, (bool, float)):
        advice = "YAML does not read it as text: write it in quotes"
    return f"{name or 'the file'} = {value!r}: {allowed}; {advice}"


def _explain_unknown(location: list[Any]) -> str:
    """A name that no parameter has, with the nearest that exists."""
    *parents, wrong = location
    known = _names(parents)
    near = difflib.get_close_matches(str(wrong), known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"allowed here: {', '.join(known)}"
    return f"{'.'.join(map(str, location))} is not a parameter; {hint}"


def _names(location: list[Any]) -> list[str]:
    """The names in the section at `location`; none if a value is there."""
    section: Any = Params
    for part in location:
        section = section.model_fields[part].annotation
    return list(getattr(section, "model_fields", ()))
