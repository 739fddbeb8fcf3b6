"""Trains one member on frozen features: `python -m stages.train <network>`."""

import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from sabi import heads, members, tracking
from sabi.backbones import check_weights
from sabi.errors import InputError
from sabi.handover import MANIFEST, read_table, write_json, write_table
from sabi.params import Params
from sabi.partition import PARTITIONS
from sabi.stage import run

AUGMENTED = Path("data/augment")
METRICS = Path("metrics/train")


def main(name: str, params: Params) -> None:
    manifest = read_table(MANIFEST)
    rows = {part: manifest[manifest.partition == part] for part in PARTITIONS}
    # What can be wrong with any member's training is said before the first one starts.
    for network in params.networks.model_dump().values():
        check_weights(network["backbone"], network["weights"])
    if params.train.head == "ridge":
        heads.check_folds(rows["train"].specimen.nunique(), params.train)
    description = members.describe(name, params)

    with tracking.training(name, params) as log:
        embed = members.embedder(description)
        embeddings = {part: embed_versions(embed, part, name) for part in PARTITIONS}
        # (versions * photographs, features), each version with its photograph's score.
        versions, _, features = embeddings["train"].shape
        inputs = embeddings["train"].reshape(-1, features)
        scores = np.tile(rows["train"].soft_score, versions)
        specimens = np.tile(rows["train"].specimen, versions)
        validation = (embeddings["validation"][0], rows["validation"].grade.to_numpy())
        if params.train.head == "ridge":
            fitted = heads.fit_ridge(
                inputs, scores, specimens, validation, embed.channels, params.train, log.step
            )
        else:
            fitted = heads.fit_dense(inputs, scores, validation, embed.channels, params.train, log.step)
        head, curve, best = fitted
        if not np.isfinite(curve.to_numpy()).all():
            raise InputError(
                f"train.learning_rate = {params.train.learning_rate}: training diverged; use a smaller one"
            )

        predictions = pd.concat(
            rows[part][["path", "partition"]].assign(
                score=heads.predict(head, embeddings[part][0], params.train.embed_batch)
            )
            for part in ("validation", "test")
        )
        chosen = curve.iloc[best]
        metrics = {
            "steps": len(curve),
            "best_step": best,
            "train_mae": round(float(chosen.train_mae), 6),
            "validation_mae": round(float(chosen.validation_mae), 6),
        }
        log.metrics(metrics)

    folder = members.MEMBERS / name
    members.save(folder, description | {"head": heads.describe(features, params.train)}, head)
    write_table(curve, folder / "curve.csv")
    write_table(predictions, folder / "predictions.csv")
    np.save(folder / "embeddings.npy", in_manifest_order(manifest, embeddings))
    write_json(metrics, METRICS / f"{name}.json")
    print(f"{name}: {metrics}")


def embed_versions(embed, part: str, name: str) -> np.ndarray:
    """Embeddings (versions, photographs, features) of a partition's photographs and copies."""
    pixels = np.load(AUGMENTED / f"{part}.npy", mmap_mode="r")
    flat = embed(pixels.reshape(-1, *pixels.shape[2:]), f"{name}: embed {part}")
    return flat.reshape(*pixels.shape[:2], -1)


def in_manifest_order(manifest: pd.DataFrame, embeddings: dict[str, np.ndarray]) -> np.ndarray:
    """The photographs' own embeddings, without copies, a row per row of the manifest."""
    ordered = np.empty((len(manifest), embeddings["train"].shape[-1]), np.float32)
    for part, versions in embeddings.items():
        ordered[(manifest.partition == part).to_numpy()] = versions[0]
    return ordered


if __name__ == "__main__":
    run(partial(main, sys.argv[1]))
