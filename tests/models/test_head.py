"""Heads: solved or trained as said, kept at their best, the same bytes twice."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from sabi.models import head as heads
from sabi.models import member as members
from sabi.models import ordinal
from sabi.runtime.errors import InputError
from sabi.settings import params
from tests.conftest import ROOT

EQUAL = np.ones(60)
PURE = np.ones(60, bool)
LINEAR = {"output": "linear", "grades": 5, "units": []}
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


@pytest.mark.parametrize("count", [60, 25, 3000])
def test_ridge_is_scikit_learns_on_the_features_as_weighted(shipped, count):
    """With more photographs than features, with fewer, and with more than fit into a chunk."""
    x, y, groups = data(count)
    head, curve, best = heads.fit_ridge(
        x, y, np.ones(count), groups, np.ones(count, bool), (x, y), CHANNELS, 5, shipped, ignore
    )
    # By hand: standardise, weigh by channels^-balance, fit with the penalty chosen.
    weight = np.tile(np.repeat(np.array(CHANNELS, float) ** -shipped.pooling.balance, CHANNELS), 2)
    rows = (x - x.mean(0, dtype=float)) / x.std(0, dtype=float) * weight / np.sqrt(np.mean(weight**2))
    expected = np.clip(Ridge(alpha=curve.penalty[best]).fit(rows, y).predict(rows), 1, 5)
    assert np.allclose(heads.predict(head, x, LINEAR), expected, atol=1e-4)
    assert best == curve.crossval_loss.argmin()
    assert curve.train_mae[best] == pytest.approx(np.abs(expected - y).mean())


def test_the_penalty_is_judged_on_specimens_that_were_left_out(shipped):
    """Every specimen once, by scikit-learn's ridge on the others; impure rows in no part of it."""
    x, y, _ = data(90)
    specimens, pure = np.arange(90) // 3, np.arange(90) % 4 != 0
    one = changed(shipped, ridge={"folds": 30, "penalties": [30.0]})  # each specimen is a fold
    _, curve, _ = heads.fit_ridge(x, y, np.ones(90), specimens, pure, (x, y), CHANNELS, 5, one, ignore)
    mean, variance = heads.moments(x, CHANNELS, one.pooling.balance)
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
        heads.fit_ridge(x, y, EQUAL, groups, PURE, (x, y), CHANNELS, 5, tiny, ignore)


def test_ridge_keeps_groups_together(shipped):
    """Copies of a photograph in other folds would make the weakest penalty look best."""
    rng = np.random.default_rng(1)
    x = np.repeat(rng.normal(size=(30, 40)), 4, axis=0).astype(np.float32)  # noise only
    y = np.repeat(rng.integers(1, 6, 30), 4).astype(float)
    specimens = np.repeat(np.arange(30), 4)
    _, curve, best = heads.fit_ridge(
        x, y, np.ones(120), specimens, np.ones(120, bool), (x, y), CHANNELS, 5, shipped, ignore
    )
    assert curve.penalty[best] >= 100  # learns nothing from noise
    _, curve, best = heads.fit_ridge(
        x, y, np.ones(120), np.arange(120), np.ones(120, bool), (x, y), CHANNELS, 5, shipped, ignore
    )
    assert curve.penalty[best] == 1  # the leak, if it were there


def test_ridge_refuses_fewer_specimens_than_folds(shipped):
    x, y, _ = data(20)
    with pytest.raises(InputError, match=r"train.ridge.folds = 5: only 2 specimens"):
        heads.fit_ridge(x, y, np.ones(20), np.arange(20) % 2, PURE[:20], (x, y), CHANNELS, 5, shipped, ignore)


def test_balanced_weights_give_every_grade_the_same_say():
    grades = np.array([1, 1, 1, 3, 4, 4])
    weights = heads.photograph_weights(grades, "balanced")
    assert weights.mean() == pytest.approx(1)
    assert {round(weights[grades == g].sum(), 9) for g in (1, 3, 4)} == {2.0}
    assert heads.photograph_weights(grades, "equal").tolist() == [1.0] * 6


