"""The colours of grades, the same in pictures, pages and workbooks."""

import numpy as np
from PIL import ImageColor

# Worst to best, dark rust to sound; apart in lightness, so also in grey and for the colour-blind.
COLOURS = ("#3b0f0a", "#8c2d13", "#d2691e", "#e9b44c", "#4a90a4")


def grade_colours(count: int) -> list[str]:
    """A colour per grade, worst to best, evenly along `COLOURS`."""
    stops = np.linspace(0, 1, len(COLOURS))
    channels = [
        np.interp(np.linspace(0, 1, count), stops, channel)
        for channel in np.array([ImageColor.getrgb(colour) for colour in COLOURS]).T
    ]
    return ["#" + "".join(f"{round(part):02x}" for part in colour) for colour in zip(*channels, strict=True)]


def ink_on(colour: str) -> str:
    """Black or white, whichever is read better on `colour`, by the relative luminance of WCAG 2."""
    linear = [
        (part / 255 / 12.92 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4)
        for part in ImageColor.getrgb(colour)
    ]
    luminance = float(np.dot(linear, [0.2126, 0.7152, 0.0722]))
    return "#000000" if (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) else "#ffffff"
