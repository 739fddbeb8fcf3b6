"""The wiki's method as it is measured: a frozen network, trained dense layers, its thresholds and loss."""

import numpy as np
import pytest

from sabi.bench import wiki_method


@pytest.mark.slow
def test_its_model_trains_only_its_dense_layers():
    model = wiki_method.build("MobileNetV3Large", 32, seed=0)
    model.compile(optimizer="adam", loss=wiki_method.penalised, jit_compile=False)  # compiles faster
    before = {weight.path: weight.numpy() for weight in model.weights}
    pixels = np.random.default_rng(0).uniform(size=(8, 32, 32, 3))
    model.fit(pixels, np.full(8, 4.0), batch_size=4, verbose=0)
    moved = [w.path for w in model.weights if not np.array_equal(before[w.path], w.numpy())]
    head = [weight.path for layer in model.layers[-7:] for weight in layer.weights]
    units = [layer.units for layer in model.layers if hasattr(layer, "units")]
    assert units == [2048, 512, 1]
    assert moved and set(moved) <= set(head)
    assert {weight.path for weight in model.trainable_weights} <= set(head)


def test_scores_are_clipped_and_binned_as_the_wiki_does():
    clipped = wiki_method.Clip()(np.array([[-3.0], [2.5], [9.0]]))
    assert np.asarray(clipped).ravel().tolist() == [1.0, 2.5, 5.0]
    scores = [1.0, 2.29, 2.3, 3.1, 3.39, 3.4, 3.7, 5.0]
    assert [wiki_method.binning(score) for score in scores] == [1, 1, 2, 3, 3, 4, 5, 5]


@pytest.mark.parametrize(("error", "loss"), [(0.5, 0.25), (-1.5, 2.25 + 1.0)])
def test_beyond_the_margin_an_error_counts_more(error, loss):
    assert float(wiki_method.penalised(np.float32(3.0), np.float32(3.0 + error))) == pytest.approx(loss)
