"""A trained network on disk: backbone and head, made again from a small JSON and weights.

A folder of `data/networks` holds what `train` wrote:

    model.json            how the backbone and the head are made
    head.npz              the head's weights, arrays by layer and variable
    backbone.weights.h5   the backbone's, Keras's format, only if it was trained
    curve.csv             errors by epoch, or by penalty for the ridge head
    predictions.csv       path, partition, score: validation and test
    out_of_fold.csv       path, score: training photographs, by heads that have not seen their specimens
    embeddings.npy        (photographs, features) float32, in the manifest's order

The first three suffice to score photographs.
"""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sabi.backbones.embedder import EXPORTED, FORWARD, Embedder
from sabi.backbones.spec import BackboneSpec
from sabi.models.head import Head, HeadSpec
from sabi.runtime.errors import InputError
from sabi.settings.section import Section
from sabi.tables import read_spec, write_spec

if TYPE_CHECKING:
    import keras

SPEC, HEAD, BACKBONE = "model.json", "head.npz", "backbone.weights.h5"
EMBEDDINGS = "embeddings.npy"


class MemberSpec(Section):
    """What `model.json` says."""

    backbone: BackboneSpec
    head: HeadSpec
    measured: bool  # whether features measured in the photograph follow the embedding
    parameters: int  # number of weights, backbone and head
    best_step: int  # row of curve.csv that was kept
    key: str  # of the training

    @classmethod
    def read(cls, folder: Path) -> "MemberSpec":
        """What the folder of a member says; raises `InputError` if that is no such file."""
        return read_spec(cls, folder / SPEC, "no description of a trained network; train it again")


def save(folder: Path, spec: MemberSpec, head: Head, network: "keras.Model | None") -> None:
    """Write `model.json` and the weights of the head, and of the `network` if it was trained."""
    write_spec(spec, folder / SPEC)
    head.save(folder / HEAD)
    if network is not None:
        network.save_weights(folder / BACKBONE)


def standardised(folder: Path, rows: np.ndarray) -> np.ndarray:
    """What the head in the folder of a member sees of `rows` (n, features) of its embeddings, float32."""
    return Head.load(MemberSpec.read(folder).head, folder / HEAD).standardised(rows)


class Scorer:
    """A trained network that scores photographs."""

    def __init__(self, folder: Path, store: Path | None = None) -> None:
        """Load what `save` wrote; raises `InputError` if any of it, or the backbone's weights, is missing."""
        self.spec = MemberSpec.read(folder)
        self._weights = folder / BACKBONE
        trained = self.spec.backbone.mode != "frozen"
        for file in (folder / HEAD, *([self._weights] if trained else [])):
            if not file.is_file():
                raise InputError(f"{file}: no such file; run `dvc repro`, or copy the whole folder again")
        self._head = Head.load(self.spec.head, folder / HEAD)
        exported = folder if (folder / EXPORTED[FORWARD]).exists() else None
        self._exported = exported is not None
        self._untrained = Embedder(self.spec.backbone, store=store, exported=exported)

    @cached_property
    def _embed(self) -> Embedder:
        if self._exported or self.spec.backbone.mode == "frozen":
            return self._untrained
        network = self._untrained.network
        network.load_weights(self._weights)
        return Embedder(self.spec.backbone, network)

    def export(self, folder: Path) -> None:
        """Write into a member's folder what is needed to score without building its network."""
        self._embed.export(folder)

    def features(
        self, pixels: np.ndarray, measured: np.ndarray | None = None, keep: bool = True
    ) -> np.ndarray:
        """What the head is given (n, features) float32, of photographs (n, size, size, 3) uint8.

        Without `keep` the store is left alone.
        `measured` are the features (n, f) measured in the photographs, needed if `spec.measured`.
        """
        features = self._embed(pixels, keep=keep)
        if self.spec.measured:
            if measured is None:
                raise ValueError("this network was trained with measured features and needs them")
            features = np.hstack([features, measured.astype(np.float32)])
        return features

    def score(self, features: np.ndarray) -> np.ndarray:
        """Scores (n,) float64 of what `features` gave."""
        return self._head.predict(features)

    def standardised(self, features: np.ndarray) -> np.ndarray:
        """What `features` gave (n, features), standardised, float32."""
        return self._head.standardised(features)
