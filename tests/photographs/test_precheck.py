"""What DVC cannot hash is named before DVC stops."""

import os
import shutil

import pytest
from PIL import Image

from sabi.photographs.precheck import unreadable
from tests.conftest import ROOT, shell


def test_each_file_that_stops_dvc_is_named_with_the_way_out(tmp_path):
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")
    raw = tmp_path / "data/raw"
    (raw / "bridge").mkdir(parents=True)
    Image.new("RGB", (40, 40)).save(raw / "3_good.png")
    (raw / "bridge/3_gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (raw / "3_self.jpg").symlink_to(raw / "3_self.jpg")
    (raw / os.fsdecode(b"3_\xff.jpg")).write_bytes(b"")
    log = shell("python -m sabi.cli precheck", tmp_path, fails=True, PYTHONPATH=str(ROOT))
    assert log.splitlines() == [
        "error: data/raw/3_self.jpg: a link to nothing; remove it",
        "error: data/raw/3_\\xff.jpg: its name is not UTF-8; rename it",
        "error: data/raw/bridge/3_gone.jpg: a link to nothing; remove it",
    ]
    for file in [*raw.glob("bridge/*"), *raw.glob("3_[!g]*")]:
        file.unlink()
    assert shell("python -m sabi.cli precheck", tmp_path, PYTHONPATH=str(ROOT)) == ""


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_without_permission_is_named(tmp_path):
    (tmp_path / "3_secret.jpg").write_bytes(b"")
    (tmp_path / "3_secret.jpg").chmod(0)
    assert unreadable(tmp_path) == [f"{tmp_path}/3_secret.jpg: cannot be read; change its permissions"]
