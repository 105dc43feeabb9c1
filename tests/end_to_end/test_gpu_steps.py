"""Training steps on the GPU's kernels, run on the host: values beside NumPy's, and how many launches they take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kcore.layers import (
    LSTM,
    AveragePooling2D,
    BatchNormalization,
    Bidirectional,
    Conv2D,
    Conv2DTranspose,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    LocallyConnected2D,
    MaxPooling2D,
    SeparableConv2D,
    SimpleRNN,
)
from kcore.models import Sequential
from kcore.runtime import devices, executor
from kcore.runtime.numpy_device import NumpyDevice

pytest.importorskip("kcore_backends_cupy")

from kcore_backends_cupy import CupyDevice
from kcore_backends_cupy.capture import Segment, taken_apart
from kcore_backends_cupy.emulation.compiler import compiler

pytestmark = pytest.mark.skipif(compiler() is None, reason="there is no g++")

R = np.random.RandomState(0)
LABELS = np.eye(10, dtype="float32")[R.randint(0, 10, 64)]


def mlp() -> tuple[Any, np.ndarray]:
    layers = [Dense(64, activation="relu", input_shape=(20,)), Dropout(0.5), Dense(64, activation="relu")]
    return Sequential([*layers, Dense(10, activation="softmax")]), R.rand(64, 20).astype("float32")


def cnn() -> tuple[Any, np.ndarray]:
    layers = [
        Conv2D(8, 3, activation="relu", input_shape=(12, 12, 1)),
        BatchNormalization(),
        MaxPooling2D(),
        Flatten(),
        Dense(16, activation="relu"),
        Dropout(0.25),
        Dense(10, activation="softmax"),
    ]
    return Sequential(layers), R.rand(64, 12, 12, 1).astype("float32")


def convolutions() -> tuple[Any, np.ndarray]:
    layers = [
        Conv2D(6, 3, strides=2, padding="same", input_shape=(12, 12, 3)),
        Conv2DTranspose(4, 3, strides=2, padding="same", activation="relu"),
        SeparableConv2D(5, 3, padding="same"),
        AveragePooling2D(3, strides=2, padding="same"),
        LocallyConnected2D(4, 2),
        Flatten(),
        Dense(10, activation="softmax"),
    ]
    return Sequential(layers), R.rand(64, 12, 12, 3).astype("float32")


def text() -> tuple[Any, np.ndarray]:
    layers = [Embedding(30, 6, mask_zero=True, input_length=5), LSTM(8), Dense(10, activation="softmax")]
    return Sequential(layers), R.randint(0, 30, (64, 5)).astype("float32")


def bidirectional() -> tuple[Any, np.ndarray]:
    layers = [Bidirectional(SimpleRNN(5), input_shape=(4, 3)), Dense(10, activation="softmax")]
    return Sequential(layers), R.rand(64, 4, 3).astype("float32")


def trained(make: Callable[[], tuple[Any, np.ndarray]], device: Any) -> tuple[list[float], list[Any]]:
    """Losses of some steps, and the instances that ran."""
    made: list[Any] = []
    bind = executor.Instance.__init__

    def remember(self: Any, *args: Any, **kwargs: Any) -> None:
        bind(self, *args, **kwargs)
        made.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(devices, "_current", device)
        patch.setattr(executor.Instance, "__init__", remember)
        np.random.seed(3)
        R.seed(1)
        model, x = make()
        model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
        history = model.fit(x, LABELS, batch_size=16, epochs=3, verbose=0, shuffle=False)
    return history.history["loss"], made


@pytest.mark.parametrize(("make", "most"), [(mlp, 22), (cnn, 33), (convolutions, 60), (text, 50), (bidirectional, 60)])
def test_a_training_step_is_one_graph(monkeypatch: pytest.MonkeyPatch, make: Any, most: int) -> None:
    monkeypatch.setenv("KCORE_CUPY_EMULATE", "1")
    ours, instances = trained(make, CupyDevice())
    theirs, _ = trained(make, NumpyDevice())
    np.testing.assert_allclose(ours, theirs, rtol=2e-3)
    step = max(instances, key=lambda instance: len(taken_apart(instance.calls)))
    assert [type(call) for call in step.calls] == [Segment]
    assert not step._finish
    assert len(taken_apart(step.calls)) <= most
