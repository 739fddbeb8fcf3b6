"""A member of the ensemble on disk: backbone and head, rebuilt from a small JSON and weights.

A member's folder, `data/networks/<name>`, holds what `train` wrote:

    model.json            how the backbone and the head are made
    head.npz              the head's weights, arrays by layer and variable
    backbone.weights.h5   the backbone's, Keras's format, only if it was trained
    curve.csv             errors by epoch, or by penalty for the ridge head
    predictions.csv       path, partition, score: validation and test
    embeddings.npy        (photographs, features) float32, in the manifest's order
"""

import hashlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from sabi.backbones import embedder as backbones
from sabi.models import head as heads
from sabi.networks import NETWORKS, Own
from sabi.runtime.errors import InputError
from sabi.runtime.fingerprint import fingerprint
from sabi.settings.params import Params
from sabi.settings.train import Pooling
from sabi.tables import read_json, write_json


def describe(name: str, params: Params) -> dict[str, Any]:
    """All that decides a member's backbone before training: plain values for JSON.

    Networks of our own are trained from scratch whatever `train.mode` says, and
    what is trained from scratch starts from random weights.
    """
    train = params.train
    mode = "scratch" if isinstance(NETWORKS[name], Own) else train.mode
    weights = "random" if mode == "scratch" else train.weights
    return {
        "network": name,
        "mode": mode,
        "weights": weights,
        "weights_seed": train.weights_seed,
        "weights_sha256": _sha256(name, weights),
        "size": params.augment.size,
        "embed_batch": train.embed_batch,
        "pooling": train.pooling.model_dump(),
        "measured": train.measured,
    }


def _sha256(name: str, weights: str) -> str | None:
    """SHA-256 of the file a network's weights are read from, if they are."""
    file = backbones.weights_file(name, weights)
    if file is None:
        return None
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def embedder(description: dict[str, Any]) -> backbones.Embedder:
    """What embeds for a member described by `describe`, before any training of its backbone.

    Raises `InputError` if its weights cannot be had or are no longer the same.
    """
    name, weights = description["network"], description["weights"]
    if _sha256(name, weights) != description["weights_sha256"]:
        raise InputError(f"train.weights = {weights!r}: {name} was trained with another file; train it again")

    def make() -> Any:
        return backbones.build(name, description["size"], weights, description["weights_seed"])

    # How far it is trained afterwards, and what the head does, change no embedding.
    decisive = {k: v for k, v in description.items() if k.startswith(("network", "weights", "size", "embed"))}
    decisive |= {k: v for k, v in description["pooling"].items() if k != "balance"}
    decisive["entry"] = asdict(NETWORKS[name])
    recipe = None if description["mode"] == "scratch" else fingerprint(decisive, backbones.CODE)
    return backbones.Embedder(
        name, make, Pooling(**description["pooling"]), description["embed_batch"], recipe
    )


def trained_embedder(description: dict[str, Any], network: Any) -> backbones.Embedder:
    """What embeds with a `network` whose weights training has changed."""
    pooling = Pooling(**description["pooling"])
    return backbones.Embedder(description["network"], lambda: network, pooling, description["embed_batch"])


def save(folder: Path, description: dict[str, Any], head: heads.Weights, network: Any | None) -> None:
    """Write `model.json` and the weights of the head, and of the `network` if it was trained."""
    write_json(description, folder / "model.json")
    np.savez(folder / "head.npz", **head)
    if network is not None:
        network.save_weights(folder / "backbone.weights.h5")


def load_head(folder: Path) -> heads.Weights:
    """The weights that `save` wrote."""
    with np.load(folder / "head.npz") as arrays:
        return dict(arrays)


def scorer(folder: Path) -> Callable[..., np.ndarray]:
    """A function `(pixels, measured=None)` from (n, size, size, 3) uint8 to scores (n,).

    `measured` are the features (n, f) measured in the photographs, needed if
    the member was trained with them (`"measured"` in its `model.json`).
    """
    description = read_json(folder / "model.json")
    embed = embedder(description)
    if description["mode"] != "frozen":
        embed.network.load_weights(folder / "backbone.weights.h5")
        embed = trained_embedder(description, embed.network)
    head = load_head(folder)

    def score(pixels: np.ndarray, measured: np.ndarray | None = None) -> np.ndarray:
        features = embed(pixels)
        if description["measured"]:
            features = np.hstack([features, measured.astype(np.float32)])
        return heads.predict(head, features, description["head"])

    return score
