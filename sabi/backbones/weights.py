"""Where a network's weights are read from."""

import hashlib
from pathlib import Path

from sabi.networks import NETWORKS, Lite, Own
from sabi.runtime.errors import InputError
from sabi.runtime.repository import repository_root


def weights_file(name: str, weights: str) -> Path | None:
    """The file that a network's weights are read from; None for "random", "imagenet" and own networks.

    Raises `InputError` if the folder `weights` has none for the network, or one
    under Keras's name with other bytes than Keras's.
    """
    network = NETWORKS[name]
    if weights == "imagenet" and isinstance(network, Lite):
        raise InputError(
            f"train.weights = 'imagenet': Keras has none for {name}; run `sabi weights {name}` and "
            f"`dvc exp run -S +train.weights_of.{name}=weights`"
        )
    if weights in ("random", "imagenet") or isinstance(network, Own):
        return None
    folder = repository_root() / weights
    own = folder / f"{name}.weights.h5"
    if own.is_file():
        return own
    if isinstance(network, Lite):
        raise InputError(
            f"train.weights = {weights!r}: no weights for {name}; `sabi weights {name}` makes {own.name}"
        )
    file = folder / network.no_top
    if not file.is_file():
        raise InputError(
            f"train.weights = {weights!r}: no weights for {name}; put Keras's {network.no_top} there, "
            f"or weights of your own as {own.name}"
        )
    kind = "md5" if len(network.no_top_hash) == 32 else "sha256"
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, kind).hexdigest()
    if found != network.no_top_hash:
        raise InputError(
            f"{weights}/{network.no_top}: damaged ({kind} {found}, Keras's file has {network.no_top_hash}); "
            f"fetch it again, or name it {own.name} if the weights are your own"
        )
    return file
