"""Replay: what is captured, when, on which stream, and what happens where something cannot be."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest

from kcore import backend as K
from kcore.graph import placeholder
from kcore.runtime import devices
from kcore.runtime.function import Function
from kcore.runtime.numpy_device import NumpyDevice
from kcore_backends_cupy import CupyDevice
from kcore_backends_cupy.capture import Segment, arrange
from kcore_backends_cupy.emulation.compiler import compiler
from kcore_backends_cupy.emulation.streams import Recorder, current_stream
from kcore_backends_cupy.launch import Launch, each, grid_stride

pytestmark = pytest.mark.skipif(compiler() is None, reason="there is no g++")

ADD = grid_stride("add_number", "float* x, float value", "    x[i] += value;")


@pytest.fixture
def device(monkeypatch):
    monkeypatch.setenv("KCORE_CUPY_EMULATE", "1")
    monkeypatch.delenv("KCORE_CUPY_REPLAY", raising=False)
    made = CupyDevice()
    monkeypatch.setattr(devices, "_current", made)
    return made


@pytest.fixture
def log(monkeypatch):
    found = []
    monkeypatch.setattr(Recorder, "log", found)
    return found


def add(device, x, value):
    return each(device.xp, ADD, "add_number", x.size, [x, np.float32(value)])


class Library(Launch):
    """A call of a library that may refuse to be captured."""

    __slots__ = ("error", "runs", "work")

    def __init__(self, work, error):
        self.work, self.error, self.runs = work, error, 0
        super().__init__(None, (1,), (1,), [])

    def __call__(self):
        if self.error is not None and current_stream().captured is not None:
            raise self.error
        self.runs += 1
        self.work()


def _runs(device, segment, x, count):
    """The values of `x` after each of some runs, from 0."""
    found = []
    for _ in range(count):
        x[...] = 0
        with device.errstate():
            segment()
        found.append(device.to_host(x)[0])
    return found


def test_the_second_run_captures_on_a_stream_of_its_own(device, log):
    x = device.asarray(np.zeros(4, "float32"))
    segment = Segment(device, [add(device, x, 1), add(device, x, 2)])
    assert _runs(device, segment, x, 4) == [3, 3, 3, 3]
    launched = [words[1] for words in log if words[0] == "launch"]
    graphs = [words[1] for words in log if words[0] == "graph"]
    assert launched == [device.stream] * 2  # the first run; later ones launch graphs only
    assert graphs == [device.stream] * 3
    assert segment.graphs == 1


@pytest.mark.parametrize("error", [NotImplementedError("calling cuBLAS API during stream capture"), RuntimeError("x")])
@pytest.mark.parametrize("at", range(5))
def test_a_call_that_cannot_be_captured_is_left_out(device, error, at):
    x = device.asarray(np.zeros(4, "float32"))
    launches = [add(device, x, 2**i) for i in range(4)]
    refuses = Library(add(device, x, 100), error)
    launches.insert(at, refuses)
    segment = Segment(device, launches)
    assert _runs(device, segment, x, 4) == [115] * 4
    assert refuses.runs == 4
    assert segment.refused == [(refuses, error)]
    assert segment.graphs == {0: 1, 1: 1, 2: 2, 3: 1, 4: 1}[at]  # a row of one launch is no graph


def test_an_error_of_a_launch_itself_is_the_users_to_see(device):
    x = device.asarray(np.zeros(4, "float32"))
    broken = Launch(add(device, x, 1).function, (0,), (1,), [np.int64(4), x, np.float32(1)])
    segment = Segment(device, [add(device, x, 1), broken])
    for _ in range(3):
        with pytest.raises(RuntimeError, match="CUDA_ERROR_INVALID_VALUE"), device.errstate():
            segment()


def test_an_invalid_capture_leaves_nothing_behind(device, monkeypatch):
    x = device.asarray(np.zeros(4, "float32"))
    segment = Segment(device, [add(device, x, 1), add(device, x, 2)])
    stream = device.xp.cuda.Stream
    real = stream.end_capture

    def invalid(self):
        real(self)
        raise RuntimeError("cudaErrorStreamCaptureInvalidated")

    monkeypatch.setattr(stream, "end_capture", invalid)
    assert _runs(device, segment, x, 3) == [3, 3, 3]
    assert segment.graphs == 0 and "Invalidated" in str(segment.refused[0][1])


def test_the_graph_keeps_its_arrays(device):
    x = device.asarray(np.zeros(4, "float32"))
    segment = Segment(device, [add(device, x, 1), add(device, x, 2)])
    values = device.to_host
    _runs(device, segment, x, 2)
    alive = weakref.ref(x)
    del x
    gc.collect()
    assert alive() is not None and values(alive())[0] == 3
    del segment
    gc.collect()
    assert alive() is None


def test_replay_can_be_switched_off(device, monkeypatch):
    x = device.asarray(np.zeros(4, "float32"))
    launches = [add(device, x, 1), add(device, x, 2)]
    assert [type(call) for _, call in arrange(device, launches)] == [Segment]
    monkeypatch.setenv("KCORE_CUPY_REPLAY", "0")
    assert [call for _, call in arrange(device, launches)] == launches
    mask = K.function([], [K.dropout(K.ones((40,)), 0.4, seed=5)])
    drawn = [mask([])[0] for _ in range(3)]
    monkeypatch.setattr(devices, "_current", NumpyDevice())
    mask = K.function([], [K.dropout(K.ones((40,)), 0.4, seed=5)])
    np.testing.assert_array_equal(drawn, [mask([])[0] for _ in range(3)])


def _training(rate):
    """A step of gradient descent with dropout, its learning rate in a variable, and its weights."""
    np.random.seed(3)
    x, y = placeholder((8, 5), "float32", "x"), placeholder((8, 2), "float32", "y")
    w = K.variable(np.random.rand(5, 2))
    loss = K.mean(K.square(K.dropout(K.dot(x, w), 0.2, seed=4) - y))
    (gradient,) = K.gradients(loss, [w])
    data = [np.random.rand(8, 5).astype("float32"), np.random.rand(8, 2).astype("float32")]
    return Function([x, y], [loss], [(w, w - rate * gradient)]), data, w


def test_a_learning_rate_that_changes_between_replays(device, monkeypatch):
    def curve():
        rate = K.variable(0.1)
        step, data, w = _training(rate)
        found = []
        for i in range(6):
            if i >= 3:
                K.set_value(rate, 0.1 / i)
            found.append(step(data)[0].item())
        return found, K.get_value(w)

    ours, weights = curve()
    monkeypatch.setattr(devices, "_current", NumpyDevice())
    theirs, wanted = curve()
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    np.testing.assert_allclose(weights, wanted, rtol=1e-6)


def test_threads_share_a_plan_and_each_has_its_graphs(device):
    x = placeholder((64,), "float32", "x")
    f = Function([x], [K.sum(K.exp(x) * 2)])
    wrong, ready = [], threading.Barrier(4)

    def use(seed):
        data = np.random.RandomState(seed).rand(64).astype("float32")
        ready.wait()
        for _ in range(20):
            found = f([data])[0]
            if not np.allclose(found, 2 * np.exp(data).sum(), rtol=1e-5):
                wrong.append((seed, found))

    threads = [threading.Thread(target=use, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    instances = f.bound_plan([(64,)])._idle
    segments = [call for i in instances for _, call in i._calls if isinstance(call, Segment)]
    assert len({id(s._parts[0]) for s in segments if s.graphs}) == len([s for s in segments if s.graphs])


def test_launches_of_another_thread_do_not_enter_a_graph(device):
    """While one thread captures, another runs on the device's stream."""
    x, other = (device.asarray(np.zeros(4, "float32")) for _ in range(2))
    foreign = add(device, other, 1)

    class Meanwhile(Library):
        __slots__ = ()

        def __call__(self):
            def run():
                with device.errstate():
                    foreign()

            thread = threading.Thread(target=run)
            thread.start()
            thread.join()
            self.work()

    segment = Segment(device, [add(device, x, 1), Meanwhile(add(device, x, 2), None)])
    assert _runs(device, segment, x, 3) == [3, 3, 3]
    assert device.to_host(other)[0] == 2  # by the first run and the capture; the replays launch nothing of it
    assert segment.graphs == 1


