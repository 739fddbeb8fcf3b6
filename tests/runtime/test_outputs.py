"""What a stage reads is what was made: no flipped byte of it is computed with."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from dvc.repo import Repo

from sabi.runtime.errors import InputError
from sabi.runtime.outputs import check_inputs, way_out
from tests.conftest import shell

PIPELINE = {
    "stages": {
        "make": {
            "cmd": "mkdir -p made/folder/deep && echo 1 > made/one && echo 2 > made/folder/deep/two "
            "&& echo 3 > made/folder/Three && echo 4 > made/folder/四",
            "deps": ["begin"],
            "outs": ["made/one", "made/folder"],
        },
        "copy": {
            "foreach": "${candidates}",
            "do": {
                "cmd": "cp made/one made/${item}",
                "deps": ["made/one", "begin"],
                "outs": ["made/${item}"],
            },
        },
        "read": {"cmd": "ls made > list", "deps": ["made"], "outs": ["list"]},
        "other": {"cmd": "cp begin end", "deps": ["begin"], "outs": ["end"]},
    }
}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A small repository that has run."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "dvc.yaml").write_text(yaml.safe_dump(PIPELINE))
    (folder / "params.yaml").write_text("candidates: [five, six]\n")
    (folder / "begin").write_text("0\n")
    shell("git init -q && dvc init -q && dvc repro -q", folder)
    return folder


@pytest.fixture
def here(made, tmp_path, monkeypatch) -> Path:
    folder = Path(shutil.copytree(made, tmp_path / "here"))
    monkeypatch.chdir(folder)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return folder


def flip(file: Path, place: int = 0) -> None:
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.chmod(0o644)
    file.write_bytes(content)


CANDIDATES = ["five", "six"]


def test_what_is_sound_is_let_through(here):
    for stage in ("make", "copy@five", "read", "other", "../dvc.yaml:read"):
        check_inputs(stage, CANDIDATES)


@pytest.mark.parametrize("file", ["one", "five", "folder/deep/two", "folder/Three", "folder/四"])
def test_a_flipped_byte_stops_the_stage_that_reads_it_and_no_other(here, file):
    flip(here / "made" / file)
    output, maker = f"made/{file.partition('/')[0]}", "copy@five" if file == "five" else "make"
    with pytest.raises(InputError) as caught:
        check_inputs("read", CANDIDATES)
    assert str(caught.value) == (
        f"{output}: damaged, it is not what the stage {maker} made; run `rm -rf {output}` and then "
        "`dvc repro` (where there is a remote, `dvc fetch` before it)"
    )
    for stage in ("make", "other", *(["copy@six"] if file != "one" else [])):
        check_inputs(stage, CANDIDATES)


@pytest.mark.parametrize("change", ["rename", "remove", "add", "cut"])
def test_a_folder_with_other_files_is_another(here, change):
    folder = here / "made/folder"
    if change == "rename":
        (folder / "Three").rename(folder / "Four")
    elif change == "remove":
        (folder / "Three").unlink()
    elif change == "add":
        (folder / "more").write_text("")
    else:
        (folder / "Three").write_text("3")
    with pytest.raises(InputError, match="made/folder: damaged"):
        check_inputs("read", CANDIDATES)


def test_what_is_left_of_a_former_candidate_does_not_count(here):
    flip(here / "made/six")
    check_inputs("read", ["five"])


def test_nothing_recorded_nothing_to_check(here):
    (here / "dvc.lock").unlink()
    flip(here / "made/one")
    check_inputs("read", CANDIDATES)


@pytest.mark.slow
@pytest.mark.parametrize("damaged", ["made/one", "made/folder/四"])
def test_the_way_out_of_a_damaged_cache_leads_back_to_the_same_bytes(here, damaged):
    """DVC itself restores the damaged file, and says nothing."""
    lock, sound = (here / "dvc.lock").read_bytes(), (here / damaged).read_bytes()
    with Repo(str(here)) as repo:
        [out] = [out for out in repo.index.outs if damaged.startswith(out.def_path)]
        listed = (
            {"": out.hash_info} if not out.is_dir_checksum else {key[-1]: h for key, _, h in out.get_obj()}
        )
        md5 = listed[Path(damaged).name if out.is_dir_checksum else ""].value
    cached = here / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    flip(cached)
    cached.chmod(0o444)  # as DVC leaves it, and trusts it
    output = "/".join(damaged.split("/")[:2])
    shell(f"rm -r {output} list && dvc repro -q", here)
    assert (here / damaged).read_bytes() != sound, "DVC has learnt to check: this module may go"
    with pytest.raises(InputError) as caught:
        check_inputs("read", CANDIDATES)
    command = re.search("`(rm .*?)`", str(caught.value))[1]
    assert command == f"rm -rf {output} {cached.relative_to(here)}"
    shell(f"{command} && dvc repro -q", here)
    assert (here / damaged).read_bytes() == sound and (here / "dvc.lock").read_bytes() == lock
    check_inputs("read", CANDIDATES)


def test_of_what_dvc_does_not_know_there_is_another_way_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert way_out(tmp_path / "model") == "copy all of it again from where it came"


def test_no_flipped_byte_is_let_through(here):
    random = np.random.default_rng(27)
    files = [here / "made" / name for name in ("one", "five", "six", "folder/deep/two", "folder/Three")]
    for _ in range(60):
        file = files[random.integers(len(files))]
        place = int(random.integers(file.stat().st_size))
        flip(file, place)
        with pytest.raises(InputError):
            check_inputs("read", CANDIDATES)
        flip(file, place)
        check_inputs("read", CANDIDATES)
