"""Which parts of a photograph pull its score down.

Occlusion (Zeiler and Fergus, Visualizing and understanding convolutional
networks, ECCV 2014): each patch in turn is covered with the photograph's mean
colour, and the score without it is compared with the whole's. It asks the model
nothing but scores, whatever the networks are, and gives the same bits every time.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image

PATCHES = 8  # a side
FAINTEST = 0.1  # grades that show in full colour at least, so that nothing is made of noise
OPACITY = 0.6
DOWN, UP = (200, 30, 20), (30, 90, 200)  # colours of what pulls the score down, and up


def occluded(pixels: np.ndarray) -> np.ndarray:
    """The photograph (size, size, 3) uint8, then it with each patch covered: (1 + 64, size, size, 3)."""
    size = len(pixels)
    edges = np.linspace(0, size, PATCHES + 1).round().astype(int)
    mean = pixels.reshape(-1, 3).mean(axis=0).round().astype(np.uint8)
    copies = np.repeat(pixels[None], 1 + PATCHES**2, axis=0)
    for number in range(PATCHES**2):
        row, column = divmod(number, PATCHES)
        copies[1 + number, edges[row] : edges[row + 1], edges[column] : edges[column + 1]] = mean
    return copies


def effects(pixels: np.ndarray, score: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """How many grades each patch pulls the score up, (8, 8); negative where it pulls it down.

    `score` gives scores (n,) of photographs (n, size, size, 3) uint8.
    """
    whole, *without = score(occluded(pixels))
    return (whole - np.array(without)).reshape(PATCHES, PATCHES)


def picture(pixels: np.ndarray, pulls: np.ndarray) -> Image.Image:
    """The photograph, red where it pulls the score down, blue where up."""
    strength = np.clip(np.abs(pulls) / max(FAINTEST, float(np.abs(pulls).max())), 0, 1)
    colours = np.where(pulls[..., None] < 0, DOWN, UP).astype(np.uint8)
    size = (pixels.shape[1], pixels.shape[0])
    over = Image.fromarray(colours).resize(size, Image.Resampling.NEAREST)
    mask = Image.fromarray(np.uint8(255 * OPACITY * strength)).resize(size, Image.Resampling.BICUBIC)
    return Image.composite(over, Image.fromarray(pixels), mask)