def test_ridge_heeds_the_weights(shipped):
    """A photograph of twice the weight counts like two of it."""
    x, y, groups = data(60)
    heavy = np.where(y <= 2, 3.0, 1.0)
    twice = np.repeat(np.arange(60), heavy.astype(int))
    one = changed(shipped, ridge={"folds": 3, "penalties": [10.0]})
    weighted, _, _ = heads.fit_ridge(x, y, heavy, groups, PURE, (x, y), CHANNELS, 5, one, ignore)
    plain, _, _ = heads.fit_ridge(x, y, EQUAL, groups, PURE, (x, y), CHANNELS, 5, one, ignore)
    repeated = Ridge(alpha=10.0)
    rows = (x - weighted["standardise.mean"]) / np.sqrt(weighted["standardise.variance"])
    repeated.fit(rows[twice], y[twice])
    expected = np.clip(repeated.predict(rows), 1, 5)
    assert np.allclose(heads.predict(weighted, x, LINEAR), expected, atol=1e-4)
    assert not np.allclose(heads.predict(plain, x, LINEAR), expected, atol=1e-4)


def of_loss(true, outputs, output="linear", grades=5, **values):
    settings = {"name": "penalised", "margin": 0.5, "penalty": 2.0, "asymmetry": 0.0} | values
    function = heads.loss(params.Loss(**settings), {"output": output, "grades": grades}, worst_sound=3)
    return np.asarray(function(np.float32(true)[:, None], np.float32(outputs)))


@pytest.mark.parametrize(
    ("name", "factor"), [("mse", (0, 0)), ("penalised", (1, 2.25)), ("strong", (1, 3.375))]
)
def test_losses_are_their_formulas(name, factor):
    got = of_loss([3, 3, 3], [[3.4], [4.5], [1.0]], name=name)
    by_hand = [0.4**2, 1.5**2 + 2 * factor[0], 2.0**2 + 2 * factor[1]]
    assert np.allclose(got, by_hand, rtol=1e-5)


@pytest.mark.parametrize("output", ["linear", "coral", "corn"])
def test_asymmetry_makes_only_calling_bad_rust_good_dearer(output):
    true = [1, 2, 2, 3, 4]
    given = [[2.0], [3.0], [1.5], [4.0], [5.0]]  # the first two: worse than 3, given too good a score
    if output != "linear":
        given = [[9.0, -9.0 + 18 * (g[0] > 2), -9.0 + 18 * (g[0] > 3), -9.0 + 18 * (g[0] > 4)] for g in given]
        given[2] = [-9.0] * 4
    ratio = of_loss(true, given, output, asymmetry=3.0) / of_loss(true, given, output)
    assert np.allclose(ratio, [4, 4, 1, 1, 1])


@given(st.lists(st.floats(1, 5), min_size=1, max_size=8))
def test_ordinal_targets_add_up_to_the_score(scores):
    targets = np.asarray(ordinal.above(np.float32(scores), 4))
    assert targets.min() >= 0 and targets.max() <= 1
    assert np.allclose(1 + targets.sum(axis=1), scores, atol=1e-5)


@pytest.mark.parametrize("output", ["coral", "corn"])
@pytest.mark.parametrize("grade", [1, 2, 3, 4])
def test_an_ordinal_output_sure_of_a_grade_scores_it_and_costs_nothing(output, grade):
    # Of 4 grades; CORN's borders beyond the grade are conditional and may say anything.
    logits = np.where(np.arange(1, 4) < grade, 30.0, -30.0)[None]
    described = {"output": output, "grades": 4}
    assert heads.to_score(np.float32(logits), described, np) == pytest.approx(grade)
    assert of_loss([grade], logits, output, grades=4) == pytest.approx(0, abs=1e-6)
    assert of_loss([grade % 4 + 1], logits, output, grades=4) > 10


