"""Draws the sample photographs: `sabi data`.

These are DRAWINGS, made so that the pipeline can run anywhere; figures
obtained on them say nothing of steel. They follow the published visual
rating of weathering steel (JSSC Technical Report 86): grade 5 little, bright
rust; 4 fine uniform grains up to 1 mm; 3 coarse grains of 1 to 5 mm; 2 scales
of 5 to 25 mm; 1 layered peeling. Lengths are millimetres of steel, at
`MM_PER_PIXEL`.

A specimen has a rust state, a real number near its grade: states near the
border between two grades look alike, and a few lie beyond it, as an
inspector's do. Same seed, same bytes.
"""

import json
import os
import shutil
import subprocess
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree
from tqdm import tqdm

from sabi.photographs.decoding import DRAWING_MARK
from sabi.runtime.errors import InputError

MM_PER_PIXEL = 0.3
WIDTH, HEIGHT = 320, 240  # pixels: 96 x 72 mm of steel
SPECIMENS_PER_GRADE = 36
PHOTOGRAPHS_PER_SPECIMEN = 3
UNLABELLED = 10
SEED = 86

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

    colour = [np.interp(state, [1, 2, 3, 4, 5], channel) for channel in COLOUR.T]
    colour = np.array(colour) * rng.uniform(0.85, 1.15) * rng.normal(1, 0.03, 3)
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


def _cells(rng: np.random.Generator, shape: tuple[int, int], pitch: float):
    """A ragged Voronoi tiling with cells about `pitch` pixels wide.

    Returns the distances to the nearest and second nearest centre
    (height, width, 2), the index of the nearest, and all centres (n, 2).
    """
    height, width = shape
    count = int((height + 4 * pitch) * (width + 4 * pitch) / pitch**2)
    centres = rng.uniform(-2 * pitch, np.array(shape) + 2 * pitch, (count, 2))
    ragged = [0.08 * pitch * _smooth_noise(rng, shape, pitch / 6) for _ in range(2)]
    pixels = np.stack(np.mgrid[:height, :width] + np.array(ragged), -1)
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
    offset = np.stack(np.mgrid[: shape[0], : shape[1]], -1) - centres[nearest]
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


