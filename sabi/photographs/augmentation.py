"""Augmented copies of training photographs, stored ones and those drawn anew in each epoch.

A copy depends on the photograph's pixels, the copy's number and the parameters
alone, and with mixup on the photographs of the training part: never on the
batch it is made in, on the order, or on the number of threads. Every transform
hashes numbers of its own, so switching one leaves the others' draws as they were.

Keras's own layers (RandomRotation, RandomZoom ...) can do neither: they draw
for a whole batch from a generator's state. Each of them resamples besides, and
four in a row would blur the grain that the grades are about. So all geometric
transforms are composed into one matrix a photograph, and SciPy's
`affine_transform` resamples once.

Adding a transform is a function here, its entry in `GEOMETRIC` or `OTHER`,
and its section in `params.yaml`.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from scipy.ndimage import affine_transform

from sabi.runtime.draws import uniform
from sabi.runtime.threads import map_threads
from sabi.settings.augment import Augment, Chance

# SciPy's names of what is outside a photograph.
MODES = {"constant": "grid-constant", "nearest": "nearest", "reflect": "reflect", "wrap": "grid-wrap"}

# Numbers in [0, 1), one for each name or place asked for; the same again for the same copy.
Draw = Callable[..., float]


def augmented(
    pixels: np.ndarray, scores: np.ndarray, rows: Sequence[int] | np.ndarray, copy: int, params: Augment
) -> tuple[np.ndarray, np.ndarray]:
    """Copy number `copy` (1 or more; or the epoch) of the photographs `rows`, and what it is trained on.

    `pixels` (n, side, side, 3) uint8 are all training photographs as they are
    and `scores` (n,) their scores: mixup finds its partners there. Returns
    (len(rows), side, side, 3) uint8 and (len(rows),) float64.
    """
    copies = np.empty((len(rows), *pixels.shape[1:]), np.uint8)
    aims = np.empty(len(rows))
    for place, row in enumerate(rows):
        digest = hashlib.sha256(pixels[row].tobytes()).hexdigest()
        draw = partial(uniform, "augment", params.seed, copy, digest)
        altered, aim = _altered(pixels[row], draw, params), float(scores[row])
        for mix in _happening({"mixup": _mixed}, draw, params):
            altered, aim = mix(altered, aim, (pixels, scores), row)
        # The only rounding: until here light may leave 0..255 and come back.
        copies[place] = np.rint(altered).clip(0, 255)
        aims[place] = aim
    return copies, aims


def add_copies(versions: np.ndarray, scores: np.ndarray, params: Augment) -> np.ndarray:
    """Fill all but the first of `versions` (version, n, h, w, 3) with copies of it.

    Returns what each version is trained on, (version, n) float64; `scores` (n,) are the first's.
    """
    aims = np.tile(scores, (len(versions), 1))

    def fill(row: int) -> None:
        for copy in range(1, len(versions)):
            copies, aim = augmented(versions[0], scores, [row], copy, params)
            versions[copy, row], aims[copy, row] = copies[0], aim[0]

    if len(versions) > 1:
        map_threads(fill, range(len(scores)), "augment copies")
    return aims


def _happening(registry: dict[str, Callable], draw: Draw, params: Augment) -> Iterator[Callable]:
    """The transforms that this copy undergoes, in order, with their sections and their own draws."""
    for name, function in registry.items():
        chance: Chance = getattr(params, name)
        if draw(name, "happens") < chance.probability:
            yield partial(function, chance=chance, draw=partial(draw, name))


def _altered(photograph: np.ndarray, draw: Draw, params: Augment) -> np.ndarray:
    """(side, side, 3) uint8 after all transforms but mixup, float64, not clipped."""
    matrix = np.eye(3)
    for move in _happening(GEOMETRIC, draw, params):
        matrix = matrix @ move(len(photograph))
    altered = warped(photograph, matrix, params.fill)
    for alter in _happening(OTHER, draw, params):
        altered = alter(altered)
    return altered


def warped(photograph: np.ndarray, matrix: np.ndarray, fill: str) -> np.ndarray:
    """A (side, side, 3) photograph, float64, each pixel taken from where `matrix` (3, 3) sends its place.

    Places are (x right, y down, 1) in pixels from the photograph's centre;
    between pixels it is interpolated bilinearly, outside the photograph is `fill`.
    """
    if np.array_equal(matrix, np.eye(3)):
        return photograph.astype(np.float64)
    # SciPy counts from the middle of the first pixel, rows first.
    middle = (len(photograph) - 1) / 2
    places = (_shift(middle, middle) @ matrix @ _shift(-middle, -middle))[:2][::-1, [1, 0, 2]]
    # The cosine of a right angle is 6e-17: "wrap" would take a place that far outside from the other side.
    places = places.round(9)
    moved = [
        affine_transform(channel, places[:, :2], places[:, 2], output=float, order=1, mode=MODES[fill])
        for channel in np.moveaxis(photograph, -1, 0)
    ]
    return np.stack(moved, axis=-1)


def _shift(x: float, y: float) -> np.ndarray:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], float)


def _scale(x: float, y: float) -> np.ndarray:
    return np.diag([x, y, 1.0])


def _either_way(draw: Draw, what: int = 0) -> float:
    return 2 * draw(what) - 1


# From places in the copy to places in the photograph, (3, 3) as `warped` wants them.


def _horizontal_flip(side: int, chance: Any, draw: Draw) -> np.ndarray:
    return _scale(-1, 1)


def _vertical_flip(side: int, chance: Any, draw: Draw) -> np.ndarray:
    return _scale(1, -1)


def _rotation(side: int, chance: Any, draw: Draw) -> np.ndarray:
    """Positive angles turn the photograph counter-clockwise."""
    angle = math.radians(chance.strength * _either_way(draw))
    sine, cosine = math.sin(angle), math.cos(angle)
    return np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])


def _zoom(side: int, chance: Any, draw: Draw) -> np.ndarray:
    return _scale(*(1 / (1 + chance.strength * _either_way(draw, axis)) for axis in (0, 1)))


def _moved(side: int, chance: Any, draw: Draw) -> np.ndarray:
    return _shift(*(side * chance.strength * _either_way(draw, axis) for axis in (0, 1)))


def _shear(side: int, chance: Any, draw: Draw) -> np.ndarray:
    """Rows slide along themselves, the more the farther they are from the middle."""
    slope = math.tan(math.radians(chance.strength * _either_way(draw)))
    return np.array([[1, slope, 0], [0, 1, 0], [0, 0, 1]])


def _resized_crop(side: int, chance: Any, draw: Draw) -> np.ndarray:
    kept = math.sqrt(1 - chance.strength * draw("area"))  # of the side
    room = (1 - kept) * (side - 1) / 2
    return _shift(room * _either_way(draw, 0), room * _either_way(draw, 1)) @ _scale(kept, kept)


# Applied in this order.
GEOMETRIC: dict[str, Callable[..., np.ndarray]] = {
    "horizontal_flip": _horizontal_flip,
    "vertical_flip": _vertical_flip,
    "rotation": _rotation,
    "zoom": _zoom,
    "shift": _moved,
    "shear": _shear,
    "resized_crop": _resized_crop,
}


# From (side, side, 3) float64 to the same.


def _mean_colour(pixels: np.ndarray) -> np.ndarray:
    # Channel by channel, which NumPy adds up eight times as fast as pixel by pixel.
    return pixels.reshape(-1, 3).T.copy().mean(axis=1)


def _brightness(pixels: np.ndarray, chance: Any, draw: Draw) -> np.ndarray:
    return pixels * (1 + chance.strength * _either_way(draw))


def _contrast(pixels: np.ndarray, chance: Any, draw: Draw) -> np.ndarray:
    """Away from the mean colour or towards it, as Keras's RandomContrast does."""
    mean = _mean_colour(pixels)
    return mean + (pixels - mean) * (1 + chance.strength * _either_way(draw))


