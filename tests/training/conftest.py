"""Small data and models for the tests of training."""

from types import SimpleNamespace

import numpy as np
import pytest

from kcore.layers import Dense
from kcore.models import Sequential
from kcore.runtime import devices
from kcore.runtime.numpy_device import NumpyDevice
from kcore.runtime.staging import Stager


@pytest.fixture
def rng():
    np.random.seed(7)
    return np.random.RandomState(3)


@pytest.fixture
def classification(rng):
    """(20, 4) inputs and one-hot targets of 3 classes."""
    return rng.rand(20, 4).astype("float32"), np.eye(3, dtype="float32")[rng.randint(0, 3, 20)]


@pytest.fixture
def classifier():
    model = Sequential([Dense(3, activation="softmax", input_shape=(4,))])
    model.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.fixture
def regressor():
    model = Sequential([Dense(1, input_shape=(4,))])
    model.compile("sgd", "mse")
    return model


class Elsewhere(NumpyDevice):
    """A device whose memory is written and read by a stager only, as if it were of another kind."""

    name = "elsewhere"

    def __init__(self):
        super().__init__()
        self.events = []

    def stager(self, inputs, outputs):
        events, size = self.events, inputs.arrays[0].shape[0]

        class Noted(Stager):
            def fill(self, read):
                super().fill(read)
                events.append(("fill", size))
                return SimpleNamespace(memories=[m.copy() for m in self._host.memories])

            def deliver(self, batch):
                events.append(("deliver", size))
                super().deliver(batch)

            def send(self):
                copies = [array.copy() for array in self._outputs]
                events.append(("send", size))
                return lambda: events.append(("wait", size)) or copies

        return Noted(self, inputs, outputs)


@pytest.fixture
def elsewhere(monkeypatch):
    device = Elsewhere()
    monkeypatch.setattr(devices, "_current", device)
    return device
