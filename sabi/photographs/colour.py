"""Colours as sRGB: a photograph's embedded profile applied.

Phones and cameras give colours as numbers of a space of their own (Display P3,
Adobe RGB, ProPhoto RGB). Taken for sRGB, which networks and measurements
expect, they would look paler than the steel was.
"""

import io

import numpy as np
from PIL import Image, ImageCms

# A profile that moves no colour further, of 255, is sRGB written another way: pixels stay as they are.
SAME = 2
_STEPS = np.arange(0, 256, 15).astype(np.uint8)
# Colours over the whole space, by the modes that are not converted if a profile keeps them.
_SAMPLES = {
    "L": np.arange(256)[None].astype(np.uint8),
    "RGB": np.stack(np.meshgrid(_STEPS, _STEPS, _STEPS), axis=-1).reshape(1, -1, 3),
}


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """`image` (mode L, RGB or CMYK) in 8-bit sRGB, its numbers read as the ICC `profile` says.

    A profile that is damaged or of another kind of pixels (one of printing inks
    on RGB) is ignored; without one, or with sRGB's own, pixels are converted as
    Pillow does, RGB not at all.
    """
    if profile:
        try:
            # Made anew for each photograph: nothing is shared between threads.
            transform = ImageCms.buildTransform(
                ImageCms.ImageCmsProfile(io.BytesIO(profile)),
                ImageCms.createProfile("sRGB"),
                image.mode,
                "RGB",
            )
        except (ImageCms.PyCMSError, OSError):
            profile = None
    if profile and not _keeps(transform, image.mode):
        return transform.apply(image)
    # Pillow would copy: of a large photograph, a hundred megabytes in every thread.
    return image if image.mode == "RGB" else image.convert("RGB")


def _keeps(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether `transform` leaves all colours of `mode` about as they are."""
    if mode not in _SAMPLES:
        return False
    before = Image.fromarray(_SAMPLES[mode])
    after = np.asarray(transform.apply(before), int)
    return bool(np.abs(after - np.asarray(before.convert("RGB"), int)).max() <= SAME)
