"""The dense head at its start; `test_run` shows how it learns."""

import numpy as np
import pytest

from sabi.models.head import Head, HeadSpec, build
from sabi.training.dense import start_from

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("output", ["linear", "sigmoid", "coral", "corn"])
def test_an_untrained_head_starts_from_the_mean(output):
    scores = np.array([1.0, 2.0, 2.0, 5.0, 4.5])
    spec = HeadSpec(features=3, grades=5, units=[8], dropout=0.5, output=output)
    head = build(spec)
    for layer in head.layers:
        if layer.name in ("score", "shared") or (layer.name == "logits" and output == "corn"):
            layer.set_weights([np.zeros_like(layer.get_weights()[0]), *layer.get_weights()[1:]])
    start_from(head, scores, spec)
    given = Head.of(spec, head).predict(np.ones((2, 3), np.float32))
    assert given == pytest.approx([2.9, 2.9], abs=0.05)
