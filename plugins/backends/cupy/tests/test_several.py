"""Several GPUs, as the emulator has them: its arrays are refused on other devices, and its copies are late."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from kcore import backend as K
from kcore.engine import Layer, Model
from kcore.engine.input_layer import Input
from kcore.engine.optimizer import Optimizer
from kcore.errors import ExecutionError
from kcore.graph import placeholder
from kcore.runtime import devices
from kcore.runtime.function import Function
from kcore.runtime.numpy_device import NumpyDevice
from kcore.utils import device_scope, multi_gpu_model
from kcore_backends_cupy import CupyDevice
from kcore_backends_cupy.emulation.compiler import compiler
from kcore_backends_cupy.emulation.streams import DEVICES, Recorder

pytestmark = pytest.mark.skipif(compiler() is None, reason="there is no g++")


@pytest.fixture
def three(monkeypatch):
    """The first of three GPUs."""
    monkeypatch.setenv("KCORE_CUPY_EMULATE", "1")
    monkeypatch.setenv(DEVICES, "3")
    monkeypatch.delenv("KCORE_CUPY_DEVICE", raising=False)
    device = CupyDevice()
    monkeypatch.setattr(devices, "_current", device)
    return device


@pytest.fixture
def log(monkeypatch):
    found = []
    monkeypatch.setattr(Recorder, "log", found)
    return found


def _plan(f, *shapes):
    return f.bound_plan(list(shapes)).plan


def test_a_part_of_a_graph_on_another_gpu(three):
    x = placeholder((4, 3), "float32", "x")
    with device_scope("/gpu:1"):
        y = K.exp(x) * 2
    with device_scope(2):
        z = K.sum(K.tanh(y), axis=1)
    f = Function([x], [z + 1, y])
    given = np.random.RandomState(0).rand(4, 3).astype("float32")
    for _ in range(4):
        found = f([given])
        np.testing.assert_allclose(found[1], np.exp(given) * 2, rtol=1e-6)
        np.testing.assert_allclose(found[0], np.tanh(np.exp(given) * 2).sum(1) + 1, rtol=1e-6)
    plan = _plan(f, (4, 3))
    assert list(dict.fromkeys(i.on for i in plan.instructions if i.name != "transfer")) == [1, 2, None]
    assert set(plan.other_arenas) == {1, 2}
    assert "on 1: exp" in plan.show()


def test_gradients_run_where_their_operations_do(three):
    x = placeholder((5, 3), "float32", "x")
    w = K.variable(np.random.RandomState(0).rand(3, 2))
    with device_scope(1):
        v = K.variable(np.random.RandomState(1).rand(2, 2))
        hidden = K.tanh(K.dot(K.tanh(K.dot(x, w)), v))
    loss = K.mean(K.square(hidden))
    assert v.state.device.number == 1 and v.state.array._on == 1
    grads = K.gradients(loss, [w, v])
    step = Function([x], [loss], [(p, p - 0.1 * g) for p, g in zip([w, v], grads, strict=True)])
    given = np.random.RandomState(2).rand(5, 3).astype("float32")
    losses = [step([given])[0].item() for _ in range(5)]
    products = [i.on for i in _plan(step, (5, 3)).instructions if i.name == "matmul"]
    assert products == [1] * len(products) and len(products) >= 4
    weights = [K.get_value(p) for p in (w, v)]
    np.testing.assert_array_equal(K.eval(v * 2), 2 * weights[1])  # node by node, without a plan
    a, b = np.random.RandomState(0).rand(3, 2), np.random.RandomState(1).rand(2, 2)
    for wanted in losses:
        h = np.tanh(given @ a)
        y = np.tanh(h @ b)
        np.testing.assert_allclose(wanted, (y**2).mean(), rtol=1e-5)
        dy = 2 * y / y.size * (1 - y**2)
        a, b = a - 0.1 * given.T @ (dy @ b.T * (1 - h**2)), b - 0.1 * h.T @ dy
    np.testing.assert_allclose(weights[0], a, rtol=1e-5)
    np.testing.assert_allclose(weights[1], b, rtol=1e-5)


class Scaled(Layer):
    """`tanh(x w)`, with drop-out and moving averages of its results."""

    def build(self, input_shape):
        self.w = self.add_weight(name="w", shape=(input_shape[-1], 3), initializer="glorot_uniform")
        self.mean = self.add_weight(name="mean", shape=(3,), initializer="zeros", trainable=False)
        super().build(input_shape)

    def call(self, inputs):
        out = K.tanh(K.dot(inputs, self.w))
        self.add_update([K.moving_average_update(self.mean, K.mean(out, axis=0), 0.9)], inputs)
        return K.in_train_phase(K.dropout(out, 0.2, seed=3), out)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], 3)


class Descent(Optimizer):
    """An optimizer, so that no other distribution is needed."""

    def get_updates(self, loss, params):
        for p, g in zip(params, self.get_gradients(loss, params), strict=True):
            self.update_parameter(p, p - 0.5 * g)
        return self.updates


def _trained(gpus):
    np.random.seed(5)
    x = Input((4,))
    model = Model(x, Scaled()(Scaled()(x)))
    used = multi_gpu_model(model, gpus)
    used.compile(Descent(), lambda wanted, found: K.mean(K.square(wanted - found), axis=-1))
    r = np.random.RandomState(1)
    history = used.fit(r.rand(20, 4), r.rand(20, 3), batch_size=8, epochs=3, verbose=0)
    return used, (history.history["loss"], *model.get_weights(), used.predict(r.rand(7, 4)))


@pytest.mark.parametrize("gpus", [2, 3, [0, 2], [1, 2]])
def test_replicas_give_what_one_device_gives(three, monkeypatch, gpus):
    _, found = _trained(gpus)
    monkeypatch.setattr(devices, "_current", NumpyDevice())
    _, wanted = _trained(gpus)
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=3e-5, atol=1e-6)


def test_all_gpus(three):
    used, _ = _trained(None)
    plan = _plan(used.predict_function.function, (7, 4))
    assert {i.on for i in plan.instructions} == {None, 1, 2}


def test_devices_compute_at_the_same_time(three):
    """Others' work is handed out before the own, and all results are fetched after that."""
    used, _ = _trained(3)
    row = [(i.on, i.name == "transfer") for i in _plan(used.predict_function.function, (7, 4)).instructions]
    own_work = [n for n, (on, fetched) in enumerate(row) if on is None and not fetched]
    fetches = [n for n, (on, fetched) in enumerate(row) if on is None and fetched]
    others_work = [n for n, (on, fetched) in enumerate(row) if on is not None and not fetched]
    sent = [n for n, (on, fetched) in enumerate(row) if on is not None and fetched]
    assert max(sent) < min(others_work)
    assert max(others_work) < min(fetches)
    assert max(n for n in own_work if n < min(fetches)) > max(others_work)


