"""Pictures that nobody could grade: too dark, too bright, of one colour, blurred.

Judged in what the networks see, so that all photographs have the same size.
"""

from typing import Literal

import numpy as np
from skimage.measure import blur_effect

Fault = Literal["dark", "bright", "plain", "blurred"]

# Mean grey value, 0 to 255, of a photograph that shows something.
DARKEST, BRIGHTEST = 20, 235
# Standard deviation of the grey values.
PLAINEST = 5
# Photographs that train a model are sharp enough by definition, but for the very worst.
BLUREST_SHARE, MARGIN = 0.01, 0.8
WINDOW = 3  # pixels; wider ones take coarse grains for blurred ones


def fault(pixels: np.ndarray, sharp: float, least_sharp: float) -> Fault | None:
    """What is wrong with a photograph (size, size, 3) uint8 whose `sharpness` is `sharp`, if anything is."""
    grey = _grey(pixels)
    mean = grey.mean()
    if mean < DARKEST:
        return "dark"
    if mean > BRIGHTEST:
        return "bright"
    if grey.std() < PLAINEST:
        return "plain"
    return "blurred" if sharp < least_sharp else None


def sharpness(pixels: np.ndarray) -> float:
    """0, blurred, to 1: how much a photograph would lose if it were blurred a little (once more).

    That is 1 less the blur metric of Crete et al. (SPIE Human Vision and Electronic Imaging XII, 2007).
    """
    grey = _grey(pixels)
    return 1 - float(blur_effect(grey, h_size=WINDOW)) if np.ptp(grey) else 0.0


def least_sharp(known: np.ndarray) -> float:
    """The sharpness under which a picture is blurred, from that (n,) of usable photographs."""
    return MARGIN * float(np.quantile(known, BLUREST_SHARE))


def _grey(pixels: np.ndarray) -> np.ndarray:
    # The mean of the colours will do; in integers, so that sums are exact.
    return pixels.sum(axis=-1, dtype=np.int64) / 3
