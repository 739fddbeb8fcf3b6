"""Trains one network, its head alone or more of it: `python -m stages.train <network>`."""

import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from sabi.models.member import save
from sabi.photographs.features import FEATURES
from sabi.photographs.partition import PARTITIONS
from sabi.runtime.repository import repository_root
from sabi.settings.params import Params
from sabi.stage import run
from sabi.tables import MANIFEST, TRAINED, read_graded, read_table, write_json, write_rows, write_table
from sabi.tracking.trainings import training
from sabi.training.checkpoint import Checkpoint
from sabi.training.key import training_key
from sabi.training.parts import Part
from sabi.training.run import checked, fix_threads_for, train

AUGMENTED = Path("data/augment")
METRICS = Path("metrics/train")


def main(name: str, params: Params) -> None:
    if name not in params.networks:  # one of the standard three; DVC wants its outputs all the same
        (TRAINED / name).mkdir(parents=True)
        write_json({}, METRICS / f"{name}.json")
        print(f"{name}: not trained (standard: false)")
        return
    manifest = read_graded(MANIFEST, params.labels.rating)
    parts = {part: read(part, manifest, params) for part in PARTITIONS}
    backbone = checked(parts["train"], params)[name]
    key = training_key(backbone, params, [MANIFEST, *AUGMENTED.glob("*.npy"), AUGMENTED / "measured.csv"])
    fix_threads_for(backbone, params)
    with training(name, params, key) as log:
        checkpoint = Checkpoint(repository_root() / "checkpoints" / key)
        trained = train(backbone, parts, params, checkpoint, log.step)
        log.seconds_before = checkpoint.seconds_before
        predictions, metrics = trained.predictions(parts), trained.metrics()
        log.metrics(metrics | trained.counts())

    folder = TRAINED / name
    save(folder, trained.member(params.train.measured, key), trained.head, trained.network)
    write_table(trained.curve, folder / "curve.csv")
    write_table(predictions, folder / "predictions.csv")
    write_table(trained.unseen(parts), folder / "out_of_fold.csv")
    write_rows(trained.rows, manifest.partition, folder / "embeddings.npy")
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


if __name__ == "__main__":
    run(partial(main, sys.argv[1]))
