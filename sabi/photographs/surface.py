"""Drawn surfaces of rust, lit from one side.

They follow the published visual rating of weathering steel (JSSC Technical
Report 86): grade 5 little, bright rust; 4 fine uniform grains up to 1 mm; 3
coarse grains of 1 to 5 mm; 2 scales of 5 to 25 mm; 1 layered peeling. The
sample photographs are made of them (`drawings.py`), and networks with random
weights are calibrated on them (`sabi/backbones/calibration.py`).
"""

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

# Linear RGB of rust in the states 1 to 5: dark and reddish to bright and tan.
COLOUR = np.array(
    [(0.33, 0.20, 0.14), (0.36, 0.21, 0.14), (0.38, 0.22, 0.14), (0.43, 0.26, 0.16), (0.57, 0.36, 0.21)]
)
FRESH_RUST = np.array((0.75, 0.40, 0.16))
BARE_STEEL = np.array((0.52, 0.49, 0.46))


def draw(state: float, rng: np.random.Generator, height: int, width: int, mm: float) -> np.ndarray:
    """A rust surface lit from one side, (height, width, 3) float in 0..1.

    `state` is 1 (peeling) to 5 (sound), any real number a little beyond too;
    `mm` is the millimetres a pixel covers.
    """
    shape = (height, width)
    relief, tone = _fine_grains(state, rng, shape, mm)
    for part in (_coarse_grains, _scales, _layers):
        more_relief, more_tone = part(state, rng, shape, mm)
        relief += more_relief
        tone += more_tone
    tone += 0.06 * _smooth_noise(rng, shape, 8 / mm)

    light = rng.uniform(0, 2 * np.pi)
    down, right = np.gradient(relief)
    slope = np.tanh(0.9 * (right * np.cos(light) + down * np.sin(light)))
    brightness = np.exp(0.9 * tone + 0.34 * slope)[..., None]

    of_state = [np.interp(state, [1, 2, 3, 4, 5], channel) for channel in COLOUR.T]
    colour = np.array(of_state) * rng.uniform(0.85, 1.15) * rng.normal(1, 0.03, 3)
    fresh = 0.22 * np.clip(0.5 + 1.6 * tone, 0, 1)[..., None]
    surface = (colour * (1 - fresh) + FRESH_RUST * fresh) * brightness
    # Sound steel is not yet covered everywhere.
    bare = np.clip((state - 4.3) / 1.2, 0, 1) * np.clip(_smooth_noise(rng, shape, 5 / mm) - 0.3, 0, 1)
    bare = 0.7 * bare[..., None]
    return surface * (1 - bare) + BARE_STEEL * bare * brightness


def _smooth_noise(rng: np.random.Generator, shape: tuple[int, int], sigma: float) -> np.ndarray:
    """Gaussian noise smoothed over `sigma` pixels, standard deviation 1."""
    noise = gaussian_filter(rng.standard_normal(shape), sigma, mode="wrap")
    return noise / noise.std()


def _cells(
    rng: np.random.Generator, shape: tuple[int, int], pitch: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A ragged Voronoi tiling with cells about `pitch` pixels wide.

    Returns the distances to the nearest and second nearest centre
    (height, width, 2), the index of the nearest, and all centres (n, 2).
    """
    height, width = shape
    count = int((height + 4 * pitch) * (width + 4 * pitch) / pitch**2)
    centres = rng.uniform(-2 * pitch, np.array(shape) + 2 * pitch, (count, 2))
    ragged = [0.08 * pitch * _smooth_noise(rng, shape, pitch / 6) for _ in range(2)]
    pixels = np.stack([*(np.mgrid[:height, :width] + np.array(ragged))], -1)
    distance, index = cKDTree(centres).query(pixels, k=2)
    return distance, index[..., 0], centres


def _fine_grains(state, rng, shape, mm):
    """Grains under 1 mm, on every surface: from 0.2 mm when sound to 0.6 mm."""
    size = np.interp(state, [3.5, 5], [0.30, 0.12]) / mm
    roughness = np.interp(state, [3.5, 4.5, 5.5], [1.0, 0.75, 0.15])
    grains = _smooth_noise(rng, shape, max(size, 0.4))
    spots = _smooth_noise(rng, shape, max(size, 0.4))
    return 0.45 * roughness * grains, 0.14 * roughness * spots


def _coarse_grains(state, rng, shape, mm):
    """Domes of 1 to 5 mm, from state 4.2 down."""
    weight = np.clip((4.2 - state) / 1.2, 0, 1) * (1 - 0.6 * np.clip((2.9 - state) / 0.7, 0, 1))
    if weight == 0:
        return 0.0, 0.0
    pitch = np.exp(np.interp(state, [2, 3, 4], np.log([4.5, 2.8, 1.2]))) / mm
    distance, nearest, centres = _cells(rng, shape, pitch)
    dome = 1 - np.clip(distance[..., 0] / (0.75 * pitch), 0, 1) ** 2
    size = rng.uniform(0.4, 1, len(centres))[nearest]
    shade = rng.standard_normal(len(centres))[nearest]
    return 1.2 * weight * np.sqrt(pitch / 4) * dome * size, 0.1 * weight * shade


def _scales(state, rng, shape, mm):
    """Scales of 5 to 25 mm, tilted and lifted, with dark cracks between, from state 2.9 down."""
    weight = np.clip((2.9 - state) / 0.7, 0, 1) * (1 - 0.5 * np.clip((2 - state) / 0.9, 0, 1))
    if weight == 0:
        return 0.0, 0.0
    pitch = np.interp(state, [1, 2, 3], [18, 11, 5.5]) / mm
    distance, nearest, centres = _cells(rng, shape, pitch)
    offset = np.stack([*np.mgrid[: shape[0], : shape[1]]], -1) - centres[nearest]
    tilt = (offset * rng.normal(0, 0.1, (len(centres), 2))[nearest]).sum(-1)
    lift = rng.uniform(0, 1, len(centres))[nearest]
    inside = np.clip((distance[..., 1] - distance[..., 0]) / (0.12 * pitch), 0, 1)
    shade = rng.standard_normal(len(centres))[nearest]
    return (
        weight * (1.6 * tilt + 2.2 * lift + 2.0 * inside),
        weight * (0.16 * shade - 0.5 * (1 - inside)),
    )


def _layers(state, rng, shape, mm):
    """Layers peeled to different depths, with shadows under their edges, from state 2 down."""
    weight = np.clip((2 - state) / 0.9, 0, 1)
    if weight == 0:
        return 0.0, 0.0
    depth = _smooth_noise(rng, shape, 9 / mm) + 0.25 * _smooth_noise(rng, shape, 2.2 / mm)
    level = np.digitize(depth, [-0.5, 0.35, 1.1])
    reach = max(round(0.9 / mm), 1)
    shadow = np.clip(np.roll(level, (reach, reach), (0, 1)) - level, 0, 1)
    return (
        5.0 * weight * gaussian_filter(level.astype(float), 0.7),
        weight
        * (np.array([-0.55, -0.15, 0.15, 0.3])[level] - 0.7 * gaussian_filter(shadow.astype(float), 1)),
    )


def to_8_bit(surface: np.ndarray) -> Image.Image:
    """Linear light to an 8-bit image with a camera's gamma."""
    return Image.fromarray(np.round(np.clip(surface, 0, 1) ** (1 / 1.25) * 255).astype(np.uint8))
