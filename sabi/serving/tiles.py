"""A large photograph graded window by window: where on it the steel is bad, and how much of it.

Windows have the side of what the model was trained on and overlap by half, so that every place but
the rim is seen in several; a place has the mean of the scores of the windows over it.
"""

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageColor

from sabi.grading.grader import Grader
from sabi.grading.thresholds import to_grades
from sabi.photographs.decoding import decode
from sabi.photographs.files import Unusable
from sabi.report.colours import grade_colours

SHOWN = 1600  # pixels of the map's longer side
AT_ONCE = 128  # windows in memory
OPACITY = 0.45  # of the grades' colours over the photograph
NO_SCALE = (
    "its scale or the model's (scale.target) is unknown; say with --window how many pixels a window has"
)


@dataclass(frozen=True)
class Tiled:
    """A photograph, window by window."""

    boxes: list[tuple[int, int, int, int]]  # left, upper, right, lower, pixels of the upright photograph
    scores: np.ndarray  # (windows,), by position
    shares: dict[str, float]  # of the area, by grade's name
    map: Image.Image  # the photograph under the grades' colours, `SHOWN` pixels at most

    @property
    def worst(self) -> tuple[int, int, int, int]:
        """The window with the lowest score."""
        return self.boxes[int(self.scores.argmin())]


def tile(grader: Grader, file: Path, scale: float | None, window: int | None) -> Tiled | Unusable:
    """Grade a photograph of `scale` millimetres a pixel in windows of `window` pixels, or why not.

    For None a window shows what the model was trained on, which takes both scales.
    """
    spec = grader.spec
    scale = spec.mm_per_pixel if scale is None else scale
    try:
        image = decode(file, min_side=spec.min_side, max_megapixels=spec.max_megapixels)
        side = window or _side(spec.size, scale, spec.target_mm_per_pixel)
    except Unusable as reason:
        return reason
    if side > min(image.size):
        return Unusable(f"{image.width} x {image.height} pixels are less than one window of {side}")
    boxes = windows(*image.size, side)
    # A model with a target sees the middle of a photograph; of a window it is to see all.
    target = spec.target_mm_per_pixel
    own = scale if target is None else spec.size * target / side
    scores = []
    for start in range(0, len(boxes), AT_ONCE):
        crops = [np.asarray(image.crop(box)) for box in boxes[start : start + AT_ONCE]]
        rows = grader.grade(crops, [own] * len(crops), keep=False)
        if rows[0].reason is not None:
            return Unusable(rows[0].reason)
        scores += [row.score for row in rows]
    by_position = spec.rating.by_position(np.array(scores, float))
    places = _spread(by_position, boxes, image.size)
    grades = to_grades(places, spec.thresholds)
    shares = {name: float(np.mean(grades == number)) for number, name in enumerate(spec.grades, start=1)}
    return Tiled(boxes, by_position, shares, _over(image, grades, len(spec.grades)))


def windows(width: int, height: int, side: int) -> list[tuple[int, int, int, int]]:
    """Squares that cover the photograph to its rim and overlap by half or more, row by row."""
    step = max(side // 2, 1)
    down, along = (sorted({*range(0, length - side, step), length - side}) for length in (height, width))
    return [(left, top, left + side, top + side) for top, left in itertools.product(down, along)]


def _side(size: int, scale: float | None, target: float | None) -> int:
    if scale is None or target is None:
        raise Unusable(NO_SCALE)
    return round(size * target / scale)


def _spread(scores: np.ndarray, boxes: list[tuple[int, int, int, int]], size: tuple[int, int]) -> np.ndarray:
    """The mean score at each place of a copy of at most `SHOWN` pixels a side."""
    factor = min(1.0, SHOWN / max(size))
    total = np.zeros([max(1, round(factor * length)) for length in size[::-1]])
    count = np.zeros_like(total)
    for score, box in zip(scores, boxes, strict=True):
        left, top, right, lower = (round(factor * edge) for edge in box)
        total[top:lower, left:right] += score
        count[top:lower, left:right] += 1
    return total / count


def _over(image: Image.Image, grades: np.ndarray, count: int) -> Image.Image:
    """The photograph with the colour of each place's grade over it."""
    palette = np.array([ImageColor.getrgb(colour) for colour in grade_colours(count)])
    colours = Image.fromarray(palette[grades - 1].astype(np.uint8))
    return Image.blend(image.resize(colours.size), colours, OPACITY)
