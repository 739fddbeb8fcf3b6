"""What decides a member's backbone before any training of it."""

import hashlib
from dataclasses import asdict
from typing import Any

from sabi.backbones.weights import weights_file
from sabi.networks import NETWORKS, Own
from sabi.settings.section import Section
from sabi.settings.train import Mode, Pooling, Train


class BackboneSpec(Section):
    """How a backbone is built, fed and pooled, and how far it is trained afterwards."""

    network: str  # a name of sabi/networks.py
    mode: Mode
    weights: str  # "random", "imagenet", or a folder
    weights_seed: int
    weights_sha256: str | None  # of the file they were read from, if they were
    size: int  # side of its photographs, pixels
    embed_batch: int
    pooling: Pooling

    @classmethod
    def of(cls, name: str, train: Train, size: int) -> "BackboneSpec":
        """What `train` makes of the network `name` on photographs of side `size`.

        Networks of our own are trained from scratch whatever `train.mode` says, and
        what is trained from scratch starts from random weights. Raises
        `InputError` if its file of weights is missing or damaged.
        """
        mode = cls.mode_of(name, train)
        weights = "random" if mode == "scratch" else train.weights_for(name)
        return cls(
            network=name,
            mode=mode,
            weights=weights,
            weights_seed=train.weights_seed,
            weights_sha256=sha256_of_weights(name, weights),
            size=size,
            # The dense layer that ours end in adds up a row by its place in a batch, on some processors.
            embed_batch=1 if isinstance(NETWORKS[name], Own) else train.embed_batch,
            pooling=train.pooling,
        )

    @staticmethod
    def mode_of(name: str, train: Train) -> Mode:
        """How far the network `name` is trained; those of our own always are from scratch."""
        return "scratch" if isinstance(NETWORKS[name], Own) else train.mode

    def decisive(self) -> dict[str, Any]:
        """Plain values of all that decides the embedding of an array.

        Neither later training does, nor flips, nor the head's balance.
        """
        values = self.model_dump(exclude={"mode": True, "pooling": {"balance", "flips"}})
        return values | {"entry": asdict(NETWORKS[self.network])}


def sha256_of_weights(name: str, weights: str) -> str | None:
    """SHA-256 of the file a network's weights are read from, if they are."""
    file = weights_file(name, weights)
    if file is None:
        return None
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
