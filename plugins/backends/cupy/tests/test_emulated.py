"""The device on the host: values, random bits and replay beside the NumPy device."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from kcore import backend as K
from kcore.errors import ExecutionError
from kcore.graph import apply, placeholder
from kcore.ops.random import RandomStream
from kcore.runtime import devices
from kcore.runtime.function import Function
from kcore.runtime.numpy_device import NumpyDevice
from kcore_backends_cupy import CupyDevice
from kcore_backends_cupy.capture import Segment
from kcore_backends_cupy.emulation.compiler import compiler

pytestmark = pytest.mark.skipif(compiler() is None, reason="there is no g++")


@pytest.fixture
def device(monkeypatch):
    monkeypatch.setenv("KCORE_CUPY_EMULATE", "1")
    made = CupyDevice()
    monkeypatch.setattr(devices, "_current", made)
    return made


def test_random_bits_are_those_of_numpy(device):
    ours, theirs = RandomStream(2**63 + 5), RandomStream(2**63 + 5)
    for words in (1, 7, 64, 3):
        np.testing.assert_array_equal(
            device.to_host(device.random_bits(ours, words)), NumpyDevice().random_bits(theirs, words)
        )


def test_replayed_runs_draw_on(device, monkeypatch):
    def draws():
        mask = K.dropout(K.ones((50,)), 0.3, seed=5)
        f = K.function([], [mask, K.random_uniform((9,), seed=6)])
        return [f([]) for _ in range(5)]

    ours = draws()
    monkeypatch.setattr(devices, "_current", NumpyDevice())
    for a, b in zip(ours, draws(), strict=True):
        np.testing.assert_array_equal(a[0], b[0])
        np.testing.assert_array_equal(a[1], b[1])


def test_a_step_of_a_small_network_is_one_graph(device):
    """Forward, backward and update of a classifier: nothing but launches, captured at the second run."""
    r = np.random.RandomState(0)
    x, y = placeholder((16, 20), "float32", "x"), placeholder((16, 3), "float32", "y")
    w, b = K.variable(r.rand(20, 3)), K.variable(np.zeros(3))
    loss = K.mean(K.categorical_crossentropy(y, K.softmax(K.dot(x, w) + b)))
    grads = K.gradients(loss, [w, b])
    step = Function([x, y], [loss], [(v, v - 0.5 * g) for v, g in zip([w, b], grads, strict=True)])
    data = [r.rand(16, 20).astype("float32"), np.eye(3, dtype="float32")[r.randint(0, 3, 16)]]
    losses = [step(data)[0].item() for _ in range(6)]
    assert losses == sorted(losses, reverse=True)
    instance = step.bound_plan([a.shape for a in data])._idle[0]
    assert len(instance._calls) == 1
    segment = instance._calls[0][1]
    assert isinstance(segment, Segment)
    assert segment.graphs == 1 and not segment.refused


def test_nothing_else_happens_while_a_graph_is_captured(device):
    with pytest.raises(RuntimeError, match="cannot be captured"):
        stream = device.xp.cuda.Stream()
        with stream:
            stream.begin_capture()
            try:
                device.empty((3,), "float32")
            finally:
                stream.end_capture()


def test_arrays_do_not_mix_with_numpys(device):
    a = device.asarray(np.ones(3))
    with pytest.raises(TypeError, match="Unsupported type <class 'numpy.ndarray'>"):
        a + np.ones(3)
    with pytest.raises(TypeError, match="not allowed"):
        np.asarray(a)


@pytest.mark.parametrize("count", [5, 700])
def test_rows_are_added_in_order(device, count):
    """Few indices are compared with each other, many are sorted."""
    r = np.random.RandomState(1)
    g, index = r.rand(count, 4), r.randint(-9, 9, count)
    x = r.rand(9, 4)
    a, b, c = (placeholder(v.shape, v.dtype.name, "v") for v in (x, g, index))
    made = [apply("gather_grad", b, c, shape=(9, 4)), apply("scatter_add", a, b, c)]
    zeros, added = Function([a, b, c], made)([x, g, index])
    wanted = np.zeros((9, 4))
    np.add.at(wanted, index, g)
    np.testing.assert_allclose(zeros, wanted)
    np.testing.assert_allclose(added, x + wanted)


def _nearly_full(device, monkeypatch, below=0):
    """A GPU of 8 GiB with 1 GiB free, of which arrays of `below` bytes and more are refused."""
    empty = device.xp.empty

    def full(shape, dtype=float, **more):
        if np.prod(shape) * np.dtype(dtype).itemsize >= below:
            raise device.xp.cuda.memory.OutOfMemoryError
        return empty(shape, dtype=dtype, **more)

    monkeypatch.setattr(device.xp, "empty", full)
    monkeypatch.setattr(device.xp.cuda.runtime, "memGetInfo", lambda: (2**30, 2**33))
    monkeypatch.setattr(device.xp, "get_default_memory_pool", lambda: SimpleNamespace(used_bytes=lambda: 2**31))


def test_out_of_memory_says_what_helps(device, monkeypatch):
    _nearly_full(device, monkeypatch)
    words = r"GPU 0 has no room for 4.0 MiB \(shape \(1024, 1024\), float32\): 1024.0 MiB of 8192.0 MiB are free, "
    words += r"2048.0 MiB are this program's arrays, 5120.0 MiB are others'. A smaller batch_size"
    with pytest.raises(ExecutionError, match=words):
        device.empty((1024, 1024), "float32")


def test_out_of_memory_for_a_plan_names_its_largest_value(device, monkeypatch):
    x = placeholder((1000, 20), "float32", "x")
    f = Function([x], [K.sum(K.dot(x, K.transpose(x)))])
    _nearly_full(device, monkeypatch, below=1 << 21)
    with pytest.raises(ExecutionError, match=r"no room for 3.8 MiB.*\n.*largest value is float32.*1000") as caught:
        f([np.zeros((1000, 20), "float32")])
    assert caught.value.op == "matmul" and "K.dot(x, K.transpose(x))" in str(caught.value)


def test_memory_of_models_that_nobody_uses_is_found(device, monkeypatch):
    empty, collected = device.xp.empty, []
    monkeypatch.setattr("gc.collect", lambda: collected.append(1))

    def once(*args, **kwargs):
        if not collected:
            raise device.xp.cuda.memory.OutOfMemoryError
        return empty(*args, **kwargs)

    monkeypatch.setattr(device.xp, "empty", once)
    assert device.empty((3,), "float32").shape == (3,)
