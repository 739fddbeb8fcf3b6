"""Trains one member, its head alone or more of it: `python -m stages.train <network>`."""

import hashlib
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sabi.backbones import embedder as backbones
from sabi.models import head as heads
from sabi.models import member as members
from sabi.photographs.features import FEATURES
from sabi.photographs.partition import PARTITIONS
from sabi.runtime.determinism import fix_threads
from sabi.runtime.errors import InputError
from sabi.runtime.repository import repository_root
from sabi.settings.params import Params
from sabi.stage import run
from sabi.tables import MANIFEST, MEMBERS, read_table, write_json, write_table
from sabi.tracking.trainings import training
from sabi.training.checkpoint import Checkpoint
from sabi.training.fitting import Part, features, fit_head, fit_network, start_head, unfreeze

AUGMENTED = Path("data/augment")
METRICS = Path("metrics/train")
AT_ONCE = 1024  # rows of embeddings.npy
# What decides a training, beside what decides its backbone.
CODE = (
    *backbones.CODE,
    "grades.py",
    "models/head.py",
    "models/ordinal.py",
    "photographs/augmentation.py",
    "photographs/partition.py",
    "training/checkpoint.py",
    "training/fitting.py",
    "training/loop.py",
)


def main(name: str, params: Params) -> None:
    manifest = read_table(MANIFEST)
    parts = {part: read(part, manifest, params) for part in PARTITIONS}
    description = checked(parts["train"], params)[name]
    trained = description["mode"] != "frozen"
    if trained:
        fix_threads(params.train.threads)
    elif params.train.head == "ridge":  # the dense head, one batch after another, wants all threads
        fix_threads(1)  # for each of the batches that are embedded at once
    key = training_key(description, params)

    with training(name, params, key) as log:
        checkpoint = Checkpoint(repository_root() / "checkpoints" / key)
        embed = members.embedder(description)
        network = embed.network if trained else None
        if trained:
            unfreeze(network, description, params)  # first, because it also checks
        if description["mode"] == "scratch":
            head, described = start_head(embed, parts["train"], name, params)
        else:
            rows = {part: features(embed, parts[part], f"{name}: embed {part}") for part in PARTITIONS}
            # Of two curves only that of the whole is recorded.
            step = (lambda *_: None) if trained else log.step
            head, described, curve, best = fit_head(parts, rows, embed.channels, name, params, step)
        needed, reused = embed.needed, embed.reused
        if trained:
            head, curve, best = fit_network(
                network, head, described, parts, description, params, checkpoint, log.step
            )
            log.seconds_before = checkpoint.seconds_before
        if not np.isfinite(curve.to_numpy()).all():
            checkpoint.delete()
            place = "train.fine_tune" if description["mode"] == "fine_tune" else "train"
            raise InputError(f"{place}.learning_rate: {name}'s training diverged; use a smaller one")

        if trained:
            embed = members.trained_embedder(description, network)
            rows = {part: features(embed, parts[part], f"{name}: embed {part}", 1) for part in PARTITIONS}
            needed += embed.needed
        # The photographs come before their copies.
        rows = {part: rows[part][: len(parts[part].rows)] for part in PARTITIONS}
        predictions = pd.concat(
            parts[part].rows[["path", "partition"]].assign(score=heads.predict(head, rows[part], described))
            for part in ("validation", "test")
        )
        chosen = curve.iloc[best]
        metrics = {
            "steps": len(curve),
            "best_step": best,
            "train_mae": round(float(chosen.train_mae), 6),
            "validation_mae": round(float(chosen.validation_mae), 6),
        }
        parameters = embed.parameters + sum(weight.size for weight in head.values())
        # What the store had is no property of the training: told to MLflow alone.
        log.metrics(metrics | {"parameters": parameters, "embeddings": needed, "embeddings_reused": reused})

    folder = MEMBERS / name
    made = description | {"head": described, "parameters": parameters, "best_step": best, "key": key}
    members.save(folder, made, head, network)
    write_table(curve, folder / "curve.csv")
    write_table(predictions, folder / "predictions.csv")
    write_in_order(folder / "embeddings.npy", manifest, rows)
    write_json(metrics, METRICS / f"{name}.json")
    checkpoint.delete()
    print(f"{name}: {metrics}")


def read(part: str, manifest: pd.DataFrame, params: Params) -> Part:
    """A partition as the stage `augment` left it."""
    rows = manifest[manifest.partition == part]
    measured = np.zeros((len(rows), 0), np.float32)
    if params.train.measured:
        table = read_table(AUGMENTED / "measured.csv").set_index("path")
        measured = table.loc[rows.path, list(FEATURES)].to_numpy(np.float32)
    trained = part == "train"
    scores = np.load(AUGMENTED / "train_scores.npy") if trained else rows.grade.to_numpy(float)[None]
    return Part(rows, np.load(AUGMENTED / f"{part}.npy", mmap_mode="r"), scores, measured)


def checked(train: Part, params: Params) -> dict[str, dict[str, Any]]:
    """What `members.describe` says of every network, by name.

    Raises `InputError` for what is wrong with any member's training, before the first one starts.
    """
    if params.train.head == "ridge":
        heads.check_folds(train.rows.specimen.nunique(), params.train)
    return {network: members.describe(network, params) for network in params.networks}


def training_key(description: dict[str, Any], params: Params) -> str:
    """What tells this training from every other one: parameters, code and data."""
    decisive = {
        "member": description,
        "train": params.train.model_dump(),
        "augment": params.augment.model_dump(),
        "grades": params.labels.grades,
        "sound": params.labels.sound,
    }
    for file in (MANIFEST, *sorted(AUGMENTED.glob("*.npy")), AUGMENTED / "measured.csv"):
        with file.open("rb") as stream:
            decisive[file.name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return backbones.fingerprint(decisive, CODE)


def write_in_order(file: Path, manifest: pd.DataFrame, rows: dict[str, np.ndarray]) -> None:
    """Write the features of all partitions as an array, a row per row of the manifest.

    Some at a time: a whole second copy would be the stage's largest.
    """
    shape = (len(manifest), rows["train"].shape[1])
    places = manifest.groupby("partition").cumcount().to_numpy()
    with file.open("wb") as stream:
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)
        for start in range(0, len(manifest), AT_ONCE):
            some = slice(start, start + AT_ONCE)
            chosen = zip(manifest.partition[some], places[some], strict=True)
            stream.write(np.stack([rows[part][place] for part, place in chosen]).tobytes())


if __name__ == "__main__":
    run(partial(main, sys.argv[1]))
