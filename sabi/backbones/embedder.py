"""From photographs to embeddings, by way of the store."""

import json
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sabi.backbones import forward
from sabi.backbones.building import build, preprocess
from sabi.backbones.pooling import pooled
from sabi.backbones.spec import BackboneSpec, sha256_of_weights
from sabi.backbones.store import cached
from sabi.runtime.determinism import THREADS
from sabi.runtime.errors import InputError
from sabi.runtime.fingerprint import fingerprint
from sabi.runtime.store import Store
from sabi.runtime.threads import in_batches

if TYPE_CHECKING:
    import keras

# The store's keys for what is known of a network itself; no photograph's digest is so short.
ABOUT, FORWARD = b"about", b"forward"
EXPORTED = {ABOUT: "about.json", FORWARD: "forward.npz"}  # the files of `Embedder.export`
# What decides a network's weights and forward pass, beside its description.
CODE = (
    "sabi/backbones",
    "sabi/photographs/surface.py",
    "sabi/runtime/determinism.py",
    "sabi/runtime/threads.py",
)


# A photograph of rust has no up and no left: as it is, left for right, upside down, and both.
FLIPS: tuple[Callable[[np.ndarray], np.ndarray], ...] = (
    lambda pixels: pixels,
    lambda pixels: pixels[:, :, ::-1],
    lambda pixels: pixels[:, ::-1],
    lambda pixels: pixels[:, ::-1, ::-1],
)


class Embedder:
    """Turns photographs into embeddings; looks them up in the store first.

    The network is built only where neither the photographs' embeddings nor the
    network's forward pass are in the store; always, if it is trained: the store
    is for what is frozen. Its weights are those it has when it embeds for the first time. It is
    fed in full batches, one on each thread, which is faster than all threads on
    one batch if TensorFlow has no more than one a batch (`fix_threads(1)`).
    """

    def __init__(
        self,
        spec: BackboneSpec,
        network: "keras.Model | None" = None,
        store: Path | None = None,
        exported: Path | None = None,
    ) -> None:
        """`store` is the file of the store, the repository's for None; `exported` is a folder
        that `export` wrote, which takes the place of the network.

        With a `network`, whose weights training has changed, that one embeds.

        Without one, raises `InputError` if the weights that `spec` names are no longer the same.
        """
        self.spec = spec
        self.needed = 0  # embeddings asked for
        self.reused = 0  # of them from the store
        name, weights = spec.network, spec.weights
        if network is None and exported is None and sha256_of_weights(name, weights) != spec.weights_sha256:
            raise InputError(
                f"train.weights = {weights!r}: {name} was trained with another file; train it again"
            )
        self._given = network
        self._store = store
        self._exported = exported
        stored = network is None and spec.mode != "scratch"
        self._recipe = fingerprint(spec.decisive(), CODE) if stored else None

    @cached_property
    def network(self) -> "keras.Model":
        """The network without its top."""
        if self._given is not None:
            return self._given
        spec = self.spec
        return build(spec.network, spec.size, spec.weights, spec.weights_seed)

    @property
    def features(self) -> int:
        """The length of an embedding."""
        return self._about["features"]

    @property
    def channels(self) -> list[int]:
        """The number of channels of each map pooled."""
        return self._about["channels"]

    @property
    def parameters(self) -> int:
        """The number of the network's weights, as Keras counts them."""
        return self._about["parameters"]

    @cached_property
    def _about(self) -> dict[str, Any]:
        return json.loads(self._kept(ABOUT))

    @cached_property
    def _forward(self) -> Callable[[np.ndarray], np.ndarray]:
        return forward.load(self._kept(FORWARD))

    @cached_property
    def _pooled(self) -> "tuple[keras.Model, list[int]]":
        return pooled(self.network, self.spec.pooling)

    def _kept(self, what: bytes) -> bytes:
        """What is to be known of the network, or its forward pass; from the store if it is there."""
        if self._exported is not None:
            return (self._exported / EXPORTED[what]).read_bytes()
        make = {ABOUT: self._described, FORWARD: self._traced}[what]
        if self._recipe is None:
            return make()
        with Store(self._store) as store:
            kept = store.get(self._recipe, [what])[0]
            if kept is None:
                kept = make()
                store.put(self._recipe, [what], [kept])
        return kept

    def _described(self) -> bytes:
        model, channels = self._pooled
        about = {"parameters": self.network.count_params(), "features": model.output.shape[1]}
        return json.dumps(about | {"channels": channels}).encode()

    def _traced(self) -> bytes:
        return forward.trace(self._pooled[0], self.spec.embed_batch)

    def export(self, folder: Path) -> None:
        """Write what is needed to embed without the network: its graph and its weights, no pickle."""
        for what, name in EXPORTED.items():
            (folder / name).write_bytes(self._kept(what))

    def _compute(self, pixels: np.ndarray, label: str | None) -> np.ndarray:
        run = self._forward  # loaded before there are threads
        return in_batches(
            lambda chunk: run(preprocess(self.spec.network, chunk)),
            pixels,
            self.spec.embed_batch,
            label,
            THREADS,
        )

    def __call__(self, pixels: np.ndarray, label: str | None = None, keep: bool = True) -> np.ndarray:
        """Embeddings (n, features) float32 of (n, size, size, 3) uint8; `label` shows a progress bar.

        Each is the mean over `pooling.flips` forms of the photograph. Without `keep` the store
        is left alone: what is embedded will not come again.
        """
        forms = FLIPS[: self.spec.pooling.flips]
        embedded = self._embedded if keep else self._compute
        total = embedded(pixels, label)
        for form in forms[1:]:
            total += embedded(form(pixels), label)
        return total / len(forms) if len(forms) > 1 else total

    def _embedded(self, pixels: np.ndarray, label: str | None) -> np.ndarray:
        self.needed += len(pixels)
        if self._recipe is None:
            return self._compute(pixels, label)
        with Store(self._store) as store:
            embeddings, reused = cached(
                store, self._recipe, pixels, self._compute, self.spec.embed_batch, label
            )
        self.reused += reused
        return embeddings
