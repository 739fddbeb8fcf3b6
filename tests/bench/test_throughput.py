"""Operations are counted as by hand; turns alternate and leave the first out."""

import keras
import pytest

from sabi.bench import throughput


def test_operations_of_a_known_network():
    network = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 3),  # to 6 x 6 x 4, each of 27 products, and a bias
            keras.layers.Flatten(),
            keras.layers.Dense(10),
        ]
    )
    by_hand = 6 * 6 * 4 * (2 * 27 + 1) + 10 * (2 * 144 + 1)
    assert throughput.gflop(network) == pytest.approx(by_hand / 1e9, rel=1e-12)


def test_works_take_turns_and_all_but_the_first_count(monkeypatch):
    done = []
    # The first turn is long, as a first call is, then 3, 1 and 2 seconds.
    lasting = iter([90.0, 90.0, 3.0, 3.0, 1.0, 1.0, 2.0, 2.0])
    monkeypatch.setattr(throughput, "seconds_of", lambda work: (work(), next(lasting))[1])
    works = {"a": lambda: done.append("a"), "b": lambda: done.append("b")}
    assert throughput.in_turns(works, 3, "test") == {"a": 2.0, "b": 2.0}
    assert done == ["a", "b"] * 4
