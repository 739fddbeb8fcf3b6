"""EfficientNet-Lite: EfficientNet (Tan and Le, ICML 2019) without squeeze-and-excitation, with ReLU6.

Google's variant for processors without a GPU (2020). Every layer is named
after what it is in the original, so that `sabi/weights` finds its place for
trained weights. `sabi/backbones/normalisation.py` keeps it exact.
"""

import math
from dataclasses import dataclass
from typing import Any

EPSILON = 1e-3  # of the batch normalisations
STEM, HEAD = 32, 1280  # channels, which the width does not change
CLASSES = 1000


@dataclass(frozen=True)
class Stage:
    """Blocks of one resolution at width and depth 1."""

    blocks: int
    kernel: int
    stride: int  # of the first block
    expansion: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


def efficientnet_lite(size: int, width: float, depth: float, top: bool = False) -> Any:
    """A `keras.Model` from (n, size, size, 3), as `preprocess` gives them, to feature maps.

    `width` and `depth` multiply channels and blocks. With its `top` it gives the
    logits of ImageNet's 1000 classes.
    """
    import keras
    from keras import layers

    inputs = keras.Input((size, size, 3), name="photographs")
    x = _activated(inputs, layers.Conv2D(STEM, 3, 2, "same", use_bias=False, name="stem_conv"), "stem_bn")
    number = 0
    for place, stage in enumerate(STAGES):
        # The first and the last are never repeated.
        fixed = place in (0, len(STAGES) - 1)
        blocks = stage.blocks if fixed else math.ceil(depth * stage.blocks)
        for repeat in range(blocks):
            stride = stage.stride if repeat == 0 else 1
            x = _block(x, stage, _scaled(stage.channels, width), stride, f"block{number}")
            number += 1
    x = _activated(x, layers.Conv2D(HEAD, 1, use_bias=False, name="head_conv"), "head_bn")
    if top:
        x = layers.Dense(CLASSES, name="classes")(layers.GlobalAveragePooling2D(name="mean")(x))
    return keras.Model(inputs, x, name="efficientnet_lite")


def _scaled(channels: int, width: float) -> int:
    """`channels` times `width`, a multiple of 8 that is not smaller by more than a tenth."""
    wanted = channels * width
    near = max(8, int(wanted + 4) // 8 * 8)
    return near + 8 if near < 0.9 * wanted else near


def _block(x: Any, stage: Stage, channels: int, stride: int, name: str) -> Any:
    """An inverted residual (Sandler et al., MobileNetV2, CVPR 2018): expand, filter each channel, project."""
    from keras import layers

    before = x
    if stage.expansion != 1:
        wide = before.shape[-1] * stage.expansion
        expand = layers.Conv2D(wide, 1, use_bias=False, name=f"{name}_expand_conv")
        x = _activated(x, expand, f"{name}_expand_bn")
    each = layers.DepthwiseConv2D(stage.kernel, stride, "same", use_bias=False, name=f"{name}_depthwise_conv")
    x = _activated(x, each, f"{name}_depthwise_bn")
    x = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_project_conv")(x)
    x = _normalised(x, f"{name}_project_bn")
    if stride == 1 and before.shape[-1] == channels:
        x = layers.Add(name=f"{name}_add")([before, x])
    return x


def _normalised(x: Any, name: str) -> Any:
    from sabi.backbones.normalisation import BatchNormalization

    return BatchNormalization(epsilon=EPSILON, name=name)(x)


def _activated(x: Any, convolution: Any, normalisation: str) -> Any:
    from keras import layers

    return layers.ReLU(6.0, name=f"{normalisation}_relu")(_normalised(convolution(x), normalisation))
