"""The state of a training on disk, so that one that was killed goes on."""

import fcntl
import hashlib
import json
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sabi.runtime.fingerprint import sha256_of

if TYPE_CHECKING:
    import keras

Curve = list[dict[str, float]]


class Checkpoint:
    """The state of a training in a folder outside DVC's outputs, written after every epoch.

    Of processes with the same folder (two experiments that share a training)
    only the first uses it; for the others it is as if there were none.
    """

    def __init__(self, folder: Path) -> None:
        self.seconds_before = 0.0  # that the training took before it was killed
        self._began = time.monotonic()
        self._folder = folder
        self._state = folder / "state"
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._lock = folder.with_suffix(".lock").open("w")  # held until the process ends
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._mine = True
        except BlockingIOError:
            self._mine = False

    def load(self, model: "keras.Model") -> tuple[Curve, list[np.ndarray]] | None:
        """The curve and the best epoch's weights; `model` goes on where it was.

        None if there is none, or if a byte of it is not as it was written. That one is set aside,
        which a line on standard error says, and `model` stays as it is.
        """
        if not self._mine or not self._state.exists():
            return None
        state = self._read()
        if state is None:
            self._set_aside()
            return None
        model.load_weights(self._file(state["best"]))
        best = model.get_weights()
        model.load_weights(self._file(state["last"]))
        self.seconds_before = state["seconds"]
        return state["curve"], best

    def _read(self) -> dict[str, Any] | None:
        """What `save` wrote; None if that, or a file of weights, is damaged."""
        try:
            checksum, _, text = self._state.read_bytes().partition(b"\n")
            if checksum != hashlib.sha256(text).hexdigest().encode():
                return None
            state = json.loads(text)
            sound = all(sha256_of(self._folder / name) == sum for name, sum in state["weights"].items())
        except FileNotFoundError:
            return None
        return state if sound else None

    def _set_aside(self) -> None:
        aside = self._folder.with_name(f"{self._folder.name}.damaged")
        shutil.rmtree(aside, ignore_errors=True)
        self._folder.replace(aside)
        print(f"{self._folder}: damaged; moved to {aside.name}, the training begins again", file=sys.stderr)

    def save(self, model: "keras.Model", curve: Curve, best: int) -> None:
        """Write weights and optimiser of the last epoch of `curve`; those of the best are kept."""
        if not self._mine:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        last = len(curve) - 1
        model.save_weights(self._file(last))
        seconds = self.seconds_before + time.monotonic() - self._began
        kept = {self._file(best), self._file(last)}
        weights = {file.name: sha256_of(file) for file in sorted(kept)}
        state = {"best": best, "last": last, "seconds": seconds, "curve": curve, "weights": weights}
        text = json.dumps(state).encode()
        # Only a complete checkpoint gets the name that is looked for. The first line is for the second.
        partial = self._state.with_suffix(".partial")
        partial.write_bytes(hashlib.sha256(text).hexdigest().encode() + b"\n" + text)
        partial.replace(self._state)
        for file in self._folder.glob("*.weights.h5"):
            if file not in kept:
                file.unlink()

    def delete(self) -> None:
        """Once the outputs are written nothing is left to continue."""
        if self._mine:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.with_suffix(".lock").unlink(missing_ok=True)

    def _file(self, epoch: int) -> Path:
        return self._folder / f"epoch{epoch}.weights.h5"
