"""Networks without their top: how they are built, fed, and turned into embeddings."""

import hashlib
import json
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from sabi.backbones import cnns, forward
from sabi.backbones.calibration import calibrate, calibration_batch
from sabi.backbones.store import Store, cached
from sabi.networks import NETWORKS, Application, Own
from sabi.runtime.determinism import THREADS, seed_tensorflow
from sabi.runtime.errors import InputError
from sabi.runtime.repository import repository_root
from sabi.runtime.threads import in_batches
from sabi.settings.train import Pooling

CALIBRATION_PHOTOGRAPHS = 32
# The store's keys for what is known of a network itself; no photograph's digest is so short.
ABOUT, FORWARD = b"about", b"forward"
# What decides a network's weights and forward pass, beside its description.
CODE = (
    "sabi/backbones",
    "sabi/photographs/surface.py",
    "sabi/runtime/determinism.py",
    "sabi/runtime/threads.py",
)


def weights_file(name: str, weights: str) -> Path | None:
    """The file that a network's weights are read from; None for "random", "imagenet" and own networks.

    Raises `InputError` if the folder `weights` has none for the network, or one
    under Keras's name with other bytes than Keras's.
    """
    network = NETWORKS[name]
    if weights in ("random", "imagenet") or isinstance(network, Own):
        return None
    folder = repository_root() / weights
    own = folder / f"{name}.weights.h5"
    if own.is_file():
        return own
    file = folder / network.no_top
    if not file.is_file():
        raise InputError(
            f"train.weights = {weights!r}: no weights for {name}; put Keras's {network.no_top} there, "
            f"or weights of your own as {own.name}"
        )
    kind = "md5" if len(network.no_top_hash) == 32 else "sha256"
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, kind).hexdigest()
    if found != network.no_top_hash:
        raise InputError(
            f"{weights}/{network.no_top}: damaged ({kind} {found}, Keras's file has {network.no_top_hash}); "
            f"fetch it again, or name it {own.name} if the weights are your own"
        )
    return file


def build(name: str, size: int, weights: str, seed: int) -> Any:
    """The network without its top, a `keras.Model` from (n, size, size, 3) to feature maps.

    Networks of our own end in a vector and ignore `weights`, which is "random"
    (drawn from `seed`, batch-norm statistics set on drawings of the sample
    generator), "imagenet", or a folder. Raises `InputError` if the weights
    cannot be had.
    """
    file = weights_file(name, weights)
    network = NETWORKS[name]
    seed_tensorflow(seed)
    if isinstance(network, Own):
        return getattr(cnns, network.builder)(size)
    if weights == "random":
        built = architecture(network, size)
        calibrate(built, preprocess(name, calibration_batch(size, CALIBRATION_PHOTOGRAPHS, seed)))
        return built
    try:
        return architecture(network, size, weights if file is None else str(file))
    except Exception as error:  # Keras raises anything for a failed download or another network's file.
        raise InputError(
            f"train.weights = {weights!r}: weights of {name} could not be loaded "
            f"({' '.join(str(error).split())[:200]}); without internet, put Keras's {network.no_top} "
            "into a folder weights and set train.weights: weights"
        ) from None


def architecture(network: Application, size: int, weights: str | None = None) -> Any:
    """A network of `keras.applications` whose normalisations round the same everywhere."""
    import keras

    from sabi.backbones.normalisation import make_exact

    constructor = getattr(keras.applications, network.architecture)
    built = constructor(include_top=False, weights=weights, input_shape=(size, size, 3))
    make_exact(built)
    return built


def preprocess(name: str, pixels: np.ndarray) -> np.ndarray:
    """uint8 `pixels` as float32 in the range the network was made for.

    EfficientNetV2, MobileNetV3 and ConvNeXt expect 0..255 and rescale by
    themselves, as our own do; DenseNet, for one, expects ImageNet's mean and
    deviation taken out.
    """
    import keras

    network = NETWORKS[name]
    floats = pixels.astype(np.float32)
    if isinstance(network, Own):
        return floats
    return getattr(keras.applications, network.module).preprocess_input(floats)


def pooled(network: Any, pooling: Pooling) -> tuple[Any, list[int]]:
    """A `keras.Model` from photographs to embeddings (n, features), and the channels of the maps pooled.

    "every_resolution" pools the last feature map of every resolution: of the
    heights that are nearest, in octaves, to a half, a quarter ... of the
    input's, down to the network's last; "last_block" only the last map.
    "mean_std" puts the standard deviations after the means. A network that
    ends in a vector is its own embedding.
    """
    import keras
    from keras import ops

    if len(network.output.shape) == 2:
        return network, [network.output.shape[1]]
    size, last = network.input_shape[1], network.output.shape[1]
    last_of_octave = {}
    for layer in network.layers:
        shape = layer.output.shape
        # Neither padding nor the inside of a squeeze-and-excitation block, one pixel, is a resolution.
        if len(shape) == 4 and last <= shape[1] < size and not isinstance(layer, keras.layers.ZeroPadding2D):
            last_of_octave[round(float(np.log2(size / shape[1])))] = layer.output
    last_of_octave.pop(0, None)  # a convolution that only lost its border
    maps = list(last_of_octave.values()) if pooling.layers == "every_resolution" else [network.output]
    features = [ops.mean(m, axis=(1, 2)) for m in maps]
    if pooling.statistics == "mean_std":
        # The square root of nothing has no gradient; a photograph of one colour gets there.
        features += [ops.sqrt(ops.var(m, axis=(1, 2)) + 1e-12) for m in maps]
    return keras.Model(network.input, ops.concatenate(features, axis=-1)), [m.shape[-1] for m in maps]


class Embedder:
    """Turns photographs into embeddings; looks them up in the store first, if it has a `recipe`.

    The network is built by `make` only where neither the photographs'
    embeddings nor the network's forward pass are in the store; without a recipe,
    always. Its weights are those it has when it embeds for the first time. It is
    fed in full batches, one on each thread, which is faster than all threads on
    one batch if TensorFlow has no more than one a batch (`fix_threads(1)`).
    """

    def __init__(
        self, name: str, make: Callable[[], Any], pooling: Pooling, batch: int, recipe: str | None = None
    ) -> None:
        self._name = name
        self._make = make
        self._pooling = pooling
        self._batch = batch
        self._recipe = recipe
        self.needed = 0  # embeddings asked for
        self.reused = 0  # of them from the store

    @cached_property
    def network(self) -> Any:
        """The network without its top."""
        return self._make()

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
    def _pooled(self) -> tuple[Any, list[int]]:
        return pooled(self.network, self._pooling)

    def _kept(self, what: bytes) -> bytes:
        """What is to be known of the network, or its forward pass; from the store if it is there."""
        make = {ABOUT: self._described, FORWARD: self._traced}[what]
        if self._recipe is None:
            return make()
        with Store() as store:
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
        return forward.trace(self._pooled[0], self._batch)

    def _compute(self, pixels: np.ndarray, label: str | None) -> np.ndarray:
        run = self._forward  # loaded before there are threads
        return in_batches(
            lambda chunk: run(preprocess(self._name, chunk)), pixels, self._batch, label, THREADS
        )

    def __call__(self, pixels: np.ndarray, label: str | None = None) -> np.ndarray:
        """Embeddings (n, features) float32 of (n, size, size, 3) uint8; `label` shows a progress bar."""
        self.needed += len(pixels)
        if self._recipe is None:
            return self._compute(pixels, label)
        with Store() as store:
            embeddings, reused = cached(store, self._recipe, pixels, self._compute, self._batch, label)
        self.reused += reused
        return embeddings
