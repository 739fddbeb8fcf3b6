"""The wiki's own convolutional networks, always trained from scratch: three small, three deeper.

Each takes the side of its input in pixels and gives a `keras.Model` from
(n, side, side, 3) float32, 0..255, to a vector of features (n, f).

The wiki's tables give the small ones as built here; of its "deeper" script
they say no more than that, so the deeper ones are ours in its spirit: blocks
of convolutions with batch normalisation, each halving the side.
"""

from typing import Any


def cnn1(side: int) -> Any:
    """One convolution, one pooling, 64 dense units."""
    return _small(side, filters=(32,), normalised=False, dropouts=0, units=64)


def cnn2(side: int) -> Any:
    """Two convolutions with batch normalisation, one pooling, one dropout, 128 dense units."""
    return _small(side, filters=(32, 64), normalised=True, dropouts=1, units=128)


def cnn3(side: int) -> Any:
    """Two convolutions with batch normalisation, one pooling, two dropouts, 64 dense units."""
    return _small(side, filters=(32, 64), normalised=True, dropouts=2, units=64)


def deepcnn1(side: int) -> Any:
    """Three blocks of one convolution."""
    return _deep(side, filters=(32, 64, 128), convolutions=1)


def deepcnn2(side: int) -> Any:
    """Three blocks of two convolutions."""
    return _deep(side, filters=(32, 64, 128), convolutions=2)


def deepcnn3(side: int) -> Any:
    """Four blocks of two convolutions."""
    return _deep(side, filters=(32, 64, 128, 256), convolutions=2)


def _convolution(x: Any, filters: int, normalised: bool) -> Any:
    from keras import layers

    from sabi.backbones.normalisation import BatchNormalization

    x = layers.Conv2D(filters, 3, padding="same", use_bias=not normalised)(x)
    return layers.ReLU()(BatchNormalization()(x) if normalised else x)


def _small(side: int, *, filters: tuple[int, ...], normalised: bool, dropouts: int, units: int) -> Any:
    import keras
    from keras import layers

    inputs = keras.Input((side, side, 3))
    x = layers.Rescaling(1 / 255)(inputs)
    for count in filters:
        x = _convolution(x, count, normalised)
    # To 8 x 8 places. The wiki pooled digits of 28 pixels by two; a photograph pooled by two
    # would leave a dense layer of tens of millions of weights.
    x = layers.MaxPooling2D(side // 8)(x)
    if dropouts > 1:
        x = layers.Dropout(0.25)(x)
    x = layers.Dense(units, activation="relu")(layers.Flatten()(x))
    if dropouts > 0:
        x = layers.Dropout(0.5)(x)
    return keras.Model(inputs, x)


def _deep(side: int, *, filters: tuple[int, ...], convolutions: int) -> Any:
    import keras
    from keras import layers

    inputs = keras.Input((side, side, 3))
    x = layers.Rescaling(1 / 255)(inputs)
    for count in filters:
        for _ in range(convolutions):
            x = _convolution(x, count, normalised=True)
        x = layers.MaxPooling2D(2)(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.3)(layers.Dense(128, activation="relu")(x))
    return keras.Model(inputs, x)
