"""Batches of one size, results in order."""

import numpy as np

from sabi.runtime.threads import in_batches


def test_in_batches_pads_and_cuts():
    sizes = []

    def double(chunk):
        sizes.append(len(chunk))
        return 2 * chunk

    assert in_batches(double, np.arange(7), 3).tolist() == [0, 2, 4, 6, 8, 10, 12]
    assert sizes == [3, 3, 3]
