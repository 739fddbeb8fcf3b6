"""Of two processes with the same training one alone has the checkpoint."""

from sabi.training.checkpoint import Checkpoint


def test_a_second_process_with_the_same_training_has_no_checkpoint(tmp_path):
    first, second = (Checkpoint(tmp_path / "checkpoint") for _ in range(2))
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint/state.json").write_text("{}")
    assert second.load(None) is None
    second.save(None, [], 0)
    second.delete()
    assert (tmp_path / "checkpoint/state.json").exists()
    first.delete()
    assert not list(tmp_path.iterdir())
