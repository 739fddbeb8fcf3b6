"""From a network's feature maps to one vector a photograph."""

from typing import TYPE_CHECKING

import numpy as np

from sabi.settings.train import Pooling

if TYPE_CHECKING:
    import keras


def pooled(network: "keras.Model", pooling: Pooling) -> "tuple[keras.Model, list[int]]":
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
