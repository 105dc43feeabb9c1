"""Properties over random shapes, axes and slices: broadcasting, reductions, movement, indexing, products."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal

from kcore import ops as O
from kcore.grad import gradients
from kcore.graph import Tensor, placeholder
from kcore.runtime.function import Function
from kcore.testing import check_gradient

quick = settings(max_examples=40, deadline=None, derandomize=True)
shapes = hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4)


def filled(shape: tuple[int, ...], start: int = 1) -> np.ndarray:
    return (np.arange(start, start + int(np.prod(shape))).reshape(shape) % 7 - 3.0) * 0.5


def run(fn: Any, *arrays: np.ndarray, unknown: bool) -> Any:
    inputs = [placeholder((None,) * a.ndim if unknown else a.shape, a.dtype.name, "x") for a in arrays]
    return Function(inputs, [fn(*inputs)])(list(arrays))[0]


def grads(fn: Any, *arrays: np.ndarray, unknown: bool) -> list[Any]:
    """Gradients of the sum of the result times a fixed tensor of its shape."""
    inputs = [placeholder((None,) * a.ndim if unknown else a.shape, a.dtype.name, "x") for a in arrays]
    y = fn(*inputs)
    weights = filled(Function(inputs, [y])(list(arrays))[0].shape, 3)
    found = gradients(y * weights, inputs)
    return [weights, *Function(inputs, [g for g in found if g is not None])(list(arrays))]


@st.composite
def broadcastable(draw: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    a, b = draw(hnp.mutually_broadcastable_shapes(num_shapes=2, min_dims=0, max_dims=4, max_side=4)).input_shapes
    return a, b


@quick
@given(broadcastable(), st.booleans())
def test_broadcasting(pair: Any, unknown: bool) -> None:
    a, b = filled(pair[0]), filled(pair[1], 5)
    assert_allclose(run(lambda x, y: x * y, a, b, unknown=unknown), a * b)
    weights, ga, gb = grads(lambda x, y: x * y, a, b, unknown=unknown)
    assert_allclose(ga, _sum_to(weights * b, a.shape))
    assert_allclose(gb, _sum_to(weights * a, b.shape))


def _sum_to(g: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    g = g.sum(axis=tuple(range(g.ndim - len(shape))))
    axes = tuple(i for i, n in enumerate(shape) if n == 1)
    return g.sum(axis=axes, keepdims=True) if axes else g


@quick
@given(st.data(), shapes, st.booleans(), st.booleans(), st.sampled_from(["sum", "mean", "max", "min", "prod"]))
def test_reductions(data: Any, shape: Any, keepdims: bool, unknown: bool, name: str) -> None:
    x = filled(shape)
    axes = data.draw(st.none() | st.sets(st.integers(-len(shape), -1), min_size=1).map(tuple))
    mine = getattr(O, f"reduce_{name}")
    expected = getattr(np, name)(x, axis=axes, keepdims=keepdims)
    assert_allclose(run(lambda t: mine(t, axes, keepdims), x, unknown=unknown), expected, atol=1e-12)


@quick
@given(st.data(), shapes, st.booleans())
def test_transpose_and_back(data: Any, shape: Any, unknown: bool) -> None:
    x = filled(shape)
    perm = tuple(data.draw(st.permutations(range(len(shape)))))
    assert_array_equal(run(lambda t: O.transpose(t, perm), x, unknown=unknown), x.transpose(perm))
    weights, g = grads(lambda t: O.transpose(t, perm), x, unknown=unknown)
    assert_array_equal(g, weights.transpose(np.argsort(perm)))


@quick
@given(st.data(), shapes, st.booleans())
def test_basic_indexing(data: Any, shape: Any, unknown: bool) -> None:
    x = filled(shape)
    index = data.draw(hnp.basic_indices(shape, allow_newaxis=True))
    expected = np.asarray(x[index])
    assert_array_equal(run(lambda t: t[index], x, unknown=unknown), expected)
    weights, g = grads(lambda t: t[index], x, unknown=unknown)
    wanted = np.zeros_like(x)
    wanted[index] = weights
    assert_array_equal(g, wanted)


@quick
@given(st.data(), shapes, st.booleans())
def test_joining(data: Any, shape: Any, unknown: bool) -> None:
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    lengths = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    parts = [filled(tuple(n if i == axis % len(shape) else d for i, d in enumerate(shape))) for n in lengths]
    assert_array_equal(run(lambda *t: O.concat(t, axis), *parts, unknown=unknown), np.concatenate(parts, axis))
    weights, *found = grads(lambda *t: O.concat(t, axis), *parts, unknown=unknown)
    for g, wanted in zip(found, np.split(weights, np.cumsum(lengths)[:-1], axis), strict=True):
        assert_array_equal(g, wanted)


@quick
@given(st.data(), shapes, st.booleans())
def test_tile_repeat_pad_reverse(data: Any, shape: Any, unknown: bool) -> None:
    x = filled(shape)
    n = len(shape)
    reps = data.draw(st.tuples(*[st.integers(1, 3)] * n))
    padding = data.draw(st.tuples(*[st.tuples(st.integers(0, 2), st.integers(0, 2))] * n))
    axes = data.draw(st.sets(st.integers(0, n - 1)).map(tuple))
    assert_array_equal(run(lambda t: O.tile(t, reps), x, unknown=unknown), np.tile(x, reps))
    repeated = x
    for axis, r in enumerate(reps):
        repeated = repeated.repeat(r, axis)
    assert_array_equal(run(lambda t: O.repeat(t, reps), x, unknown=unknown), repeated)
    assert_array_equal(run(lambda t: O.pad(t, padding), x, unknown=unknown), np.pad(x, padding))
    assert_array_equal(run(lambda t: O.reverse(t, axes), x, unknown=unknown), np.flip(x, axes))
    weights, g = grads(lambda t: O.tile(t, reps), x, unknown=unknown)
    blocks = weights.reshape([d for r, m in zip(reps, shape, strict=True) for d in (r, m)])
    assert_allclose(g, blocks.sum(axis=tuple(range(0, 2 * n, 2))))


@quick
@given(st.data(), shapes, st.booleans())
def test_gather(data: Any, shape: Any, unknown: bool) -> None:
    x = filled(shape)
    n = shape[0]
    index = data.draw(
        hnp.arrays("int32", hnp.array_shapes(min_dims=0, max_dims=2, max_side=5), elements=st.integers(-n, n - 1))
    )
    assert_array_equal(run(O.gather, x, index, unknown=unknown), x[index])
    weights, g = grads(O.gather, x, index, unknown=unknown)
    wanted = np.zeros_like(x)
    np.add.at(wanted, index, weights)
    assert_allclose(g, wanted, atol=1e-12)


@quick
@given(st.data(), st.booleans())
def test_dot(data: Any, unknown: bool) -> None:
    lead = data.draw(hnp.array_shapes(min_dims=0, max_dims=2, max_side=3))
    middle = data.draw(hnp.array_shapes(min_dims=0, max_dims=2, max_side=3))
    k, m = data.draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    x, y = filled((*lead, k)), filled((*middle, k, m), 2)
    assert_allclose(run(O.dot, x, y, unknown=unknown), np.dot(x, y))


@quick
@given(st.data(), st.booleans())
def test_batch_dot(data: Any, unknown: bool) -> None:
    """Every pair of axes, for ranks 2 to 4, against einsum."""
    batch, k = data.draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    x_free, y_free = (data.draw(st.lists(st.integers(1, 3), max_size=2)) for _ in range(2))
    a, b = data.draw(st.integers(1, len(x_free) + 1)), data.draw(st.integers(1, len(y_free) + 1))
    x_shape, y_shape = [batch, *x_free], [batch, *y_free]
    x_shape.insert(a, k)
    y_shape.insert(b, k)
    x, y = filled(tuple(x_shape)), filled(tuple(y_shape), 2)
    left, right = list("pqr")[: len(x_free)], list("stu")[: len(y_free)]
    out = "B" + "".join(left) + "".join(right)
    left.insert(a - 1, "k")
    right.insert(b - 1, "k")
    expected = np.einsum(f"B{''.join(left)},B{''.join(right)}->{out}", x, y)
    if expected.ndim == 1:
        expected = expected[:, None]

    def fn(s: Tensor, t: Tensor) -> Tensor:
        return O.batch_dot(s, t, (a, b - len(y_shape)))

    assert_allclose(run(fn, x, y, unknown=unknown), expected)
    weights, gx, gy = grads(fn, x, y, unknown=unknown)
    assert gx.shape == x.shape
    assert gy.shape == y.shape
    assert_allclose((gx * x).sum(), (weights * expected).sum(), atol=1e-9)


@quick
@given(st.data(), shapes, st.booleans())
def test_softmax_sums_to_one(data: Any, shape: Any, unknown: bool) -> None:
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = filled(shape) * 50
    y = run(lambda t: O.softmax(t, axis), x, unknown=unknown)
    assert_allclose(y.sum(axis), np.ones_like(y.sum(axis)))
    log = run(lambda t: O.log_softmax(t, axis), x, unknown=unknown)
    assert_allclose(np.exp(log), y, atol=1e-12)


@quick
@given(st.data(), shapes, st.booleans())
def test_reshape(data: Any, shape: Any, unknown: bool) -> None:
    x = filled(shape)
    size = x.size
    first = data.draw(st.sampled_from([d for d in range(1, size + 1) if size % d == 0]))
    free = data.draw(st.booleans())
    target = (first, -1) if free else (first, size // first)
    assert_array_equal(run(lambda t: O.reshape(t, target), x, unknown=unknown), x.reshape(target))
    flipped = x.T.copy()
    assert_array_equal(
        run(lambda t: O.reshape(O.transpose(t), target), flipped, unknown=unknown), flipped.T.reshape(target)
    )


@quick
@given(
    data=st.data(),
    shape=hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4),
    unknown=st.booleans(),
    reverse=st.booleans(),
    exclusive=st.booleans(),
)
def test_gradients_of_running_products(data: Any, shape: Any, unknown: bool, reverse: bool, exclusive: bool) -> None:
    axis = data.draw(st.integers(0, len(shape) - 1))
    x = data.draw(hnp.arrays("float64", shape, elements=st.sampled_from([0.0, 0.0, -2.0, -1.0, 0.5, 3.0])))
    check_gradient(lambda t: O.cumprod(t, axis, reverse=reverse, exclusive=exclusive), x, unknown=unknown, step=1e-4)
