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
from typing import Annotated, Any, Literal

import pydantic
import yaml
from pydantic import Field

from sabi.errors import InputError
from sabi.repository import repository_root

Seed = Annotated[int, Field(ge=0, lt=2**32)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]

# The registry proper (`sabi/backbones.py`) says how each is built; the names
# stand here too because checking them must not load TensorFlow.
BackboneName = Literal["EfficientNetV2S", "DenseNet121", "MobileNetV3Large"]


class Section(pydantic.BaseModel):
    """A section of `params.yaml`: no unknown names, no silent conversion."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class SoftScore(Section):
    half_width: Annotated[float, Field(ge=0, lt=0.5)]
    outside: Literal["clip", "drop"]


class Split(Section):
    seed: Seed
    specimen: str
    validation: Fraction
    test: Fraction
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
        if self.validation + self.test >= 1:
            raise ValueError("validation and test together must leave some for training (sum < 1)")
        return self


class Augment(Section):
    seed: Seed
    # The backbones halve the side five times; on other sides they round it differently.
    size: Annotated[int, Field(ge=32, le=1024, multiple_of=32)]
    copies: Annotated[int, Field(ge=0)]
    flip: bool
    rotation: Annotated[float, Field(ge=0, le=180)]
    brightness: Annotated[float, Field(ge=0, lt=1)]
    contrast: Annotated[float, Field(ge=0, lt=1)]
    hue: Annotated[float, Field(ge=0, le=0.5)]


class Pooling(Section):
    layers: Literal["every_resolution", "last_block"]
    statistics: Literal["mean", "mean_std"]
    balance: Annotated[float, Field(ge=0, le=2)]


class Ridge(Section):
    penalties: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)]
    folds: Annotated[int, Field(ge=2)]


class Loss(Section):
    margin: Annotated[float, Field(ge=0)]
    penalty: Annotated[float, Field(ge=0)]


class Dense(Section):
    units: Annotated[list[Count], Field(min_length=1)]
    dropout: Annotated[float, Field(ge=0, lt=1)]
    loss: Loss


class Train(Section):
    seed: Seed
    weights_seed: Seed
    embed_batch: Count
    pooling: Pooling
    head: Literal["ridge", "dense"]
    ridge: Ridge
    dense: Dense
    epochs: Count
    batch_size: Annotated[int, Field(ge=2)]
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    patience: Count


class Network(Section):
    backbone: BackboneName
    weights: Annotated[str, Field(min_length=1)]

    @pydantic.field_validator("weights")
    @classmethod
    def _named_or_there(cls, weights: str) -> str:
        if weights in ("random", "imagenet"):
            return weights
        if Path(weights).is_absolute():
            # It would be part of the outputs, which are to be the same on every machine.
            raise ValueError("not an absolute path; put the file into the repository's folder")
        if not (repository_root() / weights).is_file():
            raise ValueError(
                "no such file; allowed: random, imagenet, or a Keras no-top file, its path from the "
                "repository's root"
            )
        return weights


class Networks(Section):
    efficientnet: Network
    densenet: Network
    mobilenet: Network


class Ensemble(Section):
    members: Annotated[list[str], Field(min_length=1)]
    method: Literal["mean", "median", "weighted"]

    @pydantic.field_validator("members")
    @classmethod
    def _known_once(cls, members: list[str]) -> list[str]:
        known = list(Networks.model_fields)
        for member in members:
            if member not in known:
                raise ValueError(f"unknown member {member!r}; allowed: {', '.join(known)}")
        if len(set(members)) < len(members):
            raise ValueError("names a member twice")
        return members


class Binning(Section):
    method: Literal["tuned", "fixed"]
    thresholds: Annotated[list[float], Field(min_length=4, max_length=4)]

    @pydantic.field_validator("thresholds")
    @classmethod
    def _ascending(cls, thresholds: list[float]) -> list[float]:
        bounds = [1.0, *thresholds, 5.0]
        if any(low >= high for low, high in itertools.pairwise(bounds)):
            raise ValueError("must ascend strictly between 1 and 5, like [1.5, 2.5, 3.5, 4.5]")
        return thresholds


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


class Params(Section):
    split: Split
    augment: Augment
    train: Train
    networks: Networks
    ensemble: Ensemble
    binning: Binning
    evaluate: Evaluate
    report: Report


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
        problems = [_explain(problem, raw) for problem in error.errors()]
    # A misspelt name is reported once, not also as a missing one.
    misspelt = [p for p in problems if "not a parameter" in p]
    raise InputError(" ".join(f"{path.name}: {'; '.join(misspelt or problems)}".split()))


def _explain(problem: Any, raw: Any) -> str:
    """One problem of pydantic's as `<name> = <value>: <what is allowed and what to do>`."""
    location = list(problem["loc"])
    name = ".".join(str(part) for part in location)
    if problem["type"] == "extra_forbidden":
        return _explain_unknown(location, raw)
    if problem["type"] == "missing":
        return f"{name} is missing; add it (`git diff params.yaml` shows what was changed)"
    allowed = problem["msg"].removeprefix("Value error, ")
    allowed = allowed[0].lower() + allowed[1:]
    value = problem["input"]
    if isinstance(value, dict) and problem["type"] == "value_error":
        shown = name
    else:
        shown = f"{name or 'the file'} = {value!r}"
    advice = f"change it in params.yaml or with -S {name}=..."
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+", value):
        advice = f"YAML reads it as text: write {Decimal(value):f}"
    return f"{shown}: {allowed}; {advice}"


def _explain_unknown(location: list[Any], raw: Any) -> str:
    """A name that no parameter has, with the nearest that exists."""
    *parents, wrong = location
    section: Any = Params
    for part in parents:
        section = section.model_fields[part].annotation
    known = list(section.model_fields)
    near = difflib.get_close_matches(str(wrong), known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"allowed here: {', '.join(known)}"
    return f"{'.'.join(map(str, location))} is not a parameter; {hint}"
