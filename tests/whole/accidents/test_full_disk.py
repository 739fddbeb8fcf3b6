"""The disk is full, sooner or later in the pipeline: one line, and with room the same command finishes."""

import shutil
import subprocess

import pytest

from tests.conftest import shell
from tests.whole.accidents.conftest import check_whole

# In a mount of its own, which ends with it: what the test may not do outside.
ALONE = ["unshare", "--map-root-user", "--mount", "bash", "-ec"]
SCRIPT = """
mount -t tmpfs -o size=1g tmpfs {disk}
cp -a {repository} {disk}/copy
cd {disk}/copy
used=$(df --output=used {disk} | tail -1)
mount -o remount,size=$((used + {free}))k {disk}
dvc repro > {log} 2>&1 && exit 3
mount -o remount,size=1g {disk}
python -m sabi.cli precheck && dvc repro > {log}.again 2>&1
cp dvc.lock mlflow.db {repository}
"""


def allowed() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*ALONE, "mount -t tmpfs tmpfs /mnt"], capture_output=True).returncode == 0


pytestmark = [pytest.mark.slow, pytest.mark.accident]


# kB free: at the first stage, the second, the trainings, MLflow's store, DVC's own writing.
@pytest.mark.parametrize("free", [40, 700, 2200, 4000, 6000])
def test_a_full_disk_is_one_line_and_damages_nothing(fresh, tmp_path, free):
    if not allowed():
        pytest.skip("no small disk can be mounted here")
    shell("rm -rf data/split data/augment data/networks data/ensemble data/grades data/model", fresh)
    shell("rm -rf data/evaluate .dvc/cache .dvc/tmp", fresh)
    disk, log = tmp_path / "disk", tmp_path / "log"
    disk.mkdir()
    script = SCRIPT.format(disk=disk, repository=fresh, free=free, log=log)
    shell(" ".join(ALONE) + f" '{script}'", fresh)
    said = log.read_text(errors="replace")
    assert "Traceback" not in said and "signal" not in said
    told = [line for line in said.splitlines() if line.startswith("error: ")]
    # DVC says it in words of its own where it was writing itself.
    if told:
        assert len(told) == 1 and told[0].startswith("error: no space left on the disk of"), said
    else:
        assert "No space left on device" in said
    print(*said.splitlines()[-3:], sep="\n")
    check_whole(fresh)
