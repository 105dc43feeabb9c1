"""Writes `recurrent.npz`: recurrent layers as the original computes them, with the defaults of Keras 2.1.6.

Run in an environment with `tensorflow-cpu` and `tf-keras`; the tests need neither. Every case is a dictionary of a
layer, its arguments, and which operands it is given; arrays are drawn from the case's number, values are float32.
"""

from __future__ import annotations

import json
import pathlib

import numpy as np

HERE = pathlib.Path(__file__).parent
BATCH, STEPS, FEATURES, UNITS = 3, 5, 4, 2
GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}


def cases() -> list[dict]:
    """Layer, its arguments, whether it gets a mask and initial states."""
    found = []
    for layer in GATES:
        gates = {} if layer == "SimpleRNN" else {"recurrent_activation": "hard_sigmoid"}
        if layer == "GRU":
            gates["reset_after"] = False
        for mask in (False, True):
            for states in (False, True):
                for backwards in (False, True):
                    found.append({"layer": layer, "mask": mask, "states": states,
                                  "arguments": gates | {"go_backwards": backwards}})  # fmt: skip
        for activation in ("relu", "softsign", "sigmoid", "linear"):
            found.append({"layer": layer, "mask": True, "states": False,
                          "arguments": gates | {"activation": activation}})  # fmt: skip
        found.append({"layer": layer, "mask": True, "states": True, "arguments": gates | {"use_bias": False}})
    for activation in ("hard_sigmoid", "sigmoid"):
        for bias in (False, True):
            arguments = {"recurrent_activation": activation, "reset_after": True, "use_bias": bias}
            found.append({"layer": "GRU", "mask": True, "states": True, "arguments": arguments})
    for activation in ("sigmoid", "tanh", "softplus"):
        found.append({"layer": "LSTM", "mask": False, "states": True,
                      "arguments": {"recurrent_activation": activation}})  # fmt: skip
    return found


def arrays(number: int, case: dict) -> dict[str, np.ndarray]:
    """The operands of a case by name, and a weight for each number of the outputs."""
    rng = np.random.default_rng(number)
    columns = GATES[case["layer"]] * UNITS
    bias = (2, columns) if case["arguments"].get("reset_after") else (columns,)
    shapes = {"x": (BATCH, STEPS, FEATURES), "kernel": (FEATURES, columns), "recurrent": (UNITS, columns)}
    if case["arguments"].get("use_bias", True):
        shapes["bias"] = bias
    if case["states"]:
        shapes |= dict.fromkeys(("h0", "c0") if case["layer"] == "LSTM" else ("h0",), (BATCH, UNITS))
    found = {name: (rng.integers(-64, 65, shape) / 64).astype("float32") for name, shape in shapes.items()}
    if case["mask"]:
        mask = rng.random((BATCH, STEPS)) > 0.4
        mask[:, 0] = mask[:, -1] = True  # before its first output, the later original gives zeros where 2.1.6 gives h0
        found["mask"] = mask
    found["weights"] = (rng.integers(-8, 9, (BATCH, STEPS, UNITS)) / 8).astype("float32")
    return found


def main() -> None:
    import tensorflow as tf
    import tf_keras

    stored = {"cases": np.array(json.dumps(cases()))}
    for number, case in enumerate(cases()):
        given = arrays(number, case)
        layer = getattr(tf_keras.layers, case["layer"])(
            UNITS, return_sequences=True, return_state=True, **case["arguments"]
        )
        x = tf.constant(given["x"])
        layer(x)
        layer.set_weights([given[name] for name in ("kernel", "recurrent", "bias") if name in given])
        states = [tf.constant(given[name]) for name in ("h0", "c0") if name in given]
        mask = tf.constant(given["mask"]) if case["mask"] else None
        with tf.GradientTape() as tape:
            tape.watch([x, *states])
            outputs, *last = layer(x, mask=mask, initial_state=states or None)
            loss = tf.reduce_sum(outputs * given["weights"]) + sum(tf.reduce_sum(s) for s in last)
        gradients = tape.gradient(loss, [x, *layer.trainable_variables, *states])
        for kind, tensors in (("outputs", [outputs]), ("last", last), ("gradient", gradients)):
            for i, tensor in enumerate(tensors):
                stored[f"{number}:{kind}:{i}"] = tensor.numpy()
    np.savez_compressed(HERE / "recurrent.npz", **stored)


if __name__ == "__main__":
    main()
