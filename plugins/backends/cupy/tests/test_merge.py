"""Launches of one kernel become one: fewer of them, in an order that changes no value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kcore import backend as K
from kcore.graph import placeholder
from kcore.runtime import devices
from kcore.runtime.context import BindContext
from kcore.runtime.function import Function
from kcore.runtime.numpy_device import NumpyDevice
from kcore_backends_cupy import layout
from kcore_backends_cupy.capture import Segment
from kcore_backends_cupy.kernels.moving import copy_launch, fill_launch
from kcore_backends_cupy.kernels.single import elementwise
from kcore_backends_cupy.launch import Launch
from kcore_backends_cupy.merge import Merged, merge

SIZE = 24
_part = st.tuples(st.integers(0, SIZE - 1), st.integers(1, 6)).map(lambda p: slice(p[0], min(SIZE, sum(p))))


def _work(device, memory, steps):
    """The launches of some steps on parts of one memory, and the same on an array of the host."""
    ctx = BindContext(device)
    host = device.to_host(memory)
    launches = []
    for name, to, start in steps:
        source = slice(start, start + to.stop - to.start)
        if source.stop > SIZE or (source != to and source.start < to.stop and to.start < source.stop):
            continue  # a launch has no order among its elements
        if name == "copy":
            launches.append(copy_launch(device.xp, memory[to], memory[source]))
            host[to] = host[source]
        else:
            launches.append(elementwise(ctx, [memory[to]], [memory[to], memory[source]], {}, name=name))
            host[to] = getattr(np, name)(host[to], host[source])
    return launches, host


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["copy", "add", "maximum"]), _part, st.integers(0, SIZE)), max_size=14))
def test_no_value_changes(emulated, steps):
    memory = emulated.asarray(np.arange(SIZE, dtype="float32"))
    launches, wanted = _work(emulated, memory, steps)
    row = merge(emulated, launches)
    assert len(row) <= len(launches)
    for launch in row:
        launch()
    np.testing.assert_array_equal(memory.get(), wanted)


def test_independent_launches_meet_from_both_sides(emulated):
    """Up to the first of their kernel, or down to the last; what depends on something in between stays."""
    memory = emulated.asarray(np.arange(SIZE, dtype="float32"))

    def lengths(*steps):
        launches, _ = _work(emulated, memory, [(name, slice(to, to + 2), start) for name, to, start in steps])
        return [len(x.parts) if isinstance(x, Merged) else 1 for x in merge(emulated, launches)]

    assert lengths(("add", 0, 2), ("copy", 4, 6), ("add", 8, 10)) == [2, 1]
    # The last reads what the copy writes, and nothing holds the first back.
    assert lengths(("add", 0, 2), ("copy", 4, 6), ("add", 8, 4)) == [1, 2]
    # The copy reads what the first writes, and writes what the last reads.
    assert lengths(("add", 0, 2), ("copy", 4, 0), ("add", 8, 4)) == [1, 1, 1]


def test_a_launch_that_names_no_memory_is_passed_by_none(emulated):
    memory = emulated.asarray(np.arange(SIZE, dtype="float32"))
    first, last = copy_launch(emulated.xp, memory[:2], memory[4:6]), copy_launch(emulated.xp, memory[8:9], memory[6:7])
    secret = Launch(None, (1,), (1,), [np.int64(3)])
    assert merge(emulated, [first, secret, last]) == [first, secret, last]


def test_where_an_array_lies(emulated):
    a = emulated.asarray(np.zeros((4, 6), "float32"))
    start = a.data.ptr
    assert layout.span(a) == (start, start + 96)
    assert layout.span(a[1:3, ::2]) == (start + 24, start + 24 + 24 + 20)
    assert layout.span(a[::-1]) == (start, start + 96)
    assert layout.span(a[:0]) == (start, start)
    assert layout.span(emulated.xp.broadcast_to(a[:1, :1], (9, 9))) == (start, start + 4)


def _adam_step(x, y, layers):
    """A classifier and the formulas of Adam, as they come from an optimizer."""
    r = np.random.RandomState(0)
    weights, h = [], x
    for i, (rows, columns) in enumerate(layers):
        weights += [K.variable(r.randn(rows, columns) * 0.3), K.variable(np.zeros(columns))]
        h = K.dot(h, weights[-2]) + weights[-1]
        h = K.softmax(h) if i == len(layers) - 1 else K.relu(h)
    loss = K.mean(K.categorical_crossentropy(y, h))
    updates, t = [], K.variable(0.0)
    updates.append((t, t + 1))
    rate = 0.01 * K.sqrt(1 - K.pow(0.999, t + 1)) / (1 - K.pow(0.9, t + 1))
    for w, g in zip(weights, K.gradients(loss, weights), strict=True):
        m, v = K.variable(np.zeros(w.shape)), K.variable(np.zeros(w.shape))
        m_t, v_t = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * K.square(g)
        updates += [(m, m_t), (v, v_t), (w, w - rate * m_t / (K.sqrt(v_t) + 1e-7))]
    return weights, Function([x, y], [loss], updates)


def test_the_updates_of_all_weights_are_one_launch(emulated, check_sources):
    r = np.random.RandomState(1)
    data = [r.rand(8, 12).astype("float32"), np.eye(4, dtype="float32")[r.randint(0, 4, 8)]]
    layers = [(12, 16), (16, 16), (16, 9), (9, 4)]

    def train():
        x, y = placeholder((8, 12), "float32", "x"), placeholder((8, 4), "float32", "y")
        weights, step = _adam_step(x, y, layers)
        losses = [step(data)[0].item() for _ in range(5)]
        return losses, [K.get_value(w) for w in weights], step

    losses, ours, step = train()
    (instance,) = step.bound_plan([a.shape for a in data])._idle
    (segment,) = instance.calls
    assert isinstance(segment, Segment)
    (update,) = [x for x in segment.launches if isinstance(x, Merged) and len(x.parts) == len(ours)]
    assert update.parts[0].name == "group"
    assert losses == sorted(losses, reverse=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(devices, "_current", NumpyDevice())
        same, theirs, _ = train()
    np.testing.assert_allclose(losses, same, rtol=1e-5)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
    check_sources()


def test_numbers_are_part_of_a_row(emulated):
    """Fills of several values, one launch."""
    memory = emulated.asarray(np.zeros(SIZE, "float32"))
    launches = [fill_launch(emulated.xp, memory[6 * k : 6 * k + 5 - k], v) for k, v in enumerate([1.5, -2.25, np.inf])]
    (row,) = merge(emulated, launches)
    row()
    wanted = np.zeros(SIZE)
    wanted[:5], wanted[6:10], wanted[12:15] = 1.5, -2.25, np.inf
    np.testing.assert_array_equal(memory.get(), wanted)
