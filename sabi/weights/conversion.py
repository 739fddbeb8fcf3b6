"""From PyTorch's names and axes to Keras's: the weights of EfficientNet-Lite."""

import re
from typing import TYPE_CHECKING

import numpy as np

from sabi.runtime.errors import InputError

if TYPE_CHECKING:
    import keras

COUNTER = "num_batches_tracked"  # of PyTorch's normalisations; nothing is computed with it
CLASSES = "_fc"
# PyTorch's layers by the ends of Keras's names.
OUTSIDE = {
    "stem_conv": "_conv_stem",
    "stem_bn": "_bn0",
    "head_conv": "_conv_head",
    "head_bn": "_bn1",
    "classes": CLASSES,
}
INSIDE = {
    "expand_conv": "_expand_conv",
    "expand_bn": "_bn0",
    "depthwise_conv": "_depthwise_conv",
    "depthwise_bn": "_bn1",
    "project_conv": "_project_conv",
    "project_bn": "_bn2",
}
# PyTorch's variables in the order of Keras's.
NORMALISATION = ("weight", "bias", "running_mean", "running_var")
# Keras's axes among PyTorch's: height, width, in, out; height, width, channels, 1.
AXES = {"classes": (1, 0), "depthwise_conv": (2, 3, 0, 1), "conv": (2, 3, 1, 0)}


def load(network: "keras.Model", state: dict[str, np.ndarray]) -> None:
    """Give `network`, an EfficientNet-Lite with or without its top, the weights of a state dictionary.

    Raises `InputError` if they are not those of this network, each of them and no others.
    """
    left = {name for name in state if not name.endswith(COUNTER)}
    for layer in network.layers:
        if not layer.weights:
            continue
        names = [f"{source(layer.name)}.{variable}" for variable in _variables(layer.name)]
        if missing := [name for name in names if name not in left]:
            raise InputError(f"these are weights of another network: {missing[0]} is missing")
        layer.set_weights([_turned(layer, name, state[name], place) for place, name in enumerate(names)])
        left -= set(names)
    if others := {name for name in left if not name.startswith(CLASSES)}:
        raise InputError(f"these are weights of another network: {min(others)} is left over")


def source(layer: str) -> str:
    """PyTorch's name of one of Keras's layers."""
    if found := re.fullmatch(r"block(\d+)_(\w+)", layer):
        return f"_blocks.{found[1]}.{INSIDE[found[2]]}"
    return OUTSIDE[layer]


def _variables(layer: str) -> tuple[str, ...]:
    if layer.endswith("_bn"):
        return NORMALISATION
    return ("weight", "bias") if layer == "classes" else ("weight",)


def _turned(layer: "keras.Layer", name: str, array: np.ndarray, place: int) -> np.ndarray:
    axes = next((axes for end, axes in AXES.items() if layer.name.endswith(end)), None)
    turned = array.transpose(axes) if axes is not None and place == 0 else array
    wanted = tuple(layer.weights[place].shape)
    if turned.shape != wanted:
        raise InputError(
            f"these are weights of another network: {name} has the shape {turned.shape}, not {wanted}"
        )
    return turned
