"""A network's forward pass, kept: traced once, from then on run without building the network.

Keras takes longer to build, calibrate and trace a network than the network
takes for hundreds of photographs. What is kept is TensorFlow's graph, with the
weights beside it as arrays; no pickle. The graph is run as it was kept, also by
the process that has traced it, so that both get the same bits.
"""

import io
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from sabi.runtime.determinism import pin_tensorflow


def trace(model: Any, batch: int) -> bytes:
    """The forward pass of a `keras.Model` with one input and one output, for full batches of `batch` rows."""
    import tensorflow as tf

    function = tf.function(lambda rows: model(rows, training=False), autograph=False).get_concrete_function(
        tf.TensorSpec((batch, *model.input_shape[1:]), tf.float32)
    )
    values = {id(variable.handle): variable.numpy() for variable in function.graph.variables}
    weights, constants = {}, {}
    for outside, inside in function.graph.captures:
        if outside.dtype == tf.resource:
            weights[inside.name] = values[id(outside)]
        else:
            constants[inside.name] = outside.numpy()
    stream = io.BytesIO()
    np.savez(
        stream,
        graph=np.frombuffer(function.graph.as_graph_def().SerializeToString(), np.uint8),
        ends=[function.inputs[0].name, function.outputs[0].name],
        shape=function.inputs[0].shape,
        weights=list(weights),
        constants=list(constants),
        **{f"value{place}": value for place, value in enumerate((weights | constants).values())},
    )
    return stream.getvalue()


def load(content: bytes) -> Callable[[np.ndarray], np.ndarray]:
    """The forward pass that `trace` gave, as a function of a batch of float32; threads may share it."""
    pin_tensorflow()
    import tensorflow as tf

    with np.load(io.BytesIO(content)) as kept:
        graph = tf.compat.v1.GraphDef.FromString(kept["graph"].tobytes())
        (inputs, outputs), shape = kept["ends"].tolist(), kept["shape"].tolist()
        weights, constants = kept["weights"].tolist(), kept["constants"].tolist()
        values = [kept[f"value{place}"] for place in range(len(weights) + len(constants))]
    variables = [tf.Variable(value, trainable=False) for value in values[: len(weights)]]
    given = [variable.handle for variable in variables] + [tf.constant(v) for v in values[len(weights) :]]

    @partial(tf.function, autograph=False)
    def forward(rows: Any) -> Any:
        capture = tf.compat.v1.get_default_graph().capture
        wanted = {name: capture(tensor) for name, tensor in zip(weights + constants, given, strict=True)}
        return tf.graph_util.import_graph_def(graph, wanted | {inputs: rows}, [outputs], name="")[0]

    concrete = forward.get_concrete_function(tf.TensorSpec(shape, tf.float32))

    def run(rows: np.ndarray, _variables: list[Any] = variables) -> np.ndarray:
        # The graph knows the variables' handles alone: they live as long as this function.
        return concrete(tf.constant(rows)).numpy()

    return run
