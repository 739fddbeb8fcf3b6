"""The ridge head is scikit-learn's ridge, its penalty judged on specimens that were left out."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from sabi.models.head import HeadSpec
from sabi.runtime.errors import InputError
from sabi.settings.loading import load
from sabi.settings.train import Train
from sabi.training.moments import moments
from sabi.training.ridge import Examples, fit_ridge
from tests.conftest import ROOT

EQUAL = np.ones(60)
PURE = np.ones(60, bool)
CHANNELS = [4, 16]  # two maps, mean and deviation of each: 40 features
SPEC = HeadSpec(features=40, grades=5, units=[], dropout=0.0, output="linear")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shipped():
    return load(ROOT / "params.yaml").train


def changed(train: Train, **values) -> Train:
    return Train.model_validate(train.model_dump() | values)


def data(count: int, seed: int = 0):
    """Embeddings that know the grade through one feature, and grades 1..5."""
    rng = np.random.default_rng(seed)
    grades = rng.integers(1, 6, count)
    rows = rng.normal(5, 3, (count, 40))
    rows[:, 0] += 10 * grades
    return rows.astype(np.float32), grades.astype(float), np.repeat(np.arange(count), 1)


def fitted(x, y, weights, groups, pure, params):
    """(head, curve, best) of a ridge head that is validated on what it learns from."""

    def log(step, values):
        assert all(np.isfinite(list(values.values())))

    result = fit_ridge(Examples(x, y, weights, groups, pure), (x, y), CHANNELS, SPEC, params, log)
    return result.head, result.curve, result.best


@pytest.mark.parametrize("count", [60, 25, 3000])
def test_ridge_is_scikit_learns_on_the_features_as_weighted(shipped, count):
    """With more photographs than features, with fewer, and with more than fit into a chunk."""
    x, y, groups = data(count)
    head, curve, best = fitted(x, y, np.ones(count), groups, np.ones(count, bool), shipped)
    # By hand: standardise, weigh by channels^-balance, fit with the penalty chosen.
    weight = np.tile(np.repeat(np.array(CHANNELS, float) ** -shipped.pooling.balance, CHANNELS), 2)
    rows = (x - x.mean(0, dtype=float)) / x.std(0, dtype=float) * weight / np.sqrt(np.mean(weight**2))
    expected = np.clip(Ridge(alpha=curve.penalty[best]).fit(rows, y).predict(rows), 1, 5)
    assert np.allclose(head.predict(x), expected, atol=1e-4)
    assert best == curve.crossval_loss.argmin()
    assert curve.train_mae[best] == pytest.approx(np.abs(expected - y).mean())


def test_the_penalty_is_judged_on_specimens_that_were_left_out(shipped):
    """Every specimen once, by scikit-learn's ridge on the others; impure rows in no part of it."""
    x, y, _ = data(90)
    specimens, pure = np.arange(90) // 3, np.arange(90) % 4 != 0
    one = changed(shipped, ridge={"folds": 30, "penalties": [30.0]})  # each specimen is a fold
    _, curve, _ = fitted(x, y, np.ones(90), specimens, pure, one)
    mean, variance = moments(x, CHANNELS, one.pooling.balance, one.measured_weight)
    rows = (x - mean) / np.sqrt(variance)
    losses = []
    for specimen in range(30):
        fit, out = pure & (specimens != specimen), pure & (specimens == specimen)
        losses.append(np.mean((Ridge(alpha=30.0).fit(rows[fit], y[fit]).predict(rows[out]) - y[out]) ** 2))
    assert curve.crossval_loss[0] == pytest.approx(np.mean(losses))


def test_a_penalty_that_rounding_drowns_is_refused(shipped):
    x, y, groups = data(60)
    x[:, 1] = x[:, 0]  # without a penalty there are many solutions
    tiny = changed(shipped, ridge={"folds": 3, "penalties": [1e-30]})
    with pytest.raises(InputError, match="penalties: 1e-30 is too small"):
        fitted(x, y, EQUAL, groups, PURE, tiny)


def test_ridge_keeps_groups_together(shipped):
    """Copies of a photograph in other folds would make the weakest penalty look best."""
    rng = np.random.default_rng(1)
    x = np.repeat(rng.normal(size=(30, 40)), 4, axis=0).astype(np.float32)  # noise only
    y = np.repeat(rng.integers(1, 6, 30), 4).astype(float)
    specimens = np.repeat(np.arange(30), 4)
    _, curve, best = fitted(x, y, np.ones(120), specimens, np.ones(120, bool), shipped)
    assert curve.penalty[best] >= 100  # learns nothing from noise
    _, curve, best = fitted(x, y, np.ones(120), np.arange(120), np.ones(120, bool), shipped)
    assert curve.penalty[best] == 1  # the leak, if it were there


def test_ridge_refuses_fewer_specimens_than_folds(shipped):
    x, y, _ = data(20)
    with pytest.raises(InputError, match=r"train.ridge.folds = 5: only 2 specimens"):
        fitted(x, y, np.ones(20), np.arange(20) % 2, PURE[:20], shipped)


def test_ridge_heeds_the_weights(shipped):
    """A photograph of twice the weight counts like two of it."""
    x, y, groups = data(60)
    heavy = np.where(y <= 2, 3.0, 1.0)
    twice = np.repeat(np.arange(60), heavy.astype(int))
    one = changed(shipped, ridge={"folds": 3, "penalties": [10.0]})
    weighted, _, _ = fitted(x, y, heavy, groups, PURE, one)
    plain, _, _ = fitted(x, y, EQUAL, groups, PURE, one)
    repeated = Ridge(alpha=10.0)
    rows = (x - weighted.weights["standardise.mean"]) / np.sqrt(weighted.weights["standardise.variance"])
    repeated.fit(rows[twice], y[twice])
    expected = np.clip(repeated.predict(rows), 1, 5)
    assert np.allclose(weighted.predict(x), expected, atol=1e-4)
    assert not np.allclose(plain.predict(x), expected, atol=1e-4)


WITHOUT_KERAS = """
import sys
from stages import binning, train
from sabi.models import member
from sabi.training.frozen import head_spec
from sabi.training.ridge import Examples, fit_ridge
from sabi.settings.loading import load
import numpy as np
x, y = np.random.default_rng(0).normal(size=(60, 40)).astype("float32"), np.arange(60) % 5 + 1.0
params = load()
examples = Examples(x, y, np.ones(60), np.arange(60), y > 0)
spec = head_spec("mobilenet", 40, params)
fit_ridge(examples, (x, y), [40], spec, params.train, lambda *_: None).head.predict(x)
print([name for name in ("tensorflow", "keras", "sklearn") if name in sys.modules])
"""


def test_a_ridge_head_is_fitted_and_predicts_without_loading_keras():
    """That takes longer than both: with stored embeddings a stage needs neither network nor Keras."""
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_KERAS], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"
