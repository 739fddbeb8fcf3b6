"""The wiki's method as its users run it, to be measured against.

`python -P sabi/bench/wiki_method.py job.json`.

Every epoch goes through the frozen network again, and every photograph to be
graded is predicted by itself, once a network. It is run as a file and imports
nothing of sabi: the settings that keep sabi's bits the same are not to slow it.
(`-P`: Python would else look for other packages' modules in this folder.)

The job: `networks` (names of `keras.applications`), `side`, `seed`, `epochs`,
`batch`; `train` and `validation`, lists of [file, score], empty to grade only;
`grade`, a list of files; `models`, the folder of the trained networks; `sorted`,
the folder for the graded photographs. `seconds.json` there says how long each
network took.
"""

import json
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import keras
import numpy as np
from PIL import Image

MARGIN, PENALTY = 0.5, 1.0  # of the loss: params.yaml's, since the wiki gives no formula
THRESHOLDS = (2.3, 3.1, 3.4, 3.7)


class Clip(keras.layers.Layer):
    """Scores cut to the grades, 1 to 5."""

    def call(self, scores: Any) -> Any:
        return keras.ops.clip(scores, 1.0, 5.0)


def penalised(true: Any, predicted: Any) -> Any:
    """The squared error, and that of what exceeds the margin once more."""
    error = keras.ops.abs(true - predicted)
    return error**2 + PENALTY * keras.ops.relu(error - MARGIN) ** 2


def build(network: str, side: int, seed: int) -> keras.Model:
    """A compiled model: a frozen network of random weights, and the wiki's dense layers, which train."""
    layers = keras.layers
    keras.utils.set_random_seed(seed)
    constructor = getattr(keras.applications, network)
    base = constructor(include_top=False, weights=None, input_shape=(side, side, 3))
    base.trainable = False
    x = layers.GlobalAveragePooling2D()(base.output)
    x = layers.Dense(2048, activation="relu")(x)
    x = layers.BatchNormalization()(x)
    x = layers.Dropout(0.5)(x)
    x = layers.Dense(512, activation="relu")(x)
    model = keras.Model(base.input, Clip()(layers.Dense(1)(x)))
    model.compile(optimizer="adam", loss=penalised, metrics=["mae"])
    return model


def read(file: str, side: int) -> tuple[Image.Image, np.ndarray]:
    """A photograph resized, and its pixels (side, side, 3) float64 in 0..1."""
    image = Image.open(file).convert("RGB").resize((side, side))
    return image, np.array(image) / 255.0


def read_all(examples: list[tuple[str, float]], side: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (n, side, side, 3) and scores (n,) of lists of [file, score]."""
    return np.array([read(file, side)[1] for file, _ in examples]), np.array([score for _, score in examples])


def binning(score: float) -> int:
    """The grade of a score."""
    return 1 + sum(score >= threshold for threshold in THRESHOLDS)


def main(job: dict[str, Any]) -> None:
    models, folder = Path(job["models"]), Path(job["sorted"])
    seconds: defaultdict[str, float] = defaultdict(float)
    if job["train"]:
        models.mkdir(parents=True)
        train, validation = (read_all(job[part], job["side"]) for part in ("train", "validation"))
        for network in job["networks"]:
            start = time.monotonic()
            model = build(network, job["side"], job["seed"])
            model.fit(
                *train,
                validation_data=validation,
                epochs=job["epochs"],
                batch_size=job["batch"],
                verbose=2,
            )
            model.save(models / f"{network}.keras")
            seconds[network] += time.monotonic() - start

    trained = {}
    for network in job["networks"]:
        start = time.monotonic()
        file = models / f"{network}.keras"
        trained[network] = keras.models.load_model(file, custom_objects={"Clip": Clip}, compile=False)
        seconds[network] += time.monotonic() - start
    for grade in (1, 2, 3, 4, 5):
        (folder / f"score{grade}").mkdir(parents=True)
    for file in job["grade"]:
        image, pixels = read(file, job["side"])
        scores = []
        for network, model in trained.items():
            start = time.monotonic()
            scores.append(model.predict(pixels[None], verbose=0)[0][0])
            seconds[network] += time.monotonic() - start
        grade = binning(np.mean(scores))
        image.save(folder / f"score{grade}" / Path(file).name)
        print(f"{Path(file).name}: {np.mean(scores):.2f}, grade {grade}", flush=True)
    (folder / "seconds.json").write_text(json.dumps(seconds))


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
