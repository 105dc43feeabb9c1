"""Batches that cross beside the computation, in the orders that the emulator's late copies and its log show."""

from __future__ import annotations

import weakref

import numpy as np
import pytest

from kcore import backend as K
from kcore.engine import Layer
from kcore.engine.optimizer import Optimizer
from kcore.graph import Spec
from kcore.models import Sequential
from kcore.runtime import devices
from kcore.runtime.numpy_device import NumpyDevice
from kcore.runtime.staging import Block
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
    inputs = Block(emulated.empty, SPECS)
    stager = emulated.stager(inputs, [])
    ahead = stager.fill(_batch(0))
    for i in range(7):
        stager.deliver(ahead)
        ahead = stager.fill(_batch(i + 1))
        assert [emulated.to_host(a).max() for a in inputs.arrays] == [i, i]


def test_a_batch_that_nothing_is_computed_beside(emulated, log):
    """One copy, in the stream of the plan; it waits for no other, and needs no further memory of the GPU."""
    inputs = Block(emulated.empty, SPECS)
    stager = emulated.stager(inputs, [])
    for i in range(3):
        log.clear()
        stager.put(_batch(i))
        batch = stager._batches[0]
        assert log == [("synchronize", batch.sent), ("copy", emulated.stream), ("record", batch.sent, emulated.stream)]
        assert [emulated.to_host(a).min() for a in inputs.arrays] == [i, i]
        assert "there" not in vars(batch)


def test_a_batch_sent_ahead_may_be_followed_by_one_that_is_not(emulated):
    inputs = Block(emulated.empty, SPECS)
    stager = emulated.stager(inputs, [])
    for i in range(0, 8, 2):
        stager.deliver(stager.fill(_batch(i)))
        assert emulated.to_host(inputs.arrays[0]).max() == i
        stager.put(_batch(i + 1))
        assert emulated.to_host(inputs.arrays[1]).min() == i + 1


def test_the_three_orders(emulated, log):
    stager = emulated.stager(Block(emulated.empty, SPECS), [])
    side, main = stager._stream, emulated.stream
    assert not side.blocking  # work of the default stream shall not wait for copies
    stager.deliver(stager.fill(_batch(1)))
    first = stager._batches[0]
    stager.deliver(stager.fill(_batch(2)))
    log.clear()
    stager.deliver(stager.fill(_batch(3)))
    assert log == [
        ("synchronize", first.sent),  # the host's memory was sent
        ("wait", side, first.put),  # the GPU's memory was put into the inputs
        ("copy", side),
        ("record", first.sent, side),
        ("wait", main, first.sent),  # it has arrived
        ("record", first.put, main),
    ]


def test_a_missing_wait_is_seen(emulated, monkeypatch):
    """The emulator's copies are late: the tests above would fail without the events."""
    inputs = Block(emulated.empty, SPECS)
    stager = emulated.stager(inputs, [])
    batch = stager.fill(_batch(5))
    monkeypatch.setattr(type(emulated.stream), "wait_event", lambda self, event: None)
    stager.deliver(batch)
    assert emulated.to_host(inputs.arrays[1])[0] != 5


def test_results_are_as_they_were_when_they_were_sent(emulated):
    x = emulated.asarray(np.arange(4.0))
    stager = emulated.stager(Block(emulated.empty, []), [x, x[1], x[::-1]])
    wait = stager.send()
    with emulated.errstate():
        x[...] = 9
    later = stager.send()
    first, second, third = wait()
    np.testing.assert_array_equal(first, np.arange(4.0))
    assert second.item() == 1
    np.testing.assert_array_equal(third, np.arange(4.0)[::-1])
    assert [a.min() for a in later()] == [9, 9, 9]


def test_results_that_nobody_waits_for_have_their_memory_until_they_are_there(emulated, monkeypatch):
    given = []
    monkeypatch.setattr(emulated.xp.cuda, "alloc_pinned_memory", lambda size: given.append(Memory(size)) or given[-1])

    class Memory(bytearray):
        """One that can be watched."""

    stager = emulated.stager(Block(emulated.empty, []), [emulated.asarray(np.arange(4.0))])
    given.clear()
    stager.send()
    alive = weakref.ref(given.pop())
    assert alive() is not None  # on its way
    emulated.synchronize()
    stager.send()
    assert alive() is None


def test_results_that_lie_close_together_cross_as_one(emulated, log):
    memory = emulated.empty((20000,), "uint8")
    memory[...] = 0

    def at(start, count, dtype):
        return memory[start : start + count * np.dtype(dtype).itemsize].view(dtype)

    alone = emulated.asarray(np.full(3, 7.0))
    arrays = [at(64, 1, "float32").reshape(()), alone, at(0, 1, "int64"), at(128, 6, "bool").reshape((2, 3))]
    arrays += [at(9000, 2, "float32"), at(9064, 2, "float64")[::-1]]
    for i, array in enumerate(arrays):
        array[...] = i
    stager = emulated.stager(Block(emulated.empty, []), arrays)
    log.clear()
    found = stager.send()()
    assert [words[0] for words in log] == ["copy"] * 4 + ["record", "synchronize"]
    for i, (array, host) in enumerate(zip(arrays, found, strict=True)):
        assert (array.shape, str(array.dtype)) == (host.shape, str(host.dtype))
        np.testing.assert_array_equal(host, np.full(host.shape, i, host.dtype))


def test_data_stay_where_there_is_room(emulated, monkeypatch):
    arrays = [np.arange(6.0).reshape(3, 2), np.arange(3)]
    monkeypatch.setattr(emulated.xp.cuda.runtime, "memGetInfo", lambda: (4 * 36 - 1, 1000))
    assert emulated.keep(arrays, ["float32", "int32"]) is None
    monkeypatch.setattr(emulated.xp.cuda.runtime, "memGetInfo", lambda: (4 * 36, 1000))
    assert emulated.keep(arrays, ["float32", "int32"]) is not None


def test_one_launch_gathers_the_rows_of_all_arrays(emulated, log, check_sources):
    r = np.random.RandomState(0)
    arrays = [
        r.rand(50, 7),
        r.rand(50, 30, 20),
        np.asfortranarray(r.randint(0, 9, (50, 2))),
        r.rand(50) > 0.5,
        r.rand(50, 3) > 0.5,
        r.rand(50, 5),
        r.rand(50, 0),
    ]
    dtypes = ["float32", "float64", "int64", "bool", "bool", "float16", "float32"]
    kept = emulated.keep(arrays, dtypes)
    for order in (None, r.permutation(50), r.permutation(50)):
        kept.put_in_order(order)
        for start, stop in ((0, 8), (16, 24), (48, 50)):
            targets = [emulated.empty((stop - start, *a.shape[1:]), d) for a, d in zip(arrays, dtypes, strict=True)]
            log.clear()
            for _ in range(2):
                kept.read(start, stop, targets)
            assert log == [("launch", emulated.stream)] * 2
            for array, dtype, target in zip(arrays, dtypes, targets, strict=True):
                wanted = array if order is None else array[order]
                np.testing.assert_array_equal(target.get(), wanted[start:stop].astype(dtype))
    check_sources()


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


def test_a_stager_waits_for_its_copies_before_its_memory_is_free(emulated, log):
    stager = emulated.stager(Block(emulated.empty, SPECS), [])
    side = stager._stream
    stager.fill(_batch(1))
    first = stager._batches[0]
    record = ("record", first.put, emulated.stream)  # what used the memory before is awaited, too
    assert log.index(record) < log.index(("wait", side, first.put))
    log.clear()
    del stager
    assert ("synchronize", side) in log
