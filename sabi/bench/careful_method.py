"""What a careful engineer would write with Keras alone, to be measured against.

`python -P sabi/bench/careful_method.py job.json`, with a job as `wiki_method.py` takes it.

Photographs are decoded in threads, JPEG files no larger than is needed. What the frozen
networks see in them is computed once, in batches, and kept in memory; heads like the
wiki's are trained on that; new photographs are predicted in batches. Nothing is kept
from one call to the next but the models. It imports nothing of sabi.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keras
import numpy as np
from PIL import Image

MARGIN, PENALTY = 0.5, 1.0  # of the loss: params.yaml's, since the wiki gives no formula
THRESHOLDS = (2.3, 3.1, 3.4, 3.7)
BATCH = 32  # of forward passes


def penalised(true: Any, predicted: Any) -> Any:
    """The squared error, and that of what exceeds the margin once more."""
    error = keras.ops.abs(true - predicted)
    return error**2 + PENALTY * keras.ops.relu(error - MARGIN) ** 2


def frozen(network: str, side: int) -> keras.Model:
    """A network of random weights down to the mean of its last block."""
    constructor = getattr(keras.applications, network)
    base = constructor(include_top=False, weights=None, input_shape=(side, side, 3))
    base.trainable = False
    return keras.Model(base.input, keras.layers.GlobalAveragePooling2D()(base.output))


def head(features: int) -> keras.Model:
    """The wiki's dense layers, compiled."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((features,)),
            layers.Dense(2048, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(512, activation="relu"),
            layers.Dense(1),
        ]
    )
    model.compile(optimizer="adam", loss=penalised, metrics=["mae"])
    return model


def read(files: list[str], side: int) -> np.ndarray:
    """Pixels (n, side, side, 3) uint8."""

    def one(file: str) -> np.ndarray:
        with Image.open(file) as image:
            image.draft("RGB", (2 * side, 2 * side))
            return np.asarray(image.convert("RGB").resize((side, side)))

    with ThreadPoolExecutor() as pool:
        return np.stack(list(pool.map(one, files)))


def seen(network: keras.Model, pixels: np.ndarray) -> np.ndarray:
    """What a network sees, (n, f)."""
    return network.predict(pixels.astype(np.float32) / 255, batch_size=BATCH, verbose=0)


def binning(score: float) -> int:
    """The grade of a score."""
    return 1 + sum(score >= threshold for threshold in THRESHOLDS)


def main(job: dict[str, Any]) -> None:
    models, folder, seconds = Path(job["models"]), Path(job["sorted"]), {}
    models.mkdir(parents=True, exist_ok=True)
    examples = {
        part: read([file for file, _ in job[part]], job["side"])
        for part in ("train", "validation")
        if job[part]
    }
    photographs = read(job["grade"], job["side"])
    scores = []
    for network in job["networks"]:
        start = time.monotonic()
        keras.utils.set_random_seed(job["seed"])
        base = models / f"{network}.keras", models / f"{network}-head.keras"
        if job["train"]:
            body = frozen(network, job["side"])
            features = {part: seen(body, pixels) for part, pixels in examples.items()}
            true = {part: np.array([score for _, score in job[part]]) for part in examples}
            top = head(features["train"].shape[1])
            top.fit(
                features["train"],
                true["train"],
                validation_data=(features["validation"], true["validation"]),
                epochs=job["epochs"],
                batch_size=job["batch"],
                verbose=2,
            )
            body.save(base[0])
            top.save(base[1])
        else:
            body, top = (keras.models.load_model(file, compile=False) for file in base)
        scores.append(top.predict(seen(body, photographs), batch_size=BATCH, verbose=0)[:, 0])
        seconds[network] = time.monotonic() - start
    for grade in (1, 2, 3, 4, 5):
        (folder / f"score{grade}").mkdir(parents=True)
    for file, pixels, score in zip(job["grade"], photographs, np.mean(scores, axis=0), strict=True):
        grade = binning(min(max(score, 1), 5))
        Image.fromarray(pixels).save(folder / f"score{grade}" / Path(file).name)
        print(f"{Path(file).name}: {score:.2f}, grade {grade}", flush=True)
    (folder / "seconds.json").write_text(json.dumps(seconds))


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
