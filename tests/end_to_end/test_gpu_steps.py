"""Training steps on the GPU's kernels, run on the host: values beside NumPy's, and how many launches they take."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kcore import backend as K
from kcore.engine import Layer
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
    Input,
    LocallyConnected2D,
    MaxPooling2D,
    SeparableConv2D,
    SimpleRNN,
)
from kcore.models import Model, Sequential
from kcore.runtime import devices, executor
from kcore.runtime.numpy_device import NumpyDevice

pytest.importorskip("kcore_backends_cupy")

from kcore_backends_cupy import CupyDevice
from kcore_backends_cupy.capture import Segment, taken_apart
from kcore_backends_cupy.emulation.compiler import compiler
from kcore_backends_cupy.emulation.streams import Recorder

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


def few_updates() -> tuple[Any, np.ndarray]:
    """A model some of whose updates are copies: of an input, of one variable to another, of two to each other."""
    x = Input((20,))

    class Memory(Layer):
        def build(self, shape: Any) -> None:
            names = ("batch", "before", "left", "right")
            self.kept = [self.add_weight(n, (16, 20), initializer="uniform", trainable=False) for n in names]

        def call(self, inputs: Any) -> Any:
            batch, before, left, right = self.kept
            given = K.reshape(inputs, (16, 20))
            updates = [(batch, given), (before, batch), (left, right), (right, left)]
            self.add_update([K.update(v, value) for v, value in updates], inputs)
            return inputs + 0.1 * before + left

    y = Dense(10, activation="softmax")(Memory()(x))
    return Model(x, y), R.rand(64, 20).astype("float32")


@pytest.mark.parametrize("make", [mlp, few_updates])
@pytest.mark.parametrize("feed", ["kept", "sent", "generator", "train_on_batch"])
def test_what_the_host_asks_for_in_a_step(monkeypatch: pytest.MonkeyPatch, make: Any, feed: str) -> None:
    """One graph; one copy of the batch to the GPU, or one launch that gathers it; one copy of loss and metrics back."""
    monkeypatch.setenv("KCORE_CUPY_EMULATE", "1")
    device = CupyDevice()
    monkeypatch.setattr(devices, "_current", device)
    if feed != "kept":
        monkeypatch.setattr(device, "keep", lambda *args: None)
    model, x = make()
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy", "mae"])
    batches = [(x[i : i + 16], LABELS[i : i + 16]) for i in range(0, 64, 16)]

    def train(epochs: int) -> None:
        if feed == "train_on_batch":
            for batch in batches * epochs:
                model.train_on_batch(*batch)
        elif feed == "generator":
            model.fit_generator(itertools.cycle(batches), 4, epochs=epochs, verbose=0, workers=0)
        else:
            model.fit(x, LABELS, 16, epochs=epochs, verbose=0)

    train(2)
    log: list[tuple[Any, ...]] = []
    monkeypatch.setattr(Recorder, "log", log)
    train(3)
    asked = Counter(words[0] if words[0] != "copy" else words[1].blocking for words in log)
    steps, to_side, to_main = 12, asked[False], asked[True]
    assert asked["graph"] == steps
    assert asked["launch"] == (steps if feed == "kept" else 0)
    if feed == "kept":
        assert (to_side, to_main) == (0, steps)
    elif feed == "train_on_batch":
        assert (to_side, to_main) == (0, 2 * steps)
    else:
        assert (to_side, to_main) == (steps, steps)


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
