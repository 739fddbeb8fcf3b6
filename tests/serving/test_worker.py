"""The process that grades: what it does not start with."""

import shutil
import time

import pytest

from sabi.grading.model import write_sums
from sabi.runtime.errors import InputError
from sabi.serving.desk import NO_MODEL, Desk
from sabi.serving.worker import Job, Outcome, Worker
from sabi.words.texts import translated

pytestmark = pytest.mark.slow


@pytest.fixture
def model(folder, tmp_path):
    return shutil.copytree(folder / "model", tmp_path / "model")


def test_a_model_that_has_changed_meanwhile_is_not_used(model, tmp_path):
    worker = Worker(model, tmp_path / "embeddings.db")
    (model / "model.json").write_text((model / "model.json").read_text() + " ")
    write_sums(model)
    with pytest.raises(InputError, match="model: is another model now; stop the server and start it again"):
        worker.start()
    assert not worker.ready and worker.pid is None


def test_after_its_end_nothing_is_started(model, tmp_path):
    worker = Worker(model, tmp_path / "embeddings.db")
    worker.close()
    with pytest.raises(InputError, match="being stopped"):
        worker.grade([Job("a.jpg", tmp_path / "a.jpg")])


class Broken:
    """A worker whose process cannot be started again."""

    ready = False

    def start(self) -> None:
        pass

    def ensure(self) -> None:
        raise InputError("data/model: is gone")

    def grade(self, jobs: list[Job]) -> list[Outcome]:
        raise InputError("data/model: is gone")


def test_while_there_is_no_model_each_photograph_is_told_and_deleted(tmp_path, capfd):
    desk, told = Desk(Broken()), []
    for name in "ab":
        (tmp_path / name).write_bytes(b"")
        desk.submit(Job(f"secret{name}.jpg", tmp_path / name), told.append)
        while len(told) < "ab".index(name) + 1:
            time.sleep(0.01)
    assert [outcome.reason for outcome in told] == [NO_MODEL] * 2 and list(tmp_path.iterdir()) == []
    assert translated(NO_MODEL, "ja") != NO_MODEL
    err = capfd.readouterr().err
    assert "error: data/model: is gone" in err and "secret" not in err
