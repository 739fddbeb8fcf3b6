"""The heads: what turns an embedding into a score.

All standardise the embedding first. What the last layer gives is the output: a
score ("linear", "sigmoid") or the logits of being above each grade ("coral",
"corn"); `to_score` makes one score of any.

A head is its spec and its weights, arrays by layer and variable. Keras trains
it (`build`, `sabi/training/dense.py`), or it is linear and solved at once
(`sabi/training/ridge.py`); `Head` predicts without Keras, whose loading takes
longer. `tests/models/test_head.py` shows that both agree.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sabi.grades import LOWEST
from sabi.runtime.determinism import pin_tensorflow
from sabi.runtime.threads import in_batches
from sabi.settings.section import Section
from sabi.settings.train import Output

if TYPE_CHECKING:
    import keras

Weights = dict[str, np.ndarray]

BATCH = 64  # rows that are predicted at once
EPSILON = {"standardise": 1e-7, "batch_norm": 1e-3}  # Keras's own


class HeadSpec(Section):
    """How a head is built. Without hidden `units` it is linear."""

    features: int  # length of what it is given
    grades: int
    units: list[int]
    dropout: float
    output: Output


@dataclass(frozen=True)
class Head:
    """A head that has learnt."""

    spec: HeadSpec
    weights: Weights

    @classmethod
    def of(cls, spec: HeadSpec, model: "keras.Sequential") -> "Head":
        """The head that a Keras `model` made by `build(spec)` has become."""
        return cls(spec, {name: np.array(variable) for name, variable in _variables(model).items()})

    @classmethod
    def load(cls, spec: HeadSpec, file: Path) -> "Head":
        """The head that `save` wrote."""
        with np.load(file) as arrays:
            return cls(spec, dict(arrays))

    def save(self, file: Path) -> None:
        """Write the weights, NumPy's npz."""
        np.savez(file, allow_pickle=False, **self.weights)

    @property
    def parameters(self) -> int:
        """The number of weights."""
        return sum(weight.size for weight in self.weights.values())

    def standardised(self, embeddings: np.ndarray) -> np.ndarray:
        """What the layers after the first see of embeddings (n, features): as many float32."""
        return _standardised(self.weights, embeddings).astype(np.float32)

    def predict(self, embeddings: np.ndarray) -> np.ndarray:
        """Scores (n,) float64, 1 to the number of grades, of embeddings (n, features) float32.

        A row's score has the same bits in any company: in double precision, unlike
        in single, OpenBLAS adds up a row alike wherever it stands in a batch.
        """
        double = {name: weight.astype(float) for name, weight in self.weights.items()}

        def forward(rows: np.ndarray) -> np.ndarray:
            return to_score(_outputs(double, rows.astype(float), self.spec), self.spec, np)

        return in_batches(forward, embeddings, BATCH)


def build(spec: HeadSpec, weights: Weights | None = None) -> "keras.Sequential":
    """A head from (n, features) to the outputs, a `keras.Sequential`; untrained without `weights`.

    Without hidden units it is linear. With them it is the wiki's: the first
    layer is followed by batch normalisation and dropout, the others are plain.
    Outputs are (n, 1), or (n, grades - 1) logits for "coral" and "corn".
    """
    pin_tensorflow()
    import keras

    from sabi.backbones.normalisation import BatchNormalization

    # Named, because Keras's own numbering would depend on what else the process has built.
    layers = [keras.Input((spec.features,)), keras.layers.Normalization(name="standardise")]
    for depth, units in enumerate(spec.units, start=1):
        layers.append(keras.layers.Dense(units, activation="relu", name=f"hidden_{depth}"))
        if depth == 1:
            layers.append(BatchNormalization(name="batch_norm", epsilon=EPSILON["batch_norm"]))
            layers.append(keras.layers.Dropout(spec.dropout, name="dropout"))
    layers += _output(spec.output, spec.grades)
    head = keras.Sequential(layers, name="head")
    # Until now the standardisation has no numbers; 0 and 1 let it be called.
    standardise(head, np.zeros(spec.features), np.ones(spec.features))
    if weights is not None:
        for name, variable in _variables(head).items():
            variable.assign(weights[name])
    head.layers[0].finalize_state()
    return head


def standardise(head: "keras.Sequential", mean: np.ndarray, variance: np.ndarray) -> None:
    """Set what a Keras head's first layer takes out of each feature."""
    head.layers[0].set_weights([mean.astype(np.float32), variance.astype(np.float32), np.int32(0)])
    head.layers[0].finalize_state()


def _variables(head: "keras.Sequential") -> "dict[str, keras.Variable]":
    named = {f"{layer.name}.{v.name}": v for layer in head.layers for v in layer.weights}
    return {name: variable for name, variable in named.items() if name != "standardise.count"}


def _output(output: str, grades: int) -> "list[keras.layers.Layer]":
    """The last layers for an output."""
    from keras import layers

    from sabi.models.ordinal import Borders

    borders = grades - 1
    if output == "linear":
        return [layers.Dense(1, name="score")]
    if output == "sigmoid":
        scaled = layers.Rescaling(float(borders), offset=LOWEST, name="scaled")
        return [layers.Dense(1, activation="sigmoid", name="score"), scaled]
    if output == "corn":
        return [layers.Dense(borders, name="logits")]
    # One weight vector for all borders, so that they are parallel.
    return [layers.Dense(1, use_bias=False, name="shared"), Borders(borders, name="logits")]


def to_score(outputs: Any, spec: HeadSpec, ops: Any) -> Any:
    """Scores (n,) within the grades from a head's outputs; `ops` is `numpy` or, for tensors, `keras.ops`.

    From logits it is 1 plus the expected number of borders surpassed; with
    "corn" the probability of being above a border is the product up to it.
    """
    if spec.output not in ("coral", "corn"):
        return ops.clip(outputs[:, 0], LOWEST, float(spec.grades))
    above = _sigmoid(outputs, ops)
    return LOWEST + ops.sum(above if spec.output == "coral" else ops.cumprod(above, axis=1), axis=1)


def _sigmoid(logits: Any, ops: Any) -> Any:
    return 0.5 + 0.5 * ops.tanh(0.5 * logits)  # nothing overflows


def _standardised(weights: Weights, rows: np.ndarray) -> np.ndarray:
    deviation = np.maximum(np.sqrt(weights["standardise.variance"]), EPSILON["standardise"])
    return (rows - weights["standardise.mean"]) / deviation


def _outputs(weights: Weights, rows: np.ndarray, spec: HeadSpec) -> np.ndarray:
    """What the Keras head of `build` gives for `rows` when it is not being trained."""

    def dense(layer: str, inputs: np.ndarray) -> np.ndarray:
        return inputs @ weights[f"{layer}.kernel"] + weights.get(f"{layer}.bias", 0.0)

    rows = _standardised(weights, rows)
    for depth in range(1, 1 + len(spec.units)):
        rows = np.maximum(dense(f"hidden_{depth}", rows), 0)
        if depth == 1:
            deviation = np.sqrt(weights["batch_norm.moving_variance"] + EPSILON["batch_norm"])
            scale = weights["batch_norm.gamma"] / deviation
            rows = rows * scale + (weights["batch_norm.beta"] - weights["batch_norm.moving_mean"] * scale)
    if spec.output == "corn":
        return dense("logits", rows)
    if spec.output == "coral":
        return dense("shared", rows) + weights["logits.bias"]
    score = dense("score", rows)
    if spec.output == "sigmoid":
        return LOWEST + (spec.grades - 1) * _sigmoid(score, np)
    return score
