"""How fast this machine runs the networks and the dense head, beside what it could do.

For `sabi/bench/cases.py`, which starts it by `sabi throughput SIDE ROUNDS FILE`: a process of
its own, so that nothing else it has loaded takes part. Everything is
measured under sabi's settings (`sabi/runtime/determinism.py`), other engines too, each
with all cores, and in turns (A B A B), so that a busy spell of the machine
falls on all.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from tqdm import tqdm

from sabi.backbones.building import build, preprocess
from sabi.backbones.calibration import calibration_batch
from sabi.backbones.embedder import Embedder
from sabi.backbones.pooling import pooled
from sabi.backbones.spec import BackboneSpec
from sabi.models.head import build as build_head
from sabi.networks import NETWORKS, STANDARD, Application
from sabi.runtime.determinism import fix_threads
from sabi.settings.loading import load
from sabi.settings.params import Params
from sabi.settings.train import Pooling
from sabi.tables import write_json
from sabi.training import loop
from sabi.training.dense import plan_for
from sabi.training.frozen import head_spec

PHOTOGRAPHS = 128  # embedded in one turn
BATCH = 32  # of the other engines, Keras's own
MATRIX = 2048  # side of the matrices whose product is the machine's rate of arithmetic
ADDED = 2**26  # floats whose addition is its rate of memory, far more than its caches hold
FEATURES, STEPS = 1280, 32  # EfficientNetV2S's last block; steps a measured epoch of the head
# The wiki's features, so that the engines do the same work and pooling is none of it.
POOLING = Pooling(layers="last_block", statistics="mean", flips=1, balance=0)


def seconds_of(work: Callable[[], Any]) -> float:
    """How long `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_turns(works: dict[str, Callable[[], Any]], rounds: int, label: str) -> dict[str, float]:
    """Median seconds of each of `works` over `rounds` turns, after one that is not counted."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for turn in tqdm(range(rounds + 1), desc=label, unit="turn"):
        for name, work in works.items():
            seconds = seconds_of(work)
            if turn:
                taken[name].append(seconds)
    return {name: median(seconds) for name, seconds in taken.items()}


def gflop(model: Any) -> float:
    """Floating-point operations, 1e9, of a `keras.Model`'s forward pass of one input row.

    Counted by TensorFlow's profiler in the graph with its variables folded to
    constants; a multiplication and an addition are two operations.
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    spec = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)
    traced = tf.function(lambda inputs: model(inputs, training=False)).get_concrete_function(spec)
    profiler = tf.compat.v1.profiler
    counted = profiler.profile(
        convert_variables_to_constants_v2(traced).graph,
        options=profiler.ProfileOptionBuilder(profiler.ProfileOptionBuilder.float_operation())
        .with_empty_output()
        .build(),
    )
    return counted.total_float_ops / 1e9


def multiplication(side: int) -> Callable[[], Any]:
    """The product of two float32 matrices (side, side) on all cores, 2 * side^3 operations."""
    import tensorflow as tf

    matrices = tf.random.normal((2, side, side))
    return tf.function(lambda: tf.reduce_sum(matrices[0] @ matrices[1]))


def engines(name: str, side: int) -> tuple[dict[str, Callable[[np.ndarray], Any]], Any]:
    """By engine, a function that embeds (n, side, side, 3) uint8 with a network; and Keras's model of it."""
    import keras

    network = NETWORKS[name]
    assert isinstance(network, Application), name
    constructor = getattr(keras.applications, network.architecture)
    plain = constructor(include_top=False, weights=None, input_shape=(side, side, 3))
    plain.set_weights(build(name, side, "random", 0).get_weights())
    model = pooled(plain, POOLING)[0]
    runs = {"Keras predict": lambda pixels: model.predict(preprocess(name, pixels), BATCH, verbose=0)}
    if find_spec("openvino"):
        infer = openvino(model, BATCH)
        runs["OpenVINO"] = lambda pixels: infer(preprocess(name, pixels))
    return runs, model


@contextmanager
def embedder_apart(name: str, side: int, batch: int) -> Iterator[Callable[[np.ndarray], np.ndarray]]:
    """The pipeline's embedder in a process of its own, whose TensorFlow has one thread a batch."""
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_embed, args=(there, name, side, batch))
    process.start()
    there.close()

    def run(pixels: np.ndarray) -> np.ndarray:
        here.send(pixels)
        return here.recv()

    try:
        yield run
    finally:
        here.close()
        process.join()


def _embed(there: Connection, name: str, side: int, batch: int) -> None:
    fix_threads(1)
    spec = BackboneSpec(
        network=name,
        mode="scratch",  # nothing is stored
        weights="random",
        weights_seed=0,
        weights_sha256=None,
        size=side,
        embed_batch=batch,
        pooling=POOLING,
    )
    embed = Embedder(spec)
    with suppress(EOFError):  # until the other end is closed
        while True:
            there.send(embed(there.recv()))


def networks(side: int, rounds: int, batch: int) -> dict[str, dict[str, Any]]:
    """By network: GFLOP a photograph, photographs a second in each engine, GFLOP/s of the product."""
    pixels = np.concatenate([calibration_batch(side, 32, seed) for seed in range(PHOTOGRAPHS // 32)])
    measured = {}
    for name in STANDARD:
        runs, model = engines(name, side)
        with embedder_apart(name, side, batch) as embed:
            runs = {"sabi": embed} | runs
            works = {engine: partial(run, pixels) for engine, run in runs.items()}
            seconds = in_turns(works | {"product": multiplication(MATRIX)}, rounds, name)
        measured[name] = {
            "gflop": gflop(model),
            "product_gflop_per_second": 2 * MATRIX**3 / 1e9 / seconds["product"],
            "photographs_per_second": {engine: len(pixels) / seconds[engine] for engine in runs},
        }
    return measured


def openvino(model: Any, batch: int) -> Callable[[np.ndarray], Any]:
    """`model` in OpenVINO, float32, as a function of (n, side, side, 3) float32, n a multiple of `batch`.

    As many batches at once as OpenVINO finds best.
    """
    import openvino as ov
    import tensorflow as tf

    spec = tf.TensorSpec((batch, *model.input_shape[1:]), tf.float32)
    traced = tf.function(lambda inputs: model(inputs, training=False), input_signature=[spec])
    traced.get_concrete_function()
    compiled = ov.compile_model(
        ov.convert_model(traced, example_input=tf.zeros(spec.shape)),
        "CPU",
        {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"},
    )
    queue = ov.AsyncInferQueue(compiled)

    def run(rows: np.ndarray) -> None:
        for start in range(0, len(rows), batch):
            queue.start_async(rows[start : start + batch])
        queue.wait_all()

    return run


def dense_head(rounds: int, params: Params) -> dict[str, float]:
    """Seconds of a training step of the wiki's dense head, and the least that its work could take.

    The least is the time of its multiplications at the rate of a large product
    plus that of moving its weights at the rate of a large addition: a weight is
    read forward and backward, its gradient written; Adam reads both and its two
    averages, and writes all but the gradient. That is ten floats a weight.
    """
    import tensorflow as tf

    batch = params.train.batch_size
    train = {"head": "dense", "output": "linear", "patience": rounds + 2}
    chosen = params.model_copy(update={"train": params.train.model_copy(update=train)})
    spec = head_spec(STANDARD[0], FEATURES, chosen)
    model = build_head(spec)
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((STEPS * batch, FEATURES), np.float32)
    scores = rng.uniform(1, spec.grades, len(rows))
    ends: list[float] = []

    def examples(count: int) -> loop.Examples:
        return loop.Examples(lambda some, epoch: (rows[some], scores[some]), np.ones(count))

    loop.fit(
        model,
        examples(len(rows)),
        examples(batch),
        plan_for(spec, chosen, rounds + 2, chosen.train.learning_rate),
        lambda *_: ends.append(time.perf_counter()),
    )
    # The first epoch also traces the step.
    step = median(np.diff(ends)[1:]) / STEPS

    weights = [int(np.prod(layer.kernel.shape)) for layer in model.layers if hasattr(layer, "kernel")]
    # Forward, gradient of the weights, gradient of the inputs; the first layer's inputs need none.
    operations = 2 * batch * (3 * sum(weights) - weights[0])
    sums = tf.Variable(tf.zeros(ADDED))
    ones = tf.ones(ADDED)
    addition = tf.function(lambda: sums.assign_add(ones))  # reads two, writes one
    seconds = in_turns({"product": multiplication(MATRIX), "addition": addition}, rounds, "head")
    arithmetic = operations / (2 * MATRIX**3 / seconds["product"])
    traffic = 10 * sum(weights) / (3 * ADDED / seconds["addition"])
    return {"step_seconds": step, "arithmetic_seconds": arithmetic, "traffic_seconds": traffic}


def measure(side: int, rounds: int, file: Path) -> None:
    """Measure on photographs of `side` pixels, `rounds` turns each, and write it to `file` as JSON."""
    params = load()
    measured = {
        "networks": networks(side, rounds, params.train.embed_batch),
        "head": dense_head(rounds, params),
    }
    write_json(measured, file)
