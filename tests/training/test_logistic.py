"""A linear head with the output "corn" has the least loss that there is, and is what scikit-learn fits."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from sabi.models.head import HeadSpec
from sabi.settings.loading import load
from sabi.training.logistic import solved_conditionals
from sabi.training.moments import moments
from sabi.training.ridge import Examples, fit_ridge
from tests.conftest import ROOT

BORDERS = 4


def data(count: int, seed: int, whole: bool = True):
    """Rows (count, 6) that know the score, scores of 1..5, and weights."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(1, 6, count).astype(float) if whole else rng.uniform(1, 5, count)
    rows = rng.normal(size=(count, 6))
    rows[:, 0] += scores
    return rows, scores, rng.uniform(0.5, 2, count)


def objective(fit, rows, scores, weights, penalty):
    """What is minimised at each border (borders,), by the formulas of `corn_loss`."""
    logits = rows @ fit[:-1] + fit[-1]
    above = np.clip(scores[:, None] - np.arange(1, BORDERS + 1), 0, 1)
    before = np.column_stack([np.ones(len(rows)), above[:, :-1]])
    loss = above * np.logaddexp(0, -logits) + (before - above) * np.logaddexp(0, logits)
    return weights @ loss + penalty / 2 * np.sum(fit[:-1] ** 2, axis=0)


@given(seed=st.integers(0, 2**32 - 1), whole=st.booleans(), penalty=st.sampled_from([0.3, 10.0, 300.0]))
@settings(max_examples=30, deadline=None)
def test_no_weights_near_by_have_a_smaller_loss(seed, whole, penalty):
    rows, scores, weights = data(60, seed, whole)
    fit = solved_conditionals(rows, scores, weights, BORDERS, [penalty])[:, :, 0]
    best = objective(fit, rows, scores, weights, penalty)
    rng = np.random.default_rng(seed)
    for size in (0.3, 0.03):
        other = fit + rng.normal(scale=size, size=fit.shape)
        assert (objective(other, rows, scores, weights, penalty) > best).all()


def test_each_border_is_scikit_learns_regression_of_those_above_the_one_before():
    rows, scores, weights = data(200, 1)
    fits = solved_conditionals(rows, scores, weights, BORDERS, [30.0, 1.0])
    for border in range(1, BORDERS + 1):
        known = scores >= border
        expected = LogisticRegression(C=1.0, tol=1e-8).fit(
            rows[known], scores[known] > border, weights[known]
        )
        assert np.allclose(fits[:-1, border - 1, 1], expected.coef_[0], atol=1e-3)
        assert np.allclose(fits[-1, border - 1, 1], expected.intercept_[0], atol=1e-2)


def test_a_grade_that_nobody_has_leaves_a_head_that_never_gives_it():
    rows, scores, weights = data(80, 2)
    for missing in (1.0, 3.0, 5.0):
        kept = scores != missing
        fit = solved_conditionals(rows[kept], scores[kept], weights[kept], BORDERS, [1.0])[:, :, 0]
        probabilities = 1 / (1 + np.exp(-(rows @ fit[:-1] + fit[-1])))
        if missing == 1:
            assert (probabilities[:, 0] > 0.98).all()  # all are above the first border
        elif missing == 5:
            assert (probabilities[:, 3] < 0.02).all()
        else:
            assert (probabilities[:, 2] > 0.98).all()  # whoever is above 2 is above 3


@pytest.mark.parametrize("count", [30, 90])
def test_a_head_is_the_regressions_on_standardised_features(count):
    """With fewer photographs than features and with more; without a warning."""
    params = load(ROOT / "params.yaml").train
    rng = np.random.default_rng(3)
    scores = np.arange(count) % 5 + 1.0
    rows = rng.normal(5, 3, (count, 40)).astype(np.float32)
    rows[:, 0] += 10 * scores
    spec = HeadSpec(features=40, grades=5, units=[], dropout=0.0, output="corn")
    examples = Examples(rows, scores, np.ones(count), np.arange(count), np.ones(count, bool))
    with warnings.catch_warnings(action="error"):
        fitted = fit_ridge(examples, (rows, scores), [4, 16], spec, params, lambda *_: None)
    penalty = fitted.curve.penalty[fitted.best]
    mean, variance = moments(rows, [4, 16], params.pooling.balance, params.measured_weight)
    ready = (rows - mean) / np.sqrt(variance)
    expected = np.ones(count)
    above = np.ones(count)
    for border in range(1, 5):
        known = scores >= border
        model = LogisticRegression(C=1 / penalty, tol=1e-8).fit(ready[known], scores[known] > border)
        above = above * model.predict_proba(ready)[:, 1]
        expected += above
    assert np.allclose(fitted.head.predict(rows), expected, atol=0.01)
    assert fitted.best == fitted.curve.crossval_loss.argmin()
    assert fitted.curve.train_mae[fitted.best] == pytest.approx(np.abs(expected - scores).mean(), abs=0.01)
    assert np.nanmean(np.abs(fitted.out_of_fold - scores)) < 1
