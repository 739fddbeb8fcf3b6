"""Features measured in a photograph: rust, grains, edges, colour, roughness.

The wiki's fourth script puts such numbers beside what the networks see (area,
grain size, Sobel); Japan's visual rating of weathering steel goes by the size
of grains in millimetres (JSSC Technical Report 86). They are measured in the
whole photograph, on a copy of at most `WORKING_PIXELS`, so that every
photograph takes about as long; what is finer than a pixel of that copy is not
seen.
"""

import math

import numpy as np
import pandas as pd
from PIL import Image, ImageFilter
from scipy.ndimage import distance_transform_cdt
from skimage.filters import sobel, threshold_otsu
from skimage.measure import label
from skimage.morphology import local_maxima
from skimage.segmentation import find_boundaries, watershed

FEATURES = ("rust_area", "grain_size", "edge_energy", "hue_spread", "fractal_dimension")

WORKING_PIXELS = 256 * 192
# Rust is yellow-brown to red: hues through red between these, no grey, no black.
RUST_HUES = (345, 50)  # degrees
RUST_SATURATION = 0.4
RUST_VALUE = 0.1
# Standard deviations of the Gaussian blurs: pixels of the copy, and share of its shorter side.
NOISE = 0.5
LIGHT = 1 / 16
BOXES = 5  # sizes


def describe(millimetres: bool) -> dict[str, tuple[str, str]]:
    """Title and unit ("" if it has none) for people of each of `FEATURES`."""
    return {
        "rust_area": ("Area in rust colours", "share"),
        "grain_size": ("Grain size", "mm" if millimetres else "pixels"),
        "edge_energy": ("Edge energy", ""),
        "hue_spread": ("Spread of hue", "degrees"),
        "fractal_dimension": ("Fractal dimension", ""),
    }


def in_millimetres(manifest: pd.DataFrame) -> bool:
    """Whether grain sizes are in millimetres: if the scale of every photograph, `mm_per_pixel`, is known.

    Else all are measured without a scale, because sizes in two units cannot be compared.
    """
    return bool(manifest.mm_per_pixel.notna().all())


def in_unit(features: dict[str, float], mm_per_pixel: float | None) -> dict[str, float]:
    """What `measure` gives, lengths in millimetres if a scale is given: only if `in_millimetres`."""
    return features | {"grain_size": features["grain_size"] * (mm_per_pixel or 1)}


def measure(image: Image.Image, unit: float = 1.0) -> dict[str, float]:
    """`FEATURES` of an upright RGB photograph, all finite.

    `unit` is what a pixel's side counts, where the photograph was decoded smaller than it is.

    rust_area          share of the area in rust colours (`RUST_HUES`, at least
                       `RUST_SATURATION` and `RUST_VALUE`), 0..1
    grain_size         half of the bright grains' area lies in grains of at most this
                       equivalent diameter, in units; 0 if there are no grains
    edge_energy        mean squared Sobel gradient of the grey values 0..1
    hue_spread         angular deviation of the hue, each pixel weighing as much as it is
                       coloured (Batschelet, Circular Statistics in Biology, 1981), 0..81 degrees
    fractal_dimension  of the grains' outlines, by counting boxes (Liebovitch and Toth,
                       Physics Letters A 141, 1989), 0..2
    """
    small = _reduced(image)
    hue, saturation, value = np.moveaxis(np.asarray(small.convert("HSV")), -1, 0)
    grey = small.convert("L")
    bright = _brighter_than_around(grey)
    # The ratio of the areas, because the copy's sides are rounded.
    pixel = math.sqrt(image.width * image.height / (small.width * small.height)) * unit
    return {
        "rust_area": _rust_area(hue, saturation, value),
        "grain_size": _grain_size(bright) * pixel,
        "edge_energy": float(np.mean(sobel(np.asarray(grey) / 255) ** 2)),
        "hue_spread": _angular_deviation(hue, weights=saturation.astype(int) * value),
        "fractal_dimension": _box_dimension(find_boundaries(bright, mode="inner")),
    }


def _reduced(image: Image.Image) -> Image.Image:
    factor = math.sqrt(WORKING_PIXELS / (image.width * image.height))
    if factor >= 1:
        return image
    size = [max(math.floor(factor * side), 1) for side in image.size]
    return image.resize(size, Image.Resampling.BOX, reducing_gap=2)


def _rust_area(hue: np.ndarray, saturation: np.ndarray, value: np.ndarray) -> float:
    """Share of pixels (0..255 each) in rust colours."""
    first, last = (degrees * 255 / 360 for degrees in RUST_HUES)
    coloured = (saturation >= 255 * RUST_SATURATION) & (value >= 255 * RUST_VALUE)
    return float(np.mean(((hue >= first) | (hue <= last)) & coloured))


def _brighter_than_around(grey: Image.Image) -> np.ndarray:
    """Where `grey` is bright by Otsu's threshold once uneven light is taken off, (height, width) bool."""
    # Pillow's blurs count in integers, and let other threads run.
    light = grey.filter(ImageFilter.GaussianBlur(LIGHT * min(grey.size)))
    relief = np.asarray(grey.filter(ImageFilter.GaussianBlur(NOISE)), np.int16) - np.asarray(light)
    return relief > threshold_otsu(relief)


def _grain_size(bright: np.ndarray) -> float:
    """Median equivalent diameter of the grains, weighted by area, in pixels; 0 without grains.

    By number, the median would be that of the smallest specks, which outnumber
    the grains in every photograph.
    """
    if not bright.any():
        return 0.0
    # Integers: about as good as the Euclidean distance here, and four times as fast.
    depth = distance_transform_cdt(bright, "taxicab")
    cores = label(local_maxima(depth) & bright)
    areas = np.sort(np.bincount(watershed(-depth, cores, mask=bright)[bright]))
    reached = np.cumsum(areas)
    return 2 * math.sqrt(areas[np.searchsorted(reached, reached[-1] / 2)] / math.pi)


def _angular_deviation(hue: np.ndarray, weights: np.ndarray) -> float:
    """Angular deviation in degrees of hues 0..255, 0 where nothing is coloured."""
    total = np.bincount(hue.ravel(), weights.ravel(), 256)
    if not total.any():
        return 0.0
    angle = 2 * np.pi * np.arange(256) / 256
    length = math.hypot(total @ np.cos(angle), total @ np.sin(angle)) / total.sum()
    return math.degrees(math.sqrt(2 * max(1 - length, 0)))


def _box_dimension(outline: np.ndarray) -> float:
    """Slope of log(number of boxes that hold any of `outline`) over log(1 / side); 0 if it is empty.

    The boxes are 1, 2, 4, ... pixels wide, `BOXES` sizes in all.
    """
    if not outline.any():
        return 0.0
    number = []
    for _ in range(BOXES):
        number.append(math.log2(outline.sum()))
        for axis in (0, 1):  # the next boxes are made of two by two
            outline = np.logical_or.reduceat(outline, np.arange(0, outline.shape[axis], 2), axis)
    finer = (BOXES - 1) / 2 - np.arange(BOXES)
    return float(finer @ number / (finer @ finer))
