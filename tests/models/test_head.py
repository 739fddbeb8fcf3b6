"""Heads: what Keras predicts, NumPy does, alike in any company."""

import numpy as np
import pytest

from sabi.models.head import Head, HeadSpec, build, standardise, to_score
from sabi.training.dense import start_from

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("output", ["linear", "sigmoid", "coral", "corn"])
@pytest.mark.parametrize("grades", [2, 7])
@pytest.mark.parametrize("units", [[], [16, 4]])
def test_a_saved_head_predicts_what_keras_does_within_the_grades(output, grades, units, tmp_path):
    from keras import ops

    spec = HeadSpec(features=40, grades=grades, units=units, dropout=0.5, output=output)
    head = build(spec)
    rng = np.random.default_rng(1)
    x = rng.normal(5, 3, (100, 40)).astype(np.float32)
    for variable in head.weights:
        if "variance" in variable.name:
            variable.assign(rng.uniform(0.5, 2, variable.shape))
        elif variable.dtype == "float32":
            variable.assign(rng.normal(0, 0.2, variable.shape))
    standardise(head, x.mean(axis=0), x.var(axis=0))
    start_from(head, np.linspace(1, grades, 9), spec)
    Head.of(spec, head).save(tmp_path / "head.npz")
    saved = Head.load(spec, tmp_path / "head.npz")
    x[:5] *= 1000  # far out
    scores = saved.predict(x)
    by_keras = to_score(head(x, training=False), spec, ops)
    assert scores == pytest.approx(np.asarray(by_keras), abs=1e-4)
    assert scores.min() >= 1 and scores.max() <= grades and np.ptp(scores) > 0.01
    assert np.array_equal(build(spec, saved.weights)(x), head(x))
    for alone in (3, 70):  # as in company
        assert saved.predict(x[alone : alone + 1]) == scores[alone]
    order = rng.permutation(100)
    assert saved.predict(x[order]).tobytes() == scores[order].tobytes()
