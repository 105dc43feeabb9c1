"""Loops and their gradients."""

import numpy as np
import pytest

import kcore.ops  # noqa: F401 - registers the operations
from kcore.backend import function
from kcore.errors import ShapeError
from kcore.grad import gradients
from kcore.graph import apply, placeholder
from kcore.ops.random import random_tensor
from kcore.ops.scan import fold_steps
from kcore.runtime.devices import current_device
from kcore.runtime.evaluate import evaluate
from kcore.runtime.variable import Variable

X = np.random.RandomState(0).randn(7, 3, 5)
H = np.random.RandomState(1).randn(3, 5)
W = np.linspace(0.5, 1.0, 5)


def total(x):
    return apply("sum", x, axes=tuple(range(x.ndim)), keepdims=False)


def loop(reverse=False):
    x, h0 = placeholder((None, 3, 5), "float64", "x"), placeholder((3, 5), "float64", "h0")
    w = Variable((5,), "float64", lambda: W, "w")

    def step(carried, elements):
        new = apply("tanh", carried[0] * w + elements[0])
        return [new], [new * 2.0]

    (last,), (stacked,) = fold_steps(step, [h0], [x], reverse)
    return x, h0, w, last, stacked


def reference(x, h, w, reverse=False):
    ys = np.zeros_like(x)
    for t in range(len(x))[:: -1 if reverse else 1]:
        h = np.tanh(h * w + x[t])
        ys[t] = 2 * h
    return h, ys


def numeric(f, a, eps=1e-6):
    g = np.zeros_like(a)
    for i in np.ndindex(a.shape):
        up, down = a.copy(), a.copy()
        up[i] += eps
        down[i] -= eps
        g[i] = (f(up) - f(down)) / (2 * eps)
    return g


@pytest.mark.parametrize("reverse", [False, True])
def test_values(reverse):
    device = current_device()
    x, h0, _, last, stacked = loop(reverse)
    for got in (
        function([x, h0], [last, stacked])([X, H]),
        map(device.to_host, evaluate([last, stacked], device, {x.key: device.asarray(X), h0.key: device.asarray(H)})),
    ):
        for a, b in zip(got, reference(X, H, W, reverse), strict=True):
            np.testing.assert_allclose(a, b)


@pytest.mark.parametrize("reverse", [False, True])
def test_gradients(reverse):
    x, h0, w, last, stacked = loop(reverse)
    loss = total(stacked) + total(last * last)

    def value(x, h, w):
        h, ys = reference(x, h, w, reverse)
        return ys.sum() + (h * h).sum()

    gx, gh, gw = function([x, h0], gradients(loss, [x, h0, w]))([X, H])
    np.testing.assert_allclose(gx, numeric(lambda a: value(a, H, W), X), atol=1e-7)
    np.testing.assert_allclose(gh, numeric(lambda a: value(X, a, W), H), atol=1e-7)
    np.testing.assert_allclose(gw, numeric(lambda a: value(X, H, a), W), atol=1e-7)


def test_second_derivative():
    x, h0, w, _, stacked = loop()
    (gx,) = gradients(total(stacked), [x])
    first = function([x, h0], [total(gx * gx)])
    second = function([x, h0], gradients(total(gx * gx), [w]))

    def value(weights):
        w.set(weights)
        return first([X, H])[0]

    expected = numeric(value, W)
    w.set(W)
    np.testing.assert_allclose(second([X, H])[0], expected, atol=1e-6)


def test_forward_runs_once_beside_its_gradient():
    x, h0, w, last, stacked = loop()
    f = function([x, h0], [last, stacked, *gradients(total(stacked), [x, h0, w])])
    f([X, H])
    assert f.show().count(" scan(") == 2, "one forward, one backward"


def test_swapped_states():
    x = placeholder((None,), "float32", "x")
    a, b = placeholder((), "float32", "a"), placeholder((), "float32", "b")
    (p, q), _ = fold_steps(lambda carried, e: ([carried[1], carried[0] + e[0]], []), [a, b], [x])
    got = function([x, a, b], [p, q])([np.array([1.0, 2.0, 3.0]), 10.0, 20.0])
    s, t = 10.0, 20.0
    for v in (1.0, 2.0, 3.0):
        s, t = t, s + v
    assert [float(v) for v in got] == [s, t]


def test_random_numbers_differ_from_step_to_step():
    x = placeholder((None, 4), "float32", "x")

    def step(carried, elements):
        noise = random_tensor("random_uniform", (4,), 5, "float32", low=0.0, high=1.0)
        return [carried[0] + noise], [noise * elements[0]]

    start = placeholder((4,), "float32", "start")
    _, (ys,) = fold_steps(step, [start], [x])
    values = function([x, start], [ys])([np.ones((6, 4)), np.zeros(4)])[0]
    assert len(np.unique(values)) == 24


def test_nested_loops():
    x = placeholder((None, None, 2), "float64", "x")
    zero = placeholder((2,), "float64", "zero")

    def outer(carried, elements):
        (s,), _ = fold_steps(lambda c, e: ([c[0] + e[0] * e[0]], []), [carried[0]], [elements[0]])
        return [s], [s]

    (last,), _ = fold_steps(outer, [zero], [x])
    data = np.random.RandomState(2).randn(3, 4, 2)
    f = function([x, zero], [last, *gradients(total(last), [x])])
    value, grad = f([data, np.zeros(2)])
    np.testing.assert_allclose(value, (data**2).sum((0, 1)))
    np.testing.assert_allclose(grad, 2 * data)


def test_states_must_keep_their_shape():
    x, h = placeholder((None, 3), "float32", "x"), placeholder((3,), "float32", "h")
    with pytest.raises(ShapeError, match="state 0 of a loop"):
        fold_steps(lambda c, e: ([total(c[0])], []), [h], [x])
    with pytest.raises(ShapeError, match="at least one sequence"):
        fold_steps(lambda c, e: (c, []), [h], [])
    y = placeholder((4, 3), "float32", "y")
    with pytest.raises(ShapeError, match="differ in length"):
        fold_steps(lambda c, e: (c, []), [h], [placeholder((5, 3), "float32", "z"), y])