def _hue(pixels: np.ndarray, chance: Any, draw: Draw) -> np.ndarray:
    """A turn of the hue, of HSV (Smith, 1978), whose saturation and value stay.

    Libraries that turn it want light within 0..255, or load TensorFlow.
    """
    red, green, blue = np.moveaxis(pixels.astype(float), -1, 0)
    value = pixels.max(axis=-1)
    chroma = value - pixels.min(axis=-1)
    grey = np.where(chroma == 0, 1, chroma)  # any hue does where there is none
    sixths = np.select(
        [value == red, value == green],
        [(green - blue) / grey, 2 + (blue - red) / grey],
        4 + (red - green) / grey,
    )
    sixths += 6 * chance.strength * _either_way(draw)
    distance = (sixths[..., None] + [5, 3, 1]) % 6
    share = np.minimum(distance, 4 - distance).clip(0, 1)
    return value[..., None] - chroma[..., None] * share


def _grid_shuffle(pixels: np.ndarray, chance: Any, draw: Draw) -> np.ndarray:
    """Square cells change places; pixels left over at the right and lower edge keep theirs."""
    cells = chance.strength
    cell = len(pixels) // cells
    source = np.argsort([draw(place) for place in range(cells**2)], kind="stable")
    shuffled = pixels.copy()
    for place in range(cells**2):
        (to_y, to_x), (y, x) = (np.multiply(divmod(int(p), cells), cell) for p in (place, source[place]))
        shuffled[to_y : to_y + cell, to_x : to_x + cell] = pixels[y : y + cell, x : x + cell]
    return shuffled


def _cutout(pixels: np.ndarray, chance: Any, draw: Draw) -> np.ndarray:
    """Four squares, wholly inside and free to overlap, get the mean colour."""
    side = round(chance.strength * len(pixels))
    blanked, colour = pixels.copy(), _mean_colour(pixels)
    for square in range(4):
        y, x = (int(draw(square, axis) * (len(pixels) - side + 1)) for axis in (0, 1))
        blanked[y : y + side, x : x + side] = colour
    return blanked


# Applied in this order.
OTHER: dict[str, Callable[..., np.ndarray]] = {
    "brightness": _brightness,
    "contrast": _contrast,
    "hue": _hue,
    "grid_shuffle": _grid_shuffle,
    "cutout": _cutout,
}


def _mixed(
    altered: np.ndarray,
    aim: float,
    partners: tuple[np.ndarray, np.ndarray],
    row: int,
    chance: Any,
    draw: Draw,
) -> tuple[np.ndarray, float]:
    """Mixup (Zhang et al., ICLR 2018), the share drawn uniformly; the partner is another, not altered."""
    pixels, scores = partners
    share = chance.strength * draw("share")
    partner = (row + 1 + int(draw("partner") * (len(pixels) - 1))) % len(pixels)
    return (1 - share) * altered + share * pixels[partner], (1 - share) * aim + share * float(scores[partner])
