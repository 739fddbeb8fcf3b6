"""Augmented copies of a photograph: each a pure function of pixels, copy number, seed, parameters."""

import hashlib

import numpy as np
from PIL import Image, ImageEnhance

from sabi.params import Augment


def augmented(pixels: np.ndarray, copy: int, params: Augment) -> np.ndarray:
    """Copy number `copy` (1 or more) of (size, size, 3) uint8 `pixels`, of the same shape."""
    digest = hashlib.sha256(pixels.tobytes()).digest()
    rng = np.random.default_rng([params.seed, copy, *np.frombuffer(digest, "<u4").tolist()])
    # All draws are made whether used or not: switching one off leaves the others as they are.
    mirror, upset = rng.random(2) < 0.5
    angle, brightness, contrast, hue = rng.uniform(-1, 1, 4)
    if params.flip:
        pixels = pixels[:: -1 if upset else 1, :: -1 if mirror else 1]
    image = _rotated(pixels, params.rotation * angle)
    image = ImageEnhance.Brightness(image).enhance(1 + params.brightness * brightness)
    image = ImageEnhance.Contrast(image).enhance(1 + params.contrast * contrast)
    return np.asarray(_hue_turned(image, params.hue * hue))


def _rotated(pixels: np.ndarray, degrees: float) -> Image.Image:
    """Rotated about the centre; the corners show the photograph's own reflection."""
    side = pixels.shape[0]
    if degrees == 0:
        return Image.fromarray(np.ascontiguousarray(pixels))
    margin = side // 4  # the corners of a rotated square reach out by at most 0.21 of its side
    image = Image.fromarray(np.pad(pixels, ((margin, margin), (margin, margin), (0, 0)), "reflect"))
    image = image.rotate(degrees, resample=Image.Resampling.BICUBIC)
    return image.crop((margin, margin, margin + side, margin + side))


def _hue_turned(image: Image.Image, turn: float) -> Image.Image:
    """Hue moved by `turn` of the colour circle, in steps of 1/256."""
    steps = round(turn * 256)
    if steps == 0:
        return image
    hsv = np.array(image.convert("HSV"))
    hsv[..., 0] += np.uint8(steps % 256)
    return Image.fromarray(hsv, "HSV").convert("RGB")
