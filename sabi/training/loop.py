"""Training epoch by epoch: one loop for the dense head, fine-tuning, and training from scratch.

Everything drawn in an epoch (order, augmentation, dropout) is a pure function
of a seed and the epoch's number, and everything that depends on the past
(learning rate, when to stop, which epoch is best) is a pure function of the
curve. So weights, optimiser and curve are the whole state: a training that
was killed goes on from its last checkpoint to the same bits.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from sabi.runtime.draws import uniform
from sabi.settings.train import Train
from sabi.training.checkpoint import Checkpoint, Curve
from sabi.training.losses import PerPhotograph
from sabi.training.parts import Log

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Examples:
    """What is trained on or validated: `batch(rows, epoch)` gives inputs and scores of those rows.

    `weights` (n,) float are the photographs' own; n is their number. Epoch 0 is
    for measuring, without augmentation.
    """

    batch: Callable[[np.ndarray, int], tuple[Any, np.ndarray]]
    weights: np.ndarray


@dataclass(frozen=True)
class Plan:
    """What a training makes small, how fast, for how long."""

    loss: PerPhotograph
    mae: PerPhotograph
    epochs: int  # at most
    learning_rate: float  # at the start
    settings: Train


def fit(
    model: "keras.Model",
    training: Examples,
    validation: Examples,
    plan: Plan,
    log: Log,
    checkpoint: Checkpoint | None = None,
) -> tuple[pd.DataFrame, int]:
    """Train `model`, leave it with the weights of its best epoch.

    Returns the curve and its best row, the first with the least `validation_loss`:
    row 0 is the model as it came, so that a training which only harms changes
    nothing. `log` is called for each row. Training ends early after
    `patience` rows without a better one.
    """
    params = plan.settings
    optimiser = _optimiser(params)
    model.compile(optimizer=optimiser)  # so that a checkpoint holds the optimiser's state, too
    optimiser.build(model.trainable_variables)
    train, measure = _steps(model, optimiser, plan)
    batch = min(params.batch_size, len(training.weights))
    resumed = checkpoint and checkpoint.load(model)
    if resumed:
        curve, best_weights = resumed
        print(f"continuing after epoch {len(curve) - 1}", flush=True)
    else:
        curve, best_weights = [], model.get_weights()
        start = (_averages(measure, part, _in_order(part, batch), 0) for part in (training, validation))
        curve.append(_point(*start))
        if checkpoint:
            checkpoint.save(model, curve, 0)
    for step, point in enumerate(curve):
        log(step, point)

    while len(curve) <= plan.epochs and len(curve) - 1 - best_of(curve) < params.patience:
        epoch = len(curve)
        optimiser.learning_rate.assign(rate(plan, epoch, curve))
        _seed_dropout(model, params.seed, epoch)
        shuffled = _shuffled(training, params.seed, epoch, batch)
        trained = _averages(train, training, shuffled, epoch, f"epoch {epoch} of {plan.epochs}")
        validated = _averages(measure, validation, _in_order(validation, batch), 0)
        curve.append(_point(trained, validated))
        log(epoch, curve[-1])
        if best_of(curve) == epoch:
            best_weights = model.get_weights()
        if checkpoint:
            checkpoint.save(model, curve, best_of(curve))
        if not np.isfinite(list(curve[-1].values())).all():
            break
    model.set_weights(best_weights)
    table = pd.DataFrame(curve)
    table.insert(0, "step", range(len(curve)))
    return table, best_of(curve)


def best_of(curve: Curve) -> int:
    """The first row with the least validation loss; what is not a number is never best."""
    losses = [point["validation_loss"] for point in curve]
    return int(np.argmin(np.where(np.isfinite(losses), losses, np.inf)))


def rate(plan: Plan, epoch: int, curve: Curve) -> float:
    """The learning rate of `epoch` (1 or more), which follows the rows of `curve`.

    "cosine" (Loshchilov and Hutter, 2017, without restarts) goes from the plan's
    rate towards zero; "plateau" halves it whenever half of `patience` epochs went by
    without a better validation loss or another halving.
    """
    start, patience = plan.learning_rate, plan.settings.patience
    if plan.settings.schedule == "cosine":
        return start * 0.5 * (1 + np.cos(np.pi * (epoch - 1) / plan.epochs))
    if plan.settings.schedule == "plateau":
        waited, halvings = 0, 0
        for row in range(1, len(curve)):
            waited = 0 if best_of(curve[: row + 1]) == row else waited + 1
            if waited >= max(1, patience // 2):
                waited, halvings = 0, halvings + 1
        return start * 0.5**halvings
    return start


def _optimiser(params: Train) -> "keras.optimizers.Optimizer":
    import keras

    return {
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
        "sgd": partial(keras.optimizers.SGD, momentum=0.9),
        "rmsprop": keras.optimizers.RMSprop,
    }[params.optimizer]()


Step = Callable[[Any, np.ndarray, np.ndarray], tuple[Any, Any]]


def _steps(model: "keras.Model", optimiser: "keras.Optimizer", plan: Plan) -> tuple[Step, Step]:
    """Functions of a batch, inputs, scores (b, 1) and weights (b,), that train on it and that only measure.

    Both give its mean loss and error. Keras's own `fit` takes longer to begin
    than a small head takes for an epoch.
    """
    import tensorflow as tf

    def judged(outputs: Any, scores: Any, weights: Any) -> tuple[Any, Any]:
        return tf.reduce_mean(plan.loss(scores, outputs) * weights), tf.reduce_mean(plan.mae(scores, outputs))

    # Of batches of any size one graph, so that it does not depend on which came first.
    every = tuple(tf.TensorSpec(tensor.shape, tf.float32) for tensor in model.inputs)
    inputs = every if len(every) > 1 else every[0]
    signature = [inputs, tf.TensorSpec((None, 1), tf.float32), tf.TensorSpec((None,), tf.float32)]
    function = partial(tf.function, autograph=False, input_signature=signature)

    @function
    def train(inputs: Any, scores: Any, weights: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            result = judged(model(inputs, training=True), scores, weights)
        variables = model.trainable_variables
        optimiser.apply(tape.gradient(result[0], variables), variables)
        return result

    @function
    def measure(inputs: Any, scores: Any, weights: Any) -> tuple[Any, Any]:
        return judged(model(inputs, training=False), scores, weights)

    return train, measure


def _averages(
    step: Step, examples: Examples, batches: list[np.ndarray], epoch: int, label: str | None = None
) -> tuple[float, float]:
    """Loss and error of all examples in `batches` of rows, each given to `step`; `label` shows a bar."""
    sums, count = np.zeros(2), 0
    for inputs, scores, weights in tqdm(
        _prepared(examples, batches, epoch),
        total=len(batches),
        desc=label,
        disable=label is None,
        unit="batch",
    ):
        sums += len(scores) * np.array([float(mean) for mean in step(inputs, scores, weights)])
        count += len(scores)
    return tuple(sums / count)


def _prepared(examples: Examples, batches: list[np.ndarray], epoch: int) -> Iterator[tuple[Any, Any, Any]]:
    """Inputs, scores (b, 1) and weights (b,) of each batch, the next made while one is in use."""

    def prepare(rows: np.ndarray) -> tuple[Any, Any, Any]:
        inputs, scores = examples.batch(rows, epoch)
        return inputs, scores.astype(np.float32)[:, None], examples.weights[rows].astype(np.float32)

    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(prepare, batches[0])
        for rows in batches[1:]:
            batch, following = following, pool.submit(prepare, rows)
            yield batch.result()
        yield following.result()


def _shuffled(examples: Examples, seed: int, epoch: int, batch: int) -> list[np.ndarray]:
    """All rows in the order of an epoch, in batches.

    A last batch of one photograph would ruin batch normalisation: the rest of
    an epoch's order is left out, other photographs each epoch.
    """
    order = np.random.default_rng([seed, epoch]).permutation(len(examples.weights))
    full = len(order) // batch * batch
    return list(order[:full].reshape(-1, batch))


def _in_order(examples: Examples, batch: int) -> list[np.ndarray]:
    count = len(examples.weights)
    return [np.arange(start, min(start + batch, count)) for start in range(0, count, batch)]


def _point(trained: tuple[float, float], validated: tuple[float, float]) -> dict[str, float]:
    return {
        "train_loss": float(trained[0]),
        "train_mae": float(trained[1]),
        "validation_loss": float(validated[0]),
        "validation_mae": float(validated[1]),
    }


def _seed_dropout(model: "keras.Model", seed: int, epoch: int) -> None:
    """Set every layer's own random state from the seed, its place and the epoch."""
    for place, generator in enumerate(_generators(model)):
        start = int(uniform("dropout", seed, place, epoch) * 2**32)
        generator.state.assign(np.array([start, 0], np.uint32))


def _generators(model: "keras.Model") -> Iterator["keras.random.SeedGenerator"]:
    """The random generators of all layers, nested ones too."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _generators(layer)
        elif getattr(layer, "seed_generator", None) is not None:
            yield layer.seed_generator
