"""Milliseconds for a training batch of `fit` in kcore; the device is that of KCORE_BACKEND."""

from __future__ import annotations

import importlib
import os
from typing import Any

import numpy as np
from networks import Options, Workload, options, report


def build(workload: Workload, name: str) -> Any:
    """The compiled model."""
    from kcore import layers as L
    from kcore.models import Sequential

    if name == "resnet50":
        return importlib.import_module("kcore.applications.resnet50").ResNet50(weights=None)
    made = {
        "dense": lambda units, activation: L.Dense(units, activation=activation),
        "dropout": L.Dropout,
        "relu": lambda: L.Activation("relu"),
        "flatten": L.Flatten,
        "batch_norm": L.BatchNormalization,
        "conv2d": lambda f, k, s, padding, act: L.Conv2D(f, k, strides=s, padding=padding, activation=act),
        "depthwise": lambda k, s: L.DepthwiseConv2D(k, strides=s, padding="same"),
        "pool2d": lambda: L.MaxPooling2D(2),
        "global_average2d": L.GlobalAveragePooling2D,
        "embedding": L.Embedding,
        "conv1d": lambda filters, k, act: L.Conv1D(filters, k, activation=act),
        "global_max1d": L.GlobalMaxPooling1D,
        "lstm": L.LSTM,
        "lstm_sigmoid": lambda units: L.LSTM(units, recurrent_activation="sigmoid"),
        "bigru": lambda units: L.Bidirectional(L.GRU(units, return_sequences=True)),
    }
    model = Sequential([L.InputLayer(workload.shape, dtype="int32" if workload.words else None)])
    for kind, *args in workload.layers:
        model.add(made[kind](*args))
    model.add(L.Activation("sigmoid" if workload.classes == 1 else "softmax"))
    return model


def compiled(workload: Workload, name: str) -> Any:
    """The model, ready to train."""
    from kcore import optimizers

    model = build(workload, name)
    optimizer = optimizers.SGD(momentum=0.9, nesterov=True) if workload.optimizer == "nesterov" else workload.optimizer
    model.compile(optimizer, "binary_crossentropy" if workload.classes == 1 else "categorical_crossentropy")
    return model


def _expected(model: Any, asked: Options) -> dict[str, float]:
    """Milliseconds for a step on an H100 at least, by the count of what it does; see costs.py."""
    from kcore import backend as K

    if K.backend() != "cupy":
        return {}
    from costs import training_plan

    from kcore_backends_cupy import costs

    return {"expected_ms": 1e3 * costs.step(costs.costs(training_plan(model, asked.workload, asked.batch)))}


def main(asked: Options) -> None:
    if asked.tf32:
        os.environ["KCORE_TF32"] = "1"
    np.random.seed(0)
    import kcore
    from kcore import backend as K

    model = compiled(asked.workload, asked.name)
    x, y = asked.workload.data(asked.samples)

    def epoch() -> float:
        return float(model.fit(x, y, batch_size=asked.batch, epochs=1, verbose=0).history["loss"][0])

    told = {"framework": f"kcore {kcore.__version__}", "device": K.backend(), "parameters": model.count_params()}
    report(asked, epoch, **told, **_expected(model, asked))


if __name__ == "__main__":
    main(options(__doc__))
