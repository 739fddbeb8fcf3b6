"""What networks with random weights are calibrated on."""

import numpy as np

from sabi.backbones.calibration import calibration_batch


def test_a_calibration_batch_shows_all_states_at_any_size_and_is_pure():
    batch = calibration_batch(48, 9, seed=7)
    assert batch.shape == (9, 48, 48, 3) and batch.dtype == np.uint8
    assert np.array_equal(batch, calibration_batch(48, 9, seed=7))
    assert not (batch == calibration_batch(48, 9, seed=8)).all(axis=(1, 2, 3)).any()
    assert batch[-2:].mean() > 1.2 * batch[:2].mean()  # sound steel is brighter than peeling
    assert batch.std(axis=(1, 2, 3)).min() > 10