def test_the_orders_of_a_copy(three, log):
    source, target = three.at(1), three
    with source.here():
        array = source.asarray(np.arange(6, dtype="float32").reshape(2, 3))
    out = target.empty((3, 2), "float32")
    run = target.receive(source, out, array.transpose(1, 0))
    log.clear()
    run()
    (copy,) = [n for n, words in enumerate(log) if words[0] == "peer copy"]
    side = log[copy][1]
    assert log[copy][2:] == (1, 0) and side not in (source.stream, target.stream) and not side.blocking
    recorded = {words[1]: words[2] for words in log[:copy] if words[0] == "record"}
    waited = [words[2] for words in log[:copy] if words[:2] == ("wait", side)]
    assert [recorded[event] for event in waited] == [source.stream, target.stream]
    (arrived,) = [words[1] for words in log[copy:] if words[0] == "record"]
    assert [words for words in log[copy:] if words[0] == "wait"] == [
        ("wait", target.stream, arrived),
        ("wait", source.stream, arrived),
    ]
    np.testing.assert_array_equal(target.to_host(out), [[0, 3], [1, 4], [2, 5]])


def test_another_gpu_than_the_first_in_every_thread(monkeypatch):
    """CuPy's current device is the thread's: a new thread begins at 0."""
    monkeypatch.setenv("KCORE_CUPY_EMULATE", "1")
    monkeypatch.setenv("KCORE_CUPY_DEVICE", "1")
    device = CupyDevice()
    monkeypatch.setattr(devices, "_current", device)
    x = placeholder((3,), "float32", "x")
    w = K.variable(np.ones(3))
    f = Function([x], [K.exp(x) * w], [(w, w + 1)])
    found = []

    def use():
        for _ in range(3):
            found.append(f([np.zeros(3, "float32")])[0][0])

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert found == [1, 2, 3]
    assert K.get_value(w)[0] == 4


@pytest.mark.parametrize(
    ("device", "words"),
    [
        (3, r"there is no device 3 here; there are /gpu:0, /gpu:1, /gpu:2"),
        ("/gpu:7", r"there is no device '/gpu:7' here; there are /gpu:0"),
        ("gpu1", r"must be a number or a name such as '/gpu:1' or '/cpu:0', got 'gpu1'"),
        (True, "must be a number or a name"),
    ],
)
def test_devices_that_do_not_exist(three, device, words):
    with pytest.raises(ValueError, match=words), device_scope(device):
        pass
    if device is not True:
        with pytest.raises(ValueError, match="multi_gpu_model: gpus"):
            _trained([0, device])
    with pytest.raises(ExecutionError, match="asks for GPU 9, and GPUs 0 to 2 are here"):
        three.at(9)


def test_scopes_mean_nothing_to_numpy(monkeypatch):
    monkeypatch.setattr(devices, "_current", NumpyDevice())
    with device_scope("/gpu:5"):
        x = K.variable(np.ones(2))
        f = K.function([], [x * 2])
    np.testing.assert_array_equal(f([])[0], 2)


def test_a_value_of_the_plans_own_gpu_is_sent_when_it_is_there(three, log):
    """What crosses to another GPU waits for the stream of the one that it comes from."""
    x = placeholder((4, 3), "float32", "x")
    with device_scope("/gpu:1"):
        y = K.exp(x)
    f = Function([x], [y])
    for i in range(3):
        log.clear()
        found = f([np.full((4, 3), i, "float32")])[0]
        np.testing.assert_allclose(found, np.exp(np.full((4, 3), i)), rtol=1e-6)
        assert [words[2:] for words in log if words[0] == "peer copy"] == [(0, 1), (1, 0)]
