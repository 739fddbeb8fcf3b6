"""The epoch loop: its best epoch, its schedules, and a training that was killed."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sabi.settings.loading import load
from sabi.training import loop as training
from sabi.training.checkpoint import Checkpoint
from tests.conftest import ROOT

losses = st.lists(st.floats(0, 9), min_size=1, max_size=40)


def curve_of(values):
    return [{"validation_loss": value} for value in values]


@given(losses)
def test_the_best_row_is_the_first_of_the_least(values):
    assert training.best_of(curve_of(values)) == values.index(min(values))


def test_what_is_not_a_number_is_never_best():
    assert training.best_of(curve_of([float("nan"), 3.0, float("nan"), 2.0])) == 3


def plan(schedule: str, start: float, epochs: int, patience: int = 5) -> training.Plan:
    settings = load(ROOT / "params.yaml").train
    chosen = settings.model_copy(update={"schedule": schedule, "patience": patience})
    return training.Plan(None, None, epochs, start, chosen)


def test_cosine_falls_from_the_start_towards_zero():
    rates = [training.rate(plan("cosine", 0.2, 10), epoch, []) for epoch in range(1, 11)]
    assert rates[0] == 0.2 and 0 < rates[-1] < 0.01
    assert all(a > b for a, b in itertools.pairwise(rates))
    assert rates[5] == pytest.approx(0.1)


def test_plateau_halves_after_half_of_patience_without_a_better_epoch():
    def rates(values):
        return [
            training.rate(plan("plateau", 1.0, 99, patience=4), epoch, curve_of(values[:epoch]))
            for epoch in range(1, len(values) + 1)
        ]

    assert rates([5, 4, 3, 2, 1, 0]) == [1] * 6  # always better
    # Worse from row 1 on: halved after rows 2, 4 ...
    assert rates([1, 2, 2, 2, 2, 2]) == [1, 1, 0.5, 0.5, 0.25, 0.25]
    # A better row starts the waiting again.
    assert rates([3, 4, 2, 4, 4, 4]) == [1, 1, 1, 1, 0.5, 0.5]


@given(losses)
def test_constant_is_constant(values):
    assert training.rate(plan("constant", 0.3, 50), len(values), curve_of(values)) == 0.3


# A network with all that has a state: batch normalisation, dropout, an optimiser with moments.
TRAINING = """
import sys
from pathlib import Path
from sabi.settings.loading import load
from sabi.training import loop as training
from sabi.training.checkpoint import Checkpoint
from sabi.runtime.determinism import fix_threads, seed_tensorflow
fix_threads(2)
import keras, numpy as np
from sabi.backbones.normalisation import BatchNormalization
train = load().train.model_copy(update=dict(batch_size=8, patience=99, schedule="plateau"))
seed_tensorflow(3)
model = keras.Sequential([
    keras.Input((16, 16, 3)), keras.layers.Conv2D(16, 3), BatchNormalization(), keras.layers.ReLU(),
    keras.layers.GlobalAveragePooling2D(), keras.layers.Dropout(0.3), keras.layers.Dense(1)])
rng = np.random.default_rng(0)
pixels, scores = rng.normal(size=(60, 16, 16, 3)).astype("float32"), rng.uniform(1, 5, 60)
def batch(rows, epoch):
    return pixels[rows] * (1 + 0.01 * epoch), scores[rows]
examples = training.Examples(batch, np.ones(60))
error = lambda true, given: keras.ops.abs(true[:, 0] - given[:, 0])
def mae(true, given): return error(true, given)
def loss(true, given): return error(true, given) ** 2
checkpoint = Checkpoint(Path(sys.argv[1]) / "checkpoint")
plan = training.Plan(loss, mae, int(sys.argv[2]), 0.01, train)
curve, best = training.fit(model, examples, examples, plan, lambda step, point: None, checkpoint)
curve.to_csv(Path(sys.argv[1]) / "curve.csv")
np.savez(Path(sys.argv[1]) / "weights.npz", *model.get_weights())
"""


def command(folder, epochs):
    return [sys.executable, "-c", TRAINING, str(folder), str(epochs)]


@pytest.mark.slow
def test_a_killed_training_ends_with_the_bits_of_one_that_was_not(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
    subprocess.run(command(whole, 30), cwd=ROOT, check=True, capture_output=True)
    state = killed / "checkpoint/state"
    for least in (3, 12):  # killed twice, each time when so many epochs were done
        process = subprocess.Popen(command(killed, 30), cwd=ROOT, stdout=subprocess.DEVNULL)
        while process.poll() is None and (
            not state.exists() or json.loads(state.read_text().splitlines()[1])["last"] < least
        ):
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "ended before it could be killed"
    again = subprocess.run(command(killed, 30), cwd=ROOT, check=True, capture_output=True, text=True)
    assert "continuing after epoch" in again.stdout
    for file in ("curve.csv", "weights.npz"):
        assert (killed / file).read_bytes() == (whole / file).read_bytes()


@pytest.mark.slow
def test_the_cores_of_the_machine_change_no_bit_of_a_training(tmp_path):
    results = []
    for cores in ({0}, set(os.sched_getaffinity(0))):
        folder = tmp_path / str(len(results))
        folder.mkdir()
        subprocess.run(
            command(folder, 3),
            cwd=ROOT,
            check=True,
            capture_output=True,
            env=os.environ | {"TF_NUM_INTRAOP_THREADS": str(8 * len(cores))},
            preexec_fn=lambda cores=cores: os.sched_setaffinity(0, cores),
        )
        results.append((folder / "weights.npz").read_bytes())
    assert results[0] == results[1]


@pytest.mark.slow
def test_a_training_that_only_harms_leaves_the_model_as_it_was(tmp_path):
    import keras

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones")])
    x = np.linspace(1, 5, 64)
    examples = training.Examples(lambda rows, epoch: (x[rows, None].astype(np.float32), x[rows]), np.ones(64))
    wrong = training.Examples(lambda rows, epoch: (x[rows, None].astype(np.float32), -x[rows]), np.ones(64))
    settings = load(ROOT / "params.yaml").train.model_copy(update={"patience": 2})

    def mae(true, given):
        return abs(true[:, 0] - given[:, 0])

    for epochs in (1, 9):  # the second goes on from the first's checkpoint, whose best is the start
        checkpoint = Checkpoint(tmp_path / "checkpoint")
        plan = training.Plan(mae, mae, epochs, 0.1, settings)
        curve, best = training.fit(model, wrong, examples, plan, print, checkpoint)
        assert best == 0 and len(curve) == min(1 + epochs, 3)  # stopped by patience
        assert model.predict(np.array([[3.0]]), verbose=0).item() == 3.0
        checkpoint._lock.close()  # as when the process ends
    checkpoint.delete()
    assert not list(tmp_path.iterdir())