def test_corn_multiplies_conditional_probabilities():
    logits = np.log(np.array([[0.8, 0.5, 0.25]]) / (1 - np.array([[0.8, 0.5, 0.25]])))
    score = heads.to_score(np.float32(logits), {"output": "corn", "grades": 4}, np)
    assert score == pytest.approx(1 + 0.8 + 0.8 * 0.5 + 0.8 * 0.5 * 0.25)
    # Photographs not above grade 1 say nothing of the borders beyond.
    other = logits.copy()
    other[0, 1:] = 7.0
    assert of_loss([1], logits, "corn", grades=4) == pytest.approx(of_loss([1], other, "corn", grades=4))


@pytest.mark.parametrize("output", ["linear", "sigmoid", "coral", "corn"])
def test_an_untrained_head_starts_from_the_mean(output):
    scores = np.array([1.0, 2.0, 2.0, 5.0, 4.5])
    described = {"features": 3, "grades": 5, "units": [8], "dropout": 0.5, "output": output}
    head = heads.build(described)
    for layer in head.layers:
        if layer.name in ("score", "shared") or (layer.name == "logits" and output == "corn"):
            layer.set_weights([np.zeros_like(layer.get_weights()[0]), *layer.get_weights()[1:]])
    heads.start_from(head, scores, described)
    given = heads.predict(heads.weights_of(head), np.ones((2, 3), np.float32), described)
    assert given == pytest.approx([2.9, 2.9], abs=0.05)


@pytest.mark.parametrize("output", ["linear", "sigmoid", "coral", "corn"])
@pytest.mark.parametrize("grades", [2, 7])
@pytest.mark.parametrize("units", [[], [16, 4]])
def test_a_saved_head_predicts_what_keras_does_within_the_grades(output, grades, units, tmp_path):
    from keras import ops

    described = {"features": 40, "grades": grades, "units": units, "dropout": 0.5, "output": output}
    head = heads.build(described)
    rng = np.random.default_rng(1)
    x = data(100)[0]
    for variable in head.weights:
        if "variance" in variable.name:
            variable.assign(rng.uniform(0.5, 2, variable.shape))
        elif variable.dtype == "float32":
            variable.assign(rng.normal(0, 0.2, variable.shape))
    heads.standardise(head, x.mean(axis=0), x.var(axis=0))
    heads.start_from(head, np.linspace(1, grades, 9), described)
    members.save(tmp_path, {}, heads.weights_of(head), None)
    saved = members.load_head(tmp_path)
    x[:5] *= 1000  # far out
    scores = heads.predict(saved, x, described)
    by_keras = heads.to_score(head(x, training=False), described, ops)
    assert scores == pytest.approx(np.asarray(by_keras), abs=1e-4)
    assert scores.min() >= 1 and scores.max() <= grades and np.ptp(scores) > 0.01
    assert np.array_equal(heads.build(described, saved)(x), head(x))
    for alone in (3, 70):  # as in company
        assert heads.predict(saved, x[alone : alone + 1], described) == scores[alone]
    order = rng.permutation(100)
    assert heads.predict(saved, x[order], described).tobytes() == scores[order].tobytes()


WITHOUT_KERAS = """
import sys
from stages import binning, train
from sabi.models import head as heads
from sabi.models import member as members
from sabi.settings import params
import numpy as np
x, y = np.random.default_rng(0).normal(size=(60, 40)).astype("float32"), np.arange(60) % 5 + 1.0
settings = params.load().train
head, *_ = heads.fit_ridge(
    x, y, np.ones(60), np.arange(60), y > 0, (x, y), [40], 5, settings, lambda *_: None
)
heads.predict(head, x, heads.describe(40, 5, settings))
print([name for name in ("tensorflow", "keras", "sklearn") if name in sys.modules])
"""


def test_a_ridge_head_is_fitted_and_predicts_without_loading_keras():
    """That takes longer than both: with stored embeddings a stage needs neither network nor Keras."""
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_KERAS], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"
