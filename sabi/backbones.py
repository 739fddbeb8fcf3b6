"""The backbones: frozen networks of `keras.applications` that turn a photograph into an embedding.

Adding one is an entry in `BACKBONES` (and its name in `sabi/params.py`).
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm import tqdm

from sabi.determinism import seed_tensorflow
from sabi.errors import InputError
from sabi.params import Pooling
from sabi.repository import repository_root
from sabi.sample import calibration_batch

CALIBRATION_PHOTOGRAPHS = 32


@dataclass(frozen=True)
class Backbone:
    """How a network of `keras.applications` is built and fed."""

    module: str  # its module in keras.applications, which holds its preprocess_input
    no_top: str  # Keras's own file name of its ImageNet weights without the top
    no_top_md5: str


BACKBONES = {
    "EfficientNetV2S": Backbone(
        "efficientnet_v2", "efficientnetv2-s_notop.h5", "af0682fb74e8c54910f2d4393339c070"
    ),
    "DenseNet121": Backbone(
        "densenet",
        "densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "30ee3e1110167f948a6b9946edeeb738",
    ),
    "MobileNetV3Large": Backbone(
        "mobilenet_v3",
        "weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5",
        "07fb09a5933dd0c8eaafa16978110389",
    ),
}


def check_weights(name: str, weights: str) -> None:
    """Raise `InputError` if the file `weights` has Keras's name for `name`, but not its bytes."""
    file = repository_root() / weights
    backbone = BACKBONES[name]
    if file.name == backbone.no_top:
        with file.open("rb") as stream:
            md5 = hashlib.file_digest(stream, "md5").hexdigest()
        if md5 != backbone.no_top_md5:
            raise InputError(
                f"weights of {name} = {weights!r}: damaged (MD5 {md5}, Keras's file has "
                f"{backbone.no_top_md5}); fetch it again, or rename it if the weights are your own"
            )


def build(name: str, size: int, weights: str, seed: int) -> Any:
    """The network without its top, a `keras.Model` from (n, size, size, 3) to feature maps.

    `weights` is "random" (drawn from `seed`, batch-norm statistics set on
    drawings of the sample generator), "imagenet", or the path of a no-top file.
    Raises `InputError` if the weights cannot be had.
    """
    import keras

    check_weights(name, weights)
    seed_tensorflow(seed)
    constructor = getattr(keras.applications, name)
    shape = (size, size, 3)
    if weights == "random":
        network = constructor(include_top=False, weights=None, input_shape=shape)
        _calibrate(network, preprocess(name, calibration_batch(size, CALIBRATION_PHOTOGRAPHS, seed)))
        return network
    try:
        given = weights if weights == "imagenet" else str(repository_root() / weights)
        return constructor(include_top=False, weights=given, input_shape=shape)
    except Exception as error:  # Keras raises anything for a failed download or another network's file.
        raise InputError(
            f"weights of {name} = {weights!r} could not be loaded ({' '.join(str(error).split())[:200]}); "
            f"without internet, put Keras's {BACKBONES[name].no_top} into a folder weights, give its path"
        ) from None


def preprocess(name: str, pixels: np.ndarray) -> np.ndarray:
    """uint8 `pixels` as float32 in the range the network was made for.

    EfficientNetV2 and MobileNetV3 expect 0..255 and rescale by themselves;
    DenseNet expects ImageNet's mean and deviation taken out.
    """
    import keras

    module = getattr(keras.applications, BACKBONES[name].module)
    return module.preprocess_input(pixels.astype(np.float32))


def _calibrate(network: Any, batch: np.ndarray) -> None:
    """Set every batch-norm's statistics to those of `batch`, in one pass.

    Random weights with untrained statistics (mean 0, variance 1) shrink a
    signal to nothing on its way through a deep network.
    """
    import keras

    norms = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    dropouts = [layer for layer in network.layers if isinstance(layer, keras.layers.Dropout)]
    kept = [layer.momentum for layer in norms], [layer.rate for layer in dropouts]
    for layer in norms:
        layer.momentum = 0.0
    for layer in dropouts:
        layer.rate = 0.0
    network(batch, training=True)
    for layer, momentum in zip(norms, kept[0], strict=True):
        layer.momentum = momentum
    for layer, rate in zip(dropouts, kept[1], strict=True):
        layer.rate = rate


class Embedder:
    """A network that turns photographs into embeddings, traced once, fed in full batches.

    "every_resolution" pools the last feature map of each height that the
    network halves its input to (size/2, /4, /8, /16, /32); "last_block" only
    the last. "mean_std" puts the standard deviations after the means.
    `channels` are the number of channels of the maps pooled.
    """

    def __init__(self, name: str, network: Any, pooling: Pooling, batch: int) -> None:
        """`network` is what `build` gave for the backbone `name`; it takes `batch` photographs at once."""
        import keras
        import tensorflow as tf

        size = network.input_shape[1]
        heights = {-(-size // 2**k) for k in range(1, 6)}
        last_of_height = {
            layer.output.shape[1]: layer.output
            for layer in network.layers
            if len(layer.output.shape) == 4 and layer.output.shape[1] in heights
        }
        maps = list(last_of_height.values()) if pooling.layers == "every_resolution" else [network.output]
        features = [keras.ops.mean(m, axis=(1, 2)) for m in maps]
        if pooling.statistics == "mean_std":
            features += [keras.ops.std(m, axis=(1, 2)) for m in maps]
        pooled = keras.Model(network.input, keras.ops.concatenate(features, axis=-1))
        self.channels = [m.shape[-1] for m in maps]
        self._name = name
        self._batch = batch
        self._forward = tf.function(
            lambda inputs: pooled(inputs, training=False),
            input_signature=[tf.TensorSpec((batch, size, size, 3), tf.float32)],
        )

    def __call__(self, pixels: np.ndarray, label: str | None = None) -> np.ndarray:
        """Embeddings (n, features) float32 of (n, size, size, 3) uint8; `label` shows a progress bar."""

        def forward(chunk: np.ndarray) -> Any:
            return self._forward(preprocess(self._name, chunk))

        return in_batches(forward, pixels, self._batch, label)


def in_batches(function: Callable, rows: Any, batch: int, label: str | None = None) -> np.ndarray:
    """`function` over `rows` (n, ...) in batches of exactly `batch`, results joined.

    The last batch is filled up with zeros and cut afterwards: a row's result
    then has the same bits whatever number of rows it comes with. A progress
    bar is shown if there is a `label`.
    """
    results = []
    for start in tqdm(range(0, len(rows), batch), desc=label, disable=label is None, unit="batch"):
        chunk = np.asarray(rows[start : start + batch])
        padded = np.zeros((batch, *chunk.shape[1:]), chunk.dtype)
        padded[: len(chunk)] = chunk
        results.append(np.asarray(function(padded))[: len(chunk)])
    return np.concatenate(results)
