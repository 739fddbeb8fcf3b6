"""A member of the ensemble on disk: backbone and head, rebuilt from a small JSON and the head's weights.

A member's folder, `data/members/<name>`, holds what `train` wrote:

    model.json         how the backbone and the head are made
    head.weights.h5    the head's weights, Keras's format
    curve.csv          errors by epoch, or by penalty for the ridge head
    predictions.csv    path, partition, score: validation and test
    embeddings.npy     (photographs, features) float32, in the manifest's order
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sabi import backbones, heads
from sabi.errors import InputError
from sabi.handover import read_json, write_json
from sabi.params import Params, Pooling
from sabi.repository import repository_root

MEMBERS = Path("data/members")


def describe(name: str, params: Params) -> dict[str, Any]:
    """All that decides a member's embeddings: plain values for JSON."""
    network = params.networks.model_dump()[name]
    return {
        "backbone": network["backbone"],
        "weights": network["weights"],
        "weights_seed": params.train.weights_seed,
        "weights_sha256": _sha256(network["weights"]),
        "size": params.augment.size,
        "embed_batch": params.train.embed_batch,
        "pooling": params.train.pooling.model_dump(),
    }


def _sha256(weights: str) -> str | None:
    """SHA-256 of a weights file; None for the weights that have a name."""
    if weights in ("random", "imagenet"):
        return None
    with (repository_root() / weights).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def embedder(description: dict[str, Any]) -> backbones.Embedder:
    """What embeds for a member described by `describe`.

    Raises `InputError` if its weights cannot be had or are no longer the same.
    """
    name, weights = description["backbone"], description["weights"]
    if _sha256(weights) != description["weights_sha256"]:
        raise InputError(f"weights of {name} = {weights!r}: not the file it was trained with; train it again")
    network = backbones.build(name, description["size"], weights, description["weights_seed"])
    return backbones.Embedder(name, network, Pooling(**description["pooling"]), description["embed_batch"])


def save(folder: Path, description: dict[str, Any], head: Any) -> None:
    """Write `model.json` and `head.weights.h5` into `folder`."""
    write_json(description, folder / "model.json")
    head.save_weights(folder / "head.weights.h5")


def scorer(folder: Path) -> Callable[..., np.ndarray]:
    """A function `(pixels, label)` from (n, size, size, 3) uint8 to scores (n,) in 1..5."""
    description = read_json(folder / "model.json")
    embed = embedder(description)
    head = heads.build(description["head"])
    head.load_weights(folder / "head.weights.h5")
    batch = description["embed_batch"]
    return lambda pixels, label=None: heads.predict(head, embed(pixels, label), batch)