def photograph(state: float, rng: np.random.Generator) -> Image.Image:
    """A drawing of a surface as a camera would see it: tilt, uneven light, noise."""
    # More steel than the frame shows, so that the tilted frame stays inside.
    surface = draw(state, rng, round(1.2 * HEIGHT), round(1.2 * WIDTH), MM_PER_PIXEL)
    down, right = np.mgrid[-1 : 1 : surface.shape[0] * 1j, -1 : 1 : surface.shape[1] * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    uneven = rng.uniform(0.05, 0.3) * (right * np.cos(angle) + down * np.sin(angle))
    vignette = rng.uniform(0, 0.2) * (right**2 + down**2)
    surface *= (rng.uniform(0.85, 1.15) * (1 + uneven - vignette))[..., None]
    frame = _tilted(_to_8_bit(surface), rng)
    noisy = np.asarray(frame) + rng.normal(0, rng.uniform(1, 4), (HEIGHT, WIDTH, 3))
    return Image.fromarray(np.clip(np.round(noisy), 0, 255).astype(np.uint8))


def _to_8_bit(surface: np.ndarray) -> Image.Image:
    """Linear light to an 8-bit image with a camera's gamma."""
    return Image.fromarray(np.round(np.clip(surface, 0, 1) ** (1 / 1.25) * 255).astype(np.uint8))


def _tilted(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The middle of `image` as seen from a slightly oblique angle, WIDTH x HEIGHT."""
    left, top = (image.width - WIDTH) / 2, (image.height - HEIGHT) / 2
    corners = np.array([(0, 0), (0, HEIGHT), (WIDTH, HEIGHT), (WIDTH, 0)], float)
    corners += np.array([left, top]) + rng.uniform(-0.08, 0.08, (4, 2)) * (WIDTH, HEIGHT)
    return image.transform(
        (WIDTH, HEIGHT), Image.Transform.QUAD, corners.ravel().tolist(), Image.Resampling.BICUBIC
    )


def calibration_batch(size: int, count: int, seed: int) -> np.ndarray:
    """`count` drawings through all states, (count, size, size, 3) uint8.

    Random networks take their batch-norm statistics from these, never from a
    user's photographs. The whole height of a drawing, 72 mm, is shown.
    """
    batch = []
    for number, state in enumerate(np.linspace(0.7, 5.3, count)):
        rng = np.random.default_rng([seed, number])
        batch.append(np.asarray(_to_8_bit(draw(state, rng, size, size, HEIGHT * MM_PER_PIXEL / size))))
    return np.stack(batch)


def _state_near(grade: int, rng: np.random.Generator) -> float:
    """A specimen's rust state: about one in twenty lies beyond the border of its grade."""
    return grade + float(np.clip(rng.normal(0, 0.25), -0.65, 0.65))


def _write(task: tuple[Path, float, list[int]]) -> None:
    file, state, seed = task
    rng = np.random.default_rng(seed)
    # One specimen's photographs show slightly different parts of it.
    photograph(state + rng.normal(0, 0.04), rng).save(file, quality=92, comment=DRAWING_MARK)


def draw_graded(
    folder: Path,
    *,
    specimens: int = SPECIMENS_PER_GRADE,
    photographs: int = PHOTOGRAPHS_PER_SPECIMEN,
    seed: int = SEED,
) -> None:
    """Draw `<grade>_specimen<number>-<shot>.jpg`: `specimens` a grade, `photographs` each."""
    tasks = []
    number = 0
    for grade in (1, 2, 3, 4, 5):
        for _ in range(specimens):
            number += 1
            state = _state_near(grade, np.random.default_rng([seed, number]))
            for shot in range(1, photographs + 1):
                name = f"{grade}_specimen{number:03d}-{shot}.jpg"
                tasks.append((name, state, [seed, number, shot]))
    _draw_all(folder, tasks)


def draw_ungraded(folder: Path, *, count: int = UNLABELLED, seed: int = SEED) -> None:
    """Draw `drawing<number>.jpg` through all states, for grading."""
    numbers = range(1, count + 1)
    states = [0.7 + 4.6 * (number - 0.5) / count for number in numbers]
    tasks = [
        (f"drawing{number:02d}.jpg", state, [seed, 0, number])
        for number, state in zip(numbers, states, strict=True)
    ]
    _draw_all(folder, tasks)


def _draw_all(folder: Path, tasks: list[tuple[str, float, list[int]]]) -> None:
    """Draw on all cores into a folder that gets its name only when it is complete."""
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    files = [(partial / name, state, seed) for name, state, seed in tasks]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        drawn = pool.map(_write, files, chunksize=4)
        list(tqdm(drawn, total=len(files), desc=f"draw {folder}", unit="drawing"))
    partial.rename(folder)


def differs_from_tracked(folder: Path) -> bool:
    """Whether `<folder>.dvc` names other bytes than lie in `folder` (in DVC's cache or not)."""
    status = subprocess.run(["dvc", "data", "status", "--json"], capture_output=True, text=True, check=True)
    changed = json.loads(status.stdout).get("uncommitted", {}).get("modified", [])
    return f"{folder.as_posix()}/" in changed


def draw_sample(raw: Path, unlabelled: Path) -> None:
    """Draw what a fresh clone lacks; a user's own photographs are left alone.

    Raises `InputError` if the repository tracks other photographs than the sample in either folder.
    """
    if raw.exists():  # own photographs: nothing of the sample is to be mixed in
        unlabelled.mkdir(exist_ok=True)
        return
    for folder, draw_folder in ((unlabelled, draw_ungraded), (raw, draw_graded)):
        if folder.exists():
            continue
        draw_folder(folder)
        if differs_from_tracked(folder):
            shutil.rmtree(folder)
            raise InputError(
                f"{folder}.dvc names other photographs than the sample; get them with "
                f"`dvc pull {folder}.dvc`, or put photographs into {folder} yourself"
            )
