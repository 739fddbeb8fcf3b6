"""Section `train`: networks, heads, and how they learn."""

from pathlib import Path
from typing import Annotated, Literal

import pydantic
from pydantic import Field

from sabi.networks import NETWORKS
from sabi.runtime.repository import repository_root
from sabi.settings.section import Count, Section, Seed

Mode = Literal["frozen", "fine_tune", "scratch"]
Output = Literal["linear", "sigmoid", "coral", "corn"]


def _check_network(name: str) -> None:
    if name not in NETWORKS:
        raise ValueError(f"unknown network {name!r}; allowed: {', '.join(NETWORKS)}")


def _check_weights(weights: str) -> None:
    if weights in ("random", "imagenet"):
        return
    if Path(weights).is_absolute():
        # It would be part of the outputs, which are to be the same on every machine.
        raise ValueError("not an absolute path; put the folder into the repository's")
    if not (repository_root() / weights).is_dir():
        raise ValueError(
            f"no such folder{'; `sabi weights` makes it' if weights == 'weights' else ''}; allowed: random, "
            "imagenet, or a folder with Keras's no-top files, its path from the repository's root"
        )


class Pooling(Section):
    layers: Literal["every_resolution", "last_block"]
    statistics: Literal["mean", "mean_std"]
    flips: int
    balance: Annotated[float, Field(ge=0, le=2)]

    @pydantic.field_validator("flips")
    @classmethod
    def _of_some(cls, flips: int) -> int:
        if flips not in (1, 2, 4):
            raise ValueError("must be 1, 2 or 4")
        return flips


class Ridge(Section):
    penalties: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1, max_length=100)]
    folds: Annotated[int, Field(ge=2, le=100)]


class Loss(Section):
    name: Literal["mse", "penalised", "strong"]
    margin: Annotated[float, Field(ge=0)]
    penalty: Annotated[float, Field(ge=0)]
    asymmetry: Annotated[float, Field(ge=0)]


class Dense(Section):
    units: Annotated[list[Count], Field(min_length=1, max_length=10)]
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
            _check_network(name)
        return first


class Train(Section):
    seed: Seed
    weights: Annotated[str, Field(min_length=1)]
    weights_of: dict[str, Annotated[str, Field(min_length=1)]]
    weights_seed: Seed
    mode: Mode
    fine_tune: FineTune
    threads: Annotated[int, Field(ge=1, le=256)]
    embed_batch: Annotated[int, Field(ge=1, le=1024)]
    pooling: Pooling
    measured: bool
    measured_weight: Annotated[float, Field(gt=0, le=1000)]
    head: Literal["ridge", "dense"]
    ridge: Ridge
    dense: Dense
    output: Output
    class_weights: Literal["equal", "balanced"]
    loss: Loss
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"]
    schedule: Literal["constant", "cosine", "plateau"]
    epochs: Count
    batch_size: Annotated[int, Field(ge=2, le=10_000)]
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    patience: Count

    def weights_for(self, network: str) -> str:
        """What the network `network` starts from: "random", "imagenet", or a folder."""
        return self.weights_of.get(network, self.weights)

    @pydantic.field_validator("weights")
    @classmethod
    def _named_or_there(cls, weights: str) -> str:
        _check_weights(weights)
        return weights

    @pydantic.field_validator("weights_of")
    @classmethod
    def _each_named_or_there(cls, weights_of: dict[str, str]) -> dict[str, str]:
        for name, weights in weights_of.items():
            _check_network(name)
            _check_weights(weights)
        return weights_of

    @pydantic.model_validator(mode="after")
    def _head_fits(self) -> "Train":
        if self.head == "ridge" and self.mode == "scratch":
            raise ValueError(
                "head = 'ridge' needs finished features, which mode = 'scratch' has not; use dense"
            )
        if self.head == "ridge" and self.output not in ("linear", "corn"):
            raise ValueError(
                f"output = {self.output!r} needs head = 'dense'; the ridge head gives linear or corn"
            )
        return self
