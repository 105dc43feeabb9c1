"""How batches reach a device with memory of its own: read ahead, with the order and results of the plain path."""

from __future__ import annotations

import numpy as np
import pytest

from kcore.engine import loop
from kcore.engine.batches import ArraySource
from kcore.layers import Dense
from kcore.models import Sequential
from kcore.runtime import devices
from kcore.runtime.numpy_device import NumpyDevice
from kcore.runtime.staging import Stager


class Elsewhere(NumpyDevice):
    """A device whose inputs are written by a stager only, as if they were memory of another kind."""

    name = "elsewhere"

    def __init__(self):
        super().__init__()
        self.events = []

    def stager(self, specs):
        events, size = self.events, specs[0].sizes[0]

        class Noted(Stager):
            def fill(self, read):
                batch = [np.array(a) for a in super().fill(read)]
                events.append(("fill", size))
                return batch

            def deliver(self, batch, inputs):
                events.append(("deliver", size))
                super().deliver(batch, inputs)

        return Noted(self, specs)

    def later(self, arrays):
        self.events.append(("later",))
        return super().later(arrays)


@pytest.fixture
def elsewhere(monkeypatch):
    device = Elsewhere()
    monkeypatch.setattr(devices, "_current", device)
    return device


def _model():
    np.random.seed(7)
    model = Sequential([Dense(3, activation="tanh", input_shape=(4,)), Dense(2)])
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def _data(samples=22):
    r = np.random.RandomState(0)
    return r.rand(samples, 4), r.rand(samples, 2)


def _trained(**more):
    model = _model()
    history = model.fit(*_data(), batch_size=8, epochs=3, verbose=0, **more)
    return history.history, model.get_weights(), model.predict(_data()[0], batch_size=5)


def _expected(monkeypatch, **more):
    with monkeypatch.context() as patch:
        patch.setattr(devices, "_current", NumpyDevice())
        return _trained(**more)


@pytest.mark.parametrize("more", [{}, {"shuffle": False}, {"shuffle": "batch"}, {"validation_split": 0.3}])
def test_order_and_results_are_those_of_the_plain_path(elsewhere, monkeypatch, more):
    history, weights, predicted = _trained(**more)
    wanted, wanted_weights, wanted_predicted = _expected(monkeypatch, **more)
    assert history == wanted
    for a, b in zip(weights, wanted_weights, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(predicted, wanted_predicted)


def test_the_next_batch_is_read_while_the_present_one_is_computed(elsewhere):
    model = _model()
    elsewhere.events.clear()
    model.predict(_data()[0], batch_size=8)
    fills = [("fill", 8), ("deliver", 8), ("fill", 8), ("deliver", 8), ("fill", 6), ("deliver", 6)]
    assert elsewhere.events == fills


def test_a_row_that_cannot_be_read_is_an_error_of_its_own_batch(elsewhere):
    class Broken:
        shape, dtype, ndim = (22, 4), np.dtype("float32"), 2
        rows = _data()[0].astype("float32")

        def __len__(self):
            return 22

        def __getitem__(self, key):
            if np.arange(22)[key].max() >= 16:
                raise OSError("the file is damaged")
            return self.rows[key]

    model = _model()
    model.predict(_data()[0])  # makes the step
    seen = []
    source = ArraySource([Broken()], 22, 8)
    with pytest.raises(OSError, match="the file is damaged"):
        for _, run in source.epoch(model.predict_function, lambda size, outputs: seen.append(size)):
            run()
    assert seen == [8, 8]


def test_results_that_come_later_are_averaged_alike(elsewhere, monkeypatch):
    """No NumPy arrays, as from a GPU: the loop does not wait for each, unless a callback looks at them."""

    class Foreign:
        def __init__(self, array):
            self.array = array

    waited = []

    def later(arrays):
        copies = [np.array(a.array) for a in arrays]
        return lambda: waited.append(1) or copies

    monkeypatch.setattr(elsewhere, "later", later)
    averages, plain = loop.Averages(["loss", "acc"], ["acc"]), loop.Averages(["loss", "acc"], ["acc"])
    for i in range(loop.MOST_COMING + 5):
        outputs = [np.array(1 / (i + 1), "float32"), np.array(i, "float32")]
        averages(3, [Foreign(o) for o in outputs])
        plain(3, outputs)
        assert len(waited) == (0 if i < loop.MOST_COMING - 1 else loop.MOST_COMING)
    assert averages.samples == plain.samples
    assert averages.values() == plain.values()
    assert averages.last == plain.last
    averages.reset()
    assert averages.values() == [] and averages.last == []


def test_data_that_the_device_keeps(elsewhere, monkeypatch):
    """From the first of several epochs on; not for one epoch alone, nor for data on disk."""
    asked = []

    def keep(arrays, dtypes):
        asked.append([(a.shape, d) for a, d in zip(arrays, dtypes, strict=True)])
        return [np.asarray(a, d) for a, d in zip(arrays, dtypes, strict=True)]

    monkeypatch.setattr(elsewhere, "keep", keep)
    for shuffle in (True, False, "batch"):
        found, wanted = _trained(shuffle=shuffle), _expected(monkeypatch, shuffle=shuffle)
        assert found[0] == wanted[0]
    assert len(asked) == 3  # three epochs of fit; predict is one
    assert asked[0][0] == ((22, 4), "float32")
    model = _model()
    model.fit(*_data(), epochs=1, verbose=0)
    assert len(asked) == 3
