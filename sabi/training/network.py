"""A network that is trained itself, its head with it: fine-tuned, or from scratch."""

from typing import TYPE_CHECKING

import numpy as np

from sabi.backbones.building import preprocess
from sabi.backbones.embedder import Embedder
from sabi.backbones.pooling import pooled
from sabi.backbones.spec import BackboneSpec
from sabi.models.head import Head, build
from sabi.photographs.augmentation import augmented
from sabi.runtime.errors import InputError
from sabi.settings.params import Params
from sabi.training import loop
from sabi.training.checkpoint import Checkpoint
from sabi.training.dense import plan_for, untrained
from sabi.training.frozen import head_spec
from sabi.training.moments import mean_and_variance, photograph_weights
from sabi.training.parts import Fitted, Log, Part

if TYPE_CHECKING:
    import keras


def start_head(embed: Embedder, train: Part, name: str, params: Params) -> Head:
    """The untrained head of the network `name` that is trained from scratch.

    The network's features pass as they are, since they say nothing of the
    trained one's; the measured ones are standardised.
    """
    own = embed.features
    mean, variance = mean_and_variance(train.measured)
    mean, variance = np.concatenate([np.zeros(own), mean]), np.concatenate([np.ones(own), variance])
    spec = head_spec(name, len(mean), params)
    return Head.of(spec, untrained(spec, mean, variance, train.scores[0], params.train.seed))


def unfreeze(network: "keras.Model", spec: BackboneSpec, params: Params) -> None:
    """Say which layers of `network` train.

    Mode "scratch": all. "fine_tune": the last, from the one that
    `params.train.fine_tune.first` names, or by number; batch normalisation stays
    as it is. Raises `InputError` for a layer that the network does not have.
    """
    import keras

    if spec.mode == "scratch":
        for layer in network.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                # A few hundred photographs are few steps; Keras's 0.99 needs hundreds.
                layer.momentum = 0.9
        return
    name, layers = spec.network, params.train.fine_tune.layers
    names = [layer.name for layer in network.layers]
    named = params.train.fine_tune.first.get(name)
    if named and named not in names:
        convolutions = [layer.name for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
        raise InputError(
            f"train.fine_tune.first.{name} = {named!r}: {name} has no such layer; its last convolutions "
            f"are {', '.join(convolutions[-5:])}"
        )
    first = names.index(named) if named else max(len(names) - layers, 0)
    for place, layer in enumerate(network.layers):
        layer.trainable = place >= first and not isinstance(layer, keras.layers.BatchNormalization)
    if not network.trainable_variables:
        raise InputError(
            f"train.fine_tune.layers = {layers}: nothing there can be trained in {name}; use more layers"
        )


def fit_network(
    embed: Embedder,
    head: Head,
    parts: dict[str, Part],
    params: Params,
    checkpoint: Checkpoint,
    log: Log,
) -> Fitted:
    """Train the network of `embed` and `head` together; the network is left at the best step.

    The network is prepared by `unfreeze`; `head` is of `fit_head` or
    `start_head`. Every epoch alters each training photograph anew.
    """
    import keras

    name, tuned = embed.spec.network, embed.spec.mode == "fine_tune"
    part, _ = pooled(embed.network, params.train.pooling)
    measured = keras.Input((parts["train"].measured.shape[1],))
    joined = keras.layers.Concatenate()([part.output, measured])
    trained = build(head.spec, head.weights)
    chosen = params.train.fine_tune if tuned else params.train
    curve, best = loop.fit(
        keras.Model([part.input, measured], trained(joined)),
        _photographs(parts["train"], name, params, altered=True),
        _photographs(parts["validation"], name, params, altered=False),
        plan_for(head.spec, params, chosen.epochs, chosen.learning_rate),
        log,
        checkpoint,
    )
    return Fitted(Head.of(head.spec, trained), curve, best)


def _photographs(part: Part, name: str, params: Params, *, altered: bool) -> loop.Examples:
    """The photographs of a partition for training its network, `altered` anew each epoch or as they are."""
    pixels, scores = part.pixels[0], part.scores[0]

    def batch(rows: np.ndarray, epoch: int) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
        chosen, aim = pixels[rows], scores[rows]
        if altered and epoch > 0:
            chosen, aim = augmented(pixels, scores, rows, epoch, params.augment)
        return (preprocess(name, chosen), part.measured[rows]), aim

    kind = params.train.class_weights if altered else "equal"
    return loop.Examples(batch, photograph_weights(part.rows.grade.to_numpy(), kind))
