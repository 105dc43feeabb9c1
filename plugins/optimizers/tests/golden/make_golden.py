"""Makes golden.npz: parameters after each of some steps with the optimizers of tf-keras.

    pip install tf-keras tensorflow-cpu     # in a throw-away environment
    python make_golden.py

The `legacy` optimizers have the formulas of Keras 2.1, and `decay` and `schedule_decay` as it has them.
"""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras

STEPS = 8
legacy = tf_keras.optimizers.legacy
# Keras 2.1's arguments, by the name of a case; the class is what comes before the first blank.
CASES = {
    "SGD": {"lr": 0.05},
    "SGD decay": {"lr": 0.05, "decay": 0.3},
    "SGD momentum": {"lr": 0.03, "momentum": 0.9},
    "SGD nesterov": {"lr": 0.03, "momentum": 0.9, "nesterov": True, "decay": 0.1},
    "SGD clipvalue": {"lr": 0.05, "clipvalue": 0.5},
    "RMSprop": {"lr": 0.02},
    "RMSprop rho": {"lr": 0.02, "rho": 0.7, "decay": 0.1, "epsilon": 1e-3},
    "Adagrad": {"lr": 0.2},
    "Adagrad decay": {"lr": 0.2, "decay": 0.1, "epsilon": 1e-3},
    "Adadelta": {"lr": 1.0},
    "Adadelta rho": {"lr": 0.8, "rho": 0.8, "decay": 0.1, "epsilon": 1e-2},
    "Adam": {"lr": 0.05},
    "Adam betas": {"lr": 0.05, "beta_1": 0.7, "beta_2": 0.9, "epsilon": 1e-2, "decay": 0.1},
    "Adam amsgrad": {"lr": 0.05, "beta_2": 0.6, "amsgrad": True},
    "Adamax": {"lr": 0.05},
    "Adamax betas": {"lr": 0.05, "beta_1": 0.7, "beta_2": 0.9, "epsilon": 1e-2, "decay": 0.1},
    "Nadam": {"lr": 0.05},
    "Nadam schedule": {"lr": 0.05, "beta_1": 0.8, "beta_2": 0.95, "schedule_decay": 0.3},
}

rng = np.random.RandomState(3)
start = [rng.normal(size=(4, 3)).astype("float32"), rng.normal(size=3).astype("float32")]
scale = [rng.uniform(0.3, 2.0, size=p.shape).astype("float32") for p in start]
shift = [rng.normal(size=p.shape).astype("float32") for p in start]


def make(name, arguments):
    arguments = dict(arguments)
    arguments["learning_rate"] = arguments.pop("lr")
    kind = name.split()[0]
    if kind == "Adagrad":
        arguments["initial_accumulator_value"] = 0.0
    if kind != "SGD":
        arguments.setdefault("epsilon", 1e-7)
    return getattr(legacy, kind)(**arguments)


arrays = {"cases": np.array(json.dumps(CASES))}
for what, values in (("start", start), ("scale", scale), ("shift", shift)):
    arrays.update({f"{what}/{i}": value for i, value in enumerate(values)})
for name, arguments in CASES.items():
    optimizer = make(name, arguments)
    params = [tf.Variable(p) for p in start]
    path = [[], []]
    for _ in range(STEPS):
        with tf.GradientTape() as tape:
            # convex, with a gradient that changes its sign on the way
            loss = sum(tf.reduce_sum(a * tf.square(p - b) + 0.1 * p**4) for p, a, b in zip(params, scale, shift))
        optimizer.apply_gradients(zip(tape.gradient(loss, params), params))
        for values, p in zip(path, params):
            values.append(p.numpy())
    for i, values in enumerate(path):
        arrays[f"{name}/{i}"] = np.stack(values)

np.savez_compressed(Path(__file__).with_name("golden.npz"), **arrays)
