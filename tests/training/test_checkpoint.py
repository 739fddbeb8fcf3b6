"""Of two processes with the same training one alone has the checkpoint; a damaged one is not gone on with."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from sabi.settings.loading import load
from sabi.training import loop
from sabi.training.checkpoint import Checkpoint
from tests.conftest import ROOT


def test_a_second_process_with_the_same_training_has_no_checkpoint(tmp_path):
    first, second = (Checkpoint(tmp_path / "checkpoint") for _ in range(2))
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint/state").write_text("{}")
    assert second.load(None) is None
    second.save(None, [], 0)
    second.delete()
    assert (tmp_path / "checkpoint/state").exists()
    first.delete()
    assert not list(tmp_path.iterdir())


def model():
    """A small network; the same weights each time."""
    import keras

    from sabi.runtime.determinism import seed_tensorflow

    seed_tensorflow(1)
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(6, "relu"), keras.layers.Dense(1)])


def trained(folder: Path, epochs: int) -> tuple[list[np.ndarray], str]:
    """The weights and the curve of a training in a process that then ends."""
    import keras

    x = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    y = x @ np.array([1, -2, 0.5, 3]) + 2
    examples = loop.Examples(lambda rows, epoch: (x[rows] * (1 + 0.01 * epoch), y[rows]), np.ones(40))
    settings = load(ROOT / "params.yaml").train.model_copy(update={"patience": 99, "batch_size": 8})

    def mae(true, given):
        return keras.ops.abs(true[:, 0] - given[:, 0])

    network, checkpoint = model(), Checkpoint(folder)
    plan = loop.Plan(mae, mae, epochs, 0.01, settings)
    curve, _ = loop.fit(network, examples, examples, plan, lambda *_: None, checkpoint)
    checkpoint._lock.close()  # as when the process ends
    return network.get_weights(), curve.to_csv()


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory) -> Path:
    """The checkpoint of a training that was ended after two epochs."""
    folder = tmp_path_factory.mktemp("interrupted") / "checkpoint"
    trained(folder, 2)
    return folder


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> tuple[list[np.ndarray], str]:
    return trained(tmp_path_factory.mktemp("undisturbed") / "checkpoint", 4)


def check_same(one: tuple[list[np.ndarray], str], other: tuple[list[np.ndarray], str]) -> None:
    assert one[1] == other[1]
    assert all(np.array_equal(a, b) for a, b in zip(one[0], other[0], strict=True))


def flip(file: Path, place: int) -> None:
    content = bytearray(file.read_bytes())
    content[place] ^= 0x10
    file.write_bytes(content)


DAMAGES = {
    "garbage": lambda folder: (folder / "state").write_bytes(b"\xff\x00garbage"),
    "empty": lambda folder: (folder / "state").write_bytes(b""),
    "another state": lambda folder: (folder / "state").write_text("{}\n{}"),
    "cut state": lambda folder: (folder / "state").write_bytes((folder / "state").read_bytes()[:-9]),
    "lost weights": lambda folder: next(folder.glob("*.h5")).unlink(),
    "empty weights": lambda folder: next(folder.glob("*.h5")).write_bytes(b""),
    "three bytes": lambda folder: [flip(folder / "epoch2.weights.h5", -place) for place in (400, 900, 1500)],
}


@pytest.mark.slow  # loading TensorFlow
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_set_aside_and_the_training_ends_as_if_it_had_not_been(
    interrupted, undisturbed, tmp_path, capsys, damage
):
    folder = Path(shutil.copytree(interrupted, tmp_path / "checkpoint"))
    DAMAGES[damage](folder)
    capsys.readouterr()
    again = trained(folder, 4)
    printed = capsys.readouterr()
    line = f"{folder}: damaged; moved to checkpoint.damaged, the training begins again\n"
    assert line in printed.err and "continuing" not in printed.out
    assert (tmp_path / "checkpoint.damaged").is_dir()
    check_same(again, undisturbed)


@pytest.mark.slow
def test_a_sound_checkpoint_is_gone_on_with(interrupted, undisturbed, tmp_path, capsys):
    folder = Path(shutil.copytree(interrupted, tmp_path / "checkpoint"))
    again = trained(folder, 4)
    assert "continuing after epoch 2" in capsys.readouterr().out
    check_same(again, undisturbed)


@pytest.mark.slow
def test_no_flipped_byte_is_trusted(interrupted, tmp_path):
    random = np.random.default_rng(26)
    before = model().get_weights()
    network = model()
    for number in range(60):
        folder = Path(shutil.copytree(interrupted, tmp_path / f"checkpoint{number}"))
        files = sorted(folder.iterdir())
        file = files[random.integers(len(files))]
        flip(file, int(random.integers(file.stat().st_size)))
        assert Checkpoint(folder).load(network) is None, file
    assert all(np.array_equal(a, b) for a, b in zip(network.get_weights(), before, strict=True))
