"""Heads: solved or trained as said, kept at their best, the same bytes twice."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from sabi import heads, members, params
from sabi.errors import InputError
from tests.conftest import ROOT

CHANNELS = [4, 16]  # two maps, mean and deviation of each: 40 features
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shipped():
    return params.load(ROOT / "params.yaml").train


def changed(train: params.Train, **values) -> params.Train:
    return params.Train.model_validate(train.model_dump() | values)


def data(count: int, seed: int = 0):
    """Embeddings that know the grade through one feature, and grades 1..5."""
    rng = np.random.default_rng(seed)
    grades = rng.integers(1, 6, count)
    rows = rng.normal(5, 3, (count, 40))
    rows[:, 0] += 10 * grades
    return rows.astype(np.float32), grades.astype(float), np.repeat(np.arange(count), 1)


def ignore(step, values):
    assert all(np.isfinite(list(values.values())))


def test_ridge_is_scikit_learns_on_the_features_as_weighted(shipped):
    x, y, groups = data(60)
    head, curve, best = heads.fit_ridge(x, y, groups, (x, y), CHANNELS, shipped, ignore)
    # By hand: standardise, weigh by channels^-balance, fit with the penalty chosen.
    weight = np.tile(np.repeat(np.array(CHANNELS, float) ** -shipped.pooling.balance, CHANNELS), 2)
    rows = (x - x.mean(0, dtype=float)) / x.std(0, dtype=float) * weight / np.sqrt(np.mean(weight**2))
    expected = Ridge(alpha=curve.penalty[best]).fit(rows, y).predict(rows)
    assert np.allclose(heads.predict(head, x, 8), np.clip(expected, 1, 5), atol=1e-4)
    assert best == curve.crossval_loss.argmin()


def test_ridge_keeps_groups_together(shipped):
    """Copies of a photograph in other folds would make the weakest penalty look best."""
    rng = np.random.default_rng(1)
    x = np.repeat(rng.normal(size=(30, 40)), 4, axis=0).astype(np.float32)  # noise only
    y = np.repeat(rng.integers(1, 6, 30), 4).astype(float)
    _, curve, best = heads.fit_ridge(x, y, np.repeat(np.arange(30), 4), (x, y), CHANNELS, shipped, ignore)
    assert curve.penalty[best] >= 100  # learns nothing from noise
    _, curve, best = heads.fit_ridge(x, y, np.arange(120), (x, y), CHANNELS, shipped, ignore)
    assert curve.penalty[best] == 1  # the leak, if it were there


def test_ridge_refuses_fewer_specimens_than_folds(shipped):
    x, y, _ = data(20)
    with pytest.raises(InputError, match=r"train.ridge.folds = 5: only 2 specimens"):
        heads.fit_ridge(x, y, np.arange(20) % 2, (x, y), CHANNELS, shipped, ignore)


@pytest.fixture(scope="module")
def dense(shipped):
    return changed(
        shipped,
        head="dense",
        epochs=12,
        patience=4,
        dense={"units": [32, 8], "dropout": 0.3, "loss": {"margin": 0.5, "penalty": 1.0}},
    )


def test_dense_keeps_the_best_epoch_and_repeats_its_bits(dense, tmp_path):
    x, y, _ = data(97)
    validation = data(31, seed=5)[:2]
    digests = []
    for _ in range(2):
        head, curve, best = heads.fit_dense(x, y, validation, CHANNELS, dense, ignore)
        assert best == curve.validation_loss.argmin()
        error = np.abs(heads.predict(head, validation[0], 8) - validation[1]).mean()
        assert error == pytest.approx(curve.validation_mae[best], abs=1e-5)
        members.save(tmp_path, {}, head)
        digests.append(hashlib.sha256((tmp_path / "head.weights.h5").read_bytes()).hexdigest())
    assert digests[0] == digests[1]
    assert curve.train_mae.iloc[-1] < curve.train_mae.iloc[0]


def test_dense_depends_on_the_seed(dense):
    x, y, _ = data(64)
    fits = [heads.fit_dense(x, y, (x, y), CHANNELS, changed(dense, seed=s), ignore)[0] for s in (1, 2)]
    assert not np.array_equal(*(heads.predict(head, x, 8) for head in fits))


@pytest.mark.parametrize("kind", ["ridge", "dense"])
def test_a_saved_head_predicts_the_same_bits(kind, dense, tmp_path):
    settings = changed(dense, head=kind, epochs=2)
    x, y, groups = data(40)
    if kind == "ridge":
        head = heads.fit_ridge(x, y, groups, (x, y), CHANNELS, settings, ignore)[0]
    else:
        head = heads.fit_dense(x, y, (x, y), CHANNELS, settings, ignore)[0]
    members.save(tmp_path, {}, head)
    again = heads.build(heads.describe(40, settings))
    again.load_weights(tmp_path / "head.weights.h5")
    scores = heads.predict(head, x, 8)
    assert heads.predict(again, x, 8).tobytes() == scores.tobytes()
    assert heads.predict(again, x[3:4], 8) == scores[3:4]  # alone as in company
    assert scores.min() >= 1 and scores.max() <= 5


def test_penalised_loss_is_its_formula():
    true, predicted = np.array([[3.0], [3.0], [3.0]], np.float32), np.array([[3.4], [4.5], [1.0]], np.float32)
    loss = float(heads.penalised_loss(margin=0.5, penalty=2.0)(true, predicted))
    by_hand = (0.4**2 + (1.5**2 + 2 * 1.0**2) + (2.0**2 + 2 * 1.5**2)) / 3
    assert loss == pytest.approx(by_hand, rel=1e-5)


DENSE_BY_THREADS = """
import sys
import numpy as np
from sabi import heads, members, params
train = params.load().train
train = train.model_copy(update={"head": "dense", "epochs": 2})
rng = np.random.default_rng(0)
x = rng.normal(size=(96, 700)).astype(np.float32)
y = rng.uniform(1, 5, 96)
head = heads.fit_dense(x, y, (x[:20], y[:20]), [100, 250], train, lambda *_: None)[0]
members.save(__import__("pathlib").Path(sys.argv[1]), {}, head)
"""


def test_the_number_of_threads_changes_no_bit_of_the_dense_head(tmp_path):
    weights = []
    for threads in ("1", "2", "8"):
        command = [sys.executable, "-c", DENSE_BY_THREADS, str(tmp_path / threads)]
        environment = os.environ | {"TF_NUM_INTRAOP_THREADS": threads}
        subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
        weights.append((tmp_path / threads / "head.weights.h5").read_bytes())
    assert weights[0] == weights[1] == weights[2]
