"""Networks without their top: how they are built, and what they are fed."""

from typing import TYPE_CHECKING

import numpy as np

from sabi.backbones import cnns
from sabi.backbones.calibration import calibrate, calibration_batch
from sabi.backbones.efficientnet_lite import efficientnet_lite
from sabi.backbones.weights import weights_file
from sabi.networks import NETWORKS, Application, Lite, Own
from sabi.runtime.determinism import seed_tensorflow
from sabi.runtime.errors import InputError

if TYPE_CHECKING:
    import keras

CALIBRATION_PHOTOGRAPHS = 32


def build(name: str, size: int, weights: str, seed: int) -> "keras.Model":
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
        way_out = (
            f"run `sabi weights {name}`"
            if isinstance(network, Lite)
            else f"without internet, put Keras's {network.no_top} into a folder weights and set "
            "train.weights: weights"
        )
        raise InputError(
            f"train.weights = {weights!r}: weights of {name} could not be loaded "
            f"({' '.join(str(error).split())[:200]}); {way_out}"
        ) from None


def architecture(network: Application | Lite, size: int, weights: str | None = None) -> "keras.Model":
    """A network whose normalisations round the same everywhere; `weights` is what Keras takes for them."""
    import keras

    if isinstance(network, Lite):
        built = efficientnet_lite(size, network.width, network.depth)
        if weights is not None:
            built.load_weights(weights)
        return built

    from sabi.backbones.normalisation import make_exact

    constructor = getattr(keras.applications, network.architecture)
    built = constructor(include_top=False, weights=weights, input_shape=(size, size, 3))
    make_exact(built)
    return built


def preprocess(name: str, pixels: np.ndarray) -> np.ndarray:
    """uint8 `pixels` as float32 in the range the network was made for.

    EfficientNetV2, MobileNetV3 and ConvNeXt expect 0..255 and rescale by
    themselves, as our own do; DenseNet, for one, expects ImageNet's mean and
    deviation taken out, EfficientNet-Lite 127 and then a division by 128.
    """
    import keras

    network = NETWORKS[name]
    floats = pixels.astype(np.float32)
    if isinstance(network, Lite):
        return (floats - 127) / 128
    if isinstance(network, Own):
        return floats
    return getattr(keras.applications, network.module).preprocess_input(floats)
