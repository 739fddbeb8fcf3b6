"""A head on embeddings that stay as they are."""

import numpy as np

from sabi.models.head import HeadSpec
from sabi.networks import NETWORKS, Own
from sabi.settings.params import Params
from sabi.training.dense import fit_dense
from sabi.training.moments import photograph_weights
from sabi.training.parts import Fitted, Log, Part
from sabi.training.ridge import Examples, fit_ridge


def head_spec(name: str, features: int, params: Params) -> HeadSpec:
    """The head that `params` give the network `name`, on so many features.

    Networks of our own end in dense layers of theirs and get no more.
    """
    train = params.train
    hidden = train.head == "dense" and not isinstance(NETWORKS[name], Own)
    return HeadSpec(
        features=features,
        grades=len(params.labels.grades),
        units=train.dense.units if hidden else [],
        dropout=train.dense.dropout if hidden else 0.0,
        output=train.output,
    )


def fit_head(
    parts: dict[str, Part],
    rows: dict[str, np.ndarray],
    channels: list[int],
    spec: HeadSpec,
    params: Params,
    log: Log,
) -> Fitted:
    """The head of a frozen network.

    `rows` are the `features` of "train", all versions, and "validation",
    `channels` the embedder's.
    """
    train = parts["train"]
    scores, versions = train.scores.reshape(-1), len(train.scores)
    weights = photograph_weights(np.tile(train.rows.grade, versions), params.train.class_weights)
    validation = rows["validation"], parts["validation"].scores[0]
    if params.train.head == "dense":
        return fit_dense((rows["train"], scores, weights), validation, channels, spec, params, log)
    specimens = np.tile(train.rows.specimen, versions)
    # What mixup has changed is of two specimens.
    pure = (train.scores == train.scores[0]).reshape(-1)
    examples = Examples(rows["train"], scores, weights, specimens, pure)
    return fit_ridge(examples, validation, channels, spec, params.train, log)