def test_updates_that_are_copies_lie_in_the_graph(device):
    """Values that something else reads first, and two variables that change places: one graph, and nothing after it."""
    count, a, b = (K.variable(v) for v in ([0.0], [1.0, 2.0], [10.0, 20.0]))
    f = Function([], [a + b * count], [(count, count + 1.0), (a, b), (b, a)])
    for n, wanted in enumerate(([1, 2], [11, 22], [21, 42], [13, 26])):
        np.testing.assert_array_equal(f([])[0], wanted)
        assert K.get_value(count) == [n + 1]
    instance = f.bound_plan([])._idle[0]
    ((_, call),) = instance._calls
    assert isinstance(call, Segment)
    assert call.graphs == 1
    assert not instance._finish


def test_outputs_that_updates_change_are_read_before(device):
    """Then the copies come last, one after the other or as a graph of their own."""
    a, b = K.variable([1.0, 2.0]), K.variable([10.0, 20.0])
    f = Function([], [a, K.reshape(b, (2, 1))], [(a, b), (b, a)])
    for first, second in (([1, 2], [10, 20]), ([10, 20], [1, 2])) * 2:
        x, y = f([])
        np.testing.assert_array_equal(x, first)
        np.testing.assert_array_equal(y[:, 0], second)
    assert f.bound_plan([])._idle[0]._finish
