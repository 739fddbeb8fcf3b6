"""One network's training from photographs to predictions."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sabi.backbones.embedder import Embedder
from sabi.backbones.spec import BackboneSpec
from sabi.models.head import Head
from sabi.models.member import MemberSpec
from sabi.photographs.partition import PARTITIONS
from sabi.runtime.determinism import fix_threads
from sabi.runtime.errors import InputError
from sabi.settings.params import Params
from sabi.training.checkpoint import Checkpoint
from sabi.training.frozen import fit_head, head_spec
from sabi.training.network import fit_network, start_head, unfreeze
from sabi.training.parts import Fitted, Log, Part, features
from sabi.training.ridge import check_folds

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Trained:
    """A network that has learnt, and what it says of the photographs."""

    backbone: BackboneSpec
    head: Head
    network: "keras.Model | None"  # if it was trained itself
    curve: pd.DataFrame
    best: int  # the row of the curve that was kept
    out_of_fold: np.ndarray | None  # scores (n,) of training photographs, as `Fitted` has them
    rows: dict[str, np.ndarray]  # features (n, f) float32 by partition, without copies
    parameters: int
    needed: int  # embeddings
    reused: int  # of them from the store

    def member(self, measured: bool, key: str) -> MemberSpec:
        """What is kept of it; whether `measured` features were given, the `key` of the training."""
        return MemberSpec(
            backbone=self.backbone,
            head=self.head.spec,
            measured=measured,
            parameters=self.parameters,
            best_step=self.best,
            key=key,
        )

    def metrics(self) -> dict[str, float]:
        """How long it took in steps, and its errors at the step that was kept, in grades."""
        kept = self.curve.iloc[self.best]
        return {
            "steps": len(self.curve),
            "best_step": self.best,
            "train_mae": round(float(kept.train_mae), 6),
            "validation_mae": round(float(kept.validation_mae), 6),
        }

    def counts(self) -> dict[str, float]:
        """What is told to MLflow alone: what the store had is no property of the training."""
        return {
            "parameters": self.parameters,
            "embeddings": self.needed,
            "embeddings_reused": self.reused,
        }

    def predictions(self, parts: dict[str, Part]) -> pd.DataFrame:
        """Path, partition and score of validation and test."""
        return pd.concat(
            parts[part].rows[["path", "partition"]].assign(score=self.head.predict(self.rows[part]))
            for part in ("validation", "test")
        )

    def unseen(self, parts: dict[str, Part]) -> pd.DataFrame:
        """Path and score of the training photographs, each by heads that have not seen its specimen.

        Empty where the head was not cross-validated, or the network has learnt from all of them.
        """
        rows = parts["train"].rows[["path"]]
        if self.out_of_fold is None:
            return rows[:0].assign(score=[])
        return rows.assign(score=self.out_of_fold[: len(rows)])


def checked(train: Part, params: Params) -> dict[str, BackboneSpec]:
    """Every network's backbone, by name.

    Raises `InputError` for what is wrong with any network's training, before the first one starts.
    """
    side = train.pixels.shape[2]
    if side != params.augment.size:
        raise InputError(
            f"augment.size = {params.augment.size}: data/augment holds photographs of {side} pixels; "
            "run `dvc repro --force augment`"
        )
    if params.train.head == "ridge":
        check_folds(train.rows.specimen.nunique(), params.train)
    return {name: BackboneSpec.of(name, params.train, params.augment.size) for name in params.networks}


def fix_threads_for(spec: BackboneSpec, params: Params) -> None:
    """Let TensorFlow use as many threads as this training wants; before it loads."""
    if spec.mode != "frozen":
        fix_threads(params.train.threads)
    elif params.train.head == "ridge":  # the dense head, one batch after another, wants all threads
        fix_threads(1)  # for each of the batches that are embedded at once


def train(
    spec: BackboneSpec, parts: dict[str, Part], params: Params, checkpoint: Checkpoint, log: Log
) -> Trained:
    """Train the head of a network on its embeddings, and then, or instead, all of it.

    Raises `InputError` for what cannot be trained so, and for a training that diverged.
    """
    name = spec.network
    embed = Embedder(spec)
    if spec.mode == "frozen":
        fitted, rows = _on_embeddings(embed, parts, params, log)
        network = None
    else:
        network = embed.network
        unfreeze(network, spec, params)  # first, because it also checks
        if spec.mode == "scratch":
            start = start_head(embed, parts["train"], name, params)
        else:
            # Of two curves only that of the whole is recorded.
            start = _on_embeddings(embed, parts, params, lambda *_: None)[0].head
        fitted = fit_network(embed, start, parts, params, checkpoint, log)
    if not np.isfinite(fitted.curve.to_numpy()).all():
        checkpoint.delete()
        place = "train.fine_tune" if spec.mode == "fine_tune" else "train"
        raise InputError(f"{place}.learning_rate: {name}'s training diverged; use a smaller one")
    needed, reused = embed.needed, embed.reused
    if network is not None:
        embed = Embedder(spec, network)
        rows = {part: features(embed, parts[part], f"{name}: embed {part}", 1) for part in PARTITIONS}
        needed += embed.needed
    return Trained(
        spec,
        fitted.head,
        network,
        fitted.curve,
        fitted.best,
        fitted.out_of_fold if network is None else None,
        # The photographs come before their copies.
        {part: rows[part][: len(parts[part].rows)] for part in PARTITIONS},
        embed.parameters + fitted.head.parameters,
        needed,
        reused,
    )


def _on_embeddings(
    embed: Embedder, parts: dict[str, Part], params: Params, log: Log
) -> tuple[Fitted, dict[str, np.ndarray]]:
    """The head on the network as it is, and the features of all partitions, copies too."""
    name = embed.spec.network
    rows = {part: features(embed, parts[part], f"{name}: embed {part}") for part in parts}
    spec = head_spec(name, rows["train"].shape[1], params)
    return fit_head(parts, rows, embed.channels, spec, params, log), rows
