"""Draws the sample photographs: `sabi data`.

These are DRAWINGS, made so that the pipeline can run anywhere; figures
obtained on them say nothing of steel. The surfaces are those of `surface.py`,
seen as a camera would see them.

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
from tqdm import tqdm

from sabi.photographs.decoding import DRAWING_MARK
from sabi.photographs.surface import draw, to_8_bit
from sabi.runtime.errors import InputError

MM_PER_PIXEL = 0.3
WIDTH, HEIGHT = 320, 240  # pixels: 96 x 72 mm of steel
SPECIMENS_PER_GRADE = 36
PHOTOGRAPHS_PER_SPECIMEN = 3
UNLABELLED = 10
SEED = 86


def photograph(state: float, rng: np.random.Generator) -> Image.Image:
    """A drawing of a surface as a camera would see it: tilt, uneven light, noise."""
    # More steel than the frame shows, so that the tilted frame stays inside.
    surface = draw(state, rng, round(1.2 * HEIGHT), round(1.2 * WIDTH), MM_PER_PIXEL)
    down, right = np.mgrid[-1 : 1 : surface.shape[0] * 1j, -1 : 1 : surface.shape[1] * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    uneven = rng.uniform(0.05, 0.3) * (right * np.cos(angle) + down * np.sin(angle))
    vignette = rng.uniform(0, 0.2) * (right**2 + down**2)
    surface *= (rng.uniform(0.85, 1.15) * (1 + uneven - vignette))[..., None]
    frame = _tilted(to_8_bit(surface), rng)
    noisy = np.asarray(frame) + rng.normal(0, rng.uniform(1, 4), (HEIGHT, WIDTH, 3))
    return Image.fromarray(np.clip(np.round(noisy), 0, 255).astype(np.uint8))


def _tilted(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The middle of `image` as seen from a slightly oblique angle, WIDTH x HEIGHT."""
    left, top = (image.width - WIDTH) / 2, (image.height - HEIGHT) / 2
    corners = np.array([(0, 0), (0, HEIGHT), (WIDTH, HEIGHT), (WIDTH, 0)], float)
    corners += np.array([left, top]) + rng.uniform(-0.08, 0.08, (4, 2)) * (WIDTH, HEIGHT)
    return image.transform(
        (WIDTH, HEIGHT), Image.Transform.QUAD, corners.ravel().tolist(), Image.Resampling.BICUBIC
    )


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
        try:
            list(tqdm(drawn, total=len(files), desc=f"draw {folder}", unit="drawing"))
        except BaseException:
            pool.shutdown(cancel_futures=True)  # Ctrl-C is not to wait for hundreds of drawings
            raise
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
