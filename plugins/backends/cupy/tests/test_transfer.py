"""Batches that cross beside the computation, in the orders that the emulator's late copies and its log show."""

from __future__ import annotations

import numpy as np
import pytest

from kcore import backend as K
from kcore.engine import Layer
from kcore.engine.optimizer import Optimizer
from kcore.graph import Spec
from kcore.models import Sequential
from kcore.runtime import devices
from kcore.runtime.numpy_device import NumpyDevice
from kcore_backends_cupy import transfer
from kcore_backends_cupy.emulation.streams import Recorder


@pytest.fixture
def log(monkeypatch):
    found = []
    monkeypatch.setattr(Recorder, "log", found)
    return found


SPECS = [Spec((3, 2), "float32"), Spec((3,), "int64")]


def _batch(value):
    def read(arrays):
        for array in arrays:
            array[...] = value

    return read


def test_batches_arrive_whole_and_in_order(emulated):
    stager = emulated.stager(SPECS)
    inputs = [emulated.empty(s.sizes, s.dtype) for s in SPECS]
    ahead = stager.fill(_batch(0))
    for i in range(7):
        stager.deliver(ahead, inputs)
        ahead = stager.fill(_batch(i + 1))
        assert [emulated.to_host(a).max() for a in inputs] == [i, i]


def test_the_three_orders(emulated, log):
    stager = emulated.stager(SPECS)
    inputs = [emulated.empty(s.sizes, s.dtype) for s in SPECS]
    side, main = stager._stream, emulated.stream
    assert not side.blocking  # work of the default stream shall not wait for copies
    first = stager._batches[0]
    stager.deliver(stager.fill(_batch(1)), inputs)
    stager.deliver(stager.fill(_batch(2)), inputs)
    log.clear()
    stager.deliver(stager.fill(_batch(3)), inputs)
    assert log[0] == ("synchronize", first.sent)  # the host's memory was sent
    assert log[1] == ("wait", side, first.put)  # the GPU's memory was put into the inputs
    assert log[2:4] == [("copy", side)] * 2
    assert log[4] == ("record", first.sent, side)
    assert log[5] == ("wait", main, first.sent)  # it has arrived
    assert log[-1] == ("record", first.put, main)


def test_a_missing_wait_is_seen(emulated, monkeypatch):
    """The emulator's copies are late: the tests above would fail without the events."""
    stager = emulated.stager(SPECS)
    inputs = [emulated.empty(s.sizes, s.dtype) for s in SPECS]
    batch = stager.fill(_batch(5))
    monkeypatch.setattr(type(emulated.stream), "wait_event", lambda self, event: None)
    stager.deliver(batch, inputs)
    assert emulated.to_host(inputs[1])[0] != 5


def test_results_are_as_they_were_when_they_were_asked_for(emulated):
    x = emulated.asarray(np.arange(4.0))
    wait = emulated.later([x, x[1]])
    with emulated.errstate():
        x[...] = 9
    first, second = wait()
    np.testing.assert_array_equal(first, np.arange(4.0))
    assert second.item() == 1


def test_data_stay_where_there_is_room(emulated, monkeypatch):
    arrays = [np.arange(6.0).reshape(3, 2), np.arange(3)]
    kept = emulated.keep(arrays, ["float32", "int32"])
    assert [str(a.dtype) for a in kept] == ["float32", "int32"]
    monkeypatch.setattr(emulated.xp.cuda.runtime, "memGetInfo", lambda: (4 * 36 - 1, 1000))
    assert emulated.keep(arrays, ["float32", "int32"]) is None
    monkeypatch.setattr(emulated.xp.cuda.runtime, "memGetInfo", lambda: (4 * 36, 1000))
    assert emulated.keep(arrays, ["float32", "int32"]) is not None


class Scale(Layer):
    """Multiplies each feature by a weight."""

    def build(self, input_shape):
        self.scale = self.add_weight(name="scale", shape=(input_shape[-1],), initializer="ones")
        super().build(input_shape)

    def call(self, inputs):
        return K.tanh(inputs * self.scale)


class Descent(Optimizer):
    """An optimizer, so that no other distribution is needed."""

    def get_updates(self, loss, params):
        for p, g in zip(params, self.get_gradients(loss, params), strict=True):
            self.update_parameter(p, p - 0.5 * g)
        return self.updates


def _fit(epochs, shuffle):
    r = np.random.RandomState(1)
    np.random.seed(2)
    model = Sequential([Scale(input_shape=(4,))])
    model.compile(Descent(), lambda wanted, found: K.mean(K.square(wanted - found), axis=-1))
    x, y = r.rand(22, 4), r.rand(22, 4)
    history = model.fit(x, y, batch_size=8, epochs=epochs, verbose=0, shuffle=shuffle)
    return history.history["loss"], model.get_weights()[0], model.predict(x, batch_size=5)


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("kept", [True, False])
def test_fit_and_predict_as_on_the_host(emulated, monkeypatch, kept, shuffle):
    if not kept:
        monkeypatch.setattr(transfer, "kept", lambda *args: None)
    found = _fit(3, shuffle)
    monkeypatch.setattr(devices, "_current", NumpyDevice())
    wanted = _fit(3, shuffle)
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-6)
