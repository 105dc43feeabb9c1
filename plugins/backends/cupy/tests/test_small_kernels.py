"""Positions, running sums, softmax along any axis, rows added by index, random numbers: beside the NumPy device."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kcore import backend as K
from kcore.graph import apply, placeholder
from kcore.ops.random import random_tensor
from kcore.runtime import devices
from kcore.runtime.function import Function
from kcore.runtime.numpy_device import NumpyDevice
from kcore_backends_cupy.capture import Segment
from kcore_backends_cupy.kernels import added_rows, sorting

QUICK = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
FLOATS = ("float16", "float32", "float64")


@QUICK
@given(
    x=hnp.arrays(
        st.sampled_from([np.dtype(d) for d in ("float32", "int32", "bool", "float64")]),
        hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=6),
        elements={"allow_subnormal": False},
    ),
    data=st.data(),
)
def test_positions(both, x, data):
    axis = data.draw(st.integers(0, x.ndim - 1))
    for name in ("argmax", "argmin"):
        ours, theirs = both(name, x, axis=axis)
        np.testing.assert_array_equal(ours, theirs)


def test_positions_in_a_long_row(both):
    x = np.random.RandomState(0).randint(0, 50, (3, 1000)).astype("float32")
    for name in ("argmax", "argmin"):
        np.testing.assert_array_equal(*both(name, x, axis=1))


@QUICK
@given(
    shape=hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=7),
    dtype=st.sampled_from(["float32", "float64", "int32"]),
    reverse=st.booleans(),
    exclusive=st.booleans(),
    data=st.data(),
)
def test_running_sums_and_products(both, shape, dtype, reverse, exclusive, data):
    axis = data.draw(st.integers(0, len(shape) - 1))
    x = np.random.RandomState(1).uniform(-3, 3, shape).astype(dtype)
    for name in ("cumsum", "cumprod"):
        ours, theirs = both(name, x, axis=axis, reverse=reverse, exclusive=exclusive)
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("exclusive", [False, True])
def test_a_long_running_sum(both, exclusive):
    x = np.random.RandomState(2).rand(2, 700)
    np.testing.assert_allclose(*both("cumsum", x, axis=1, reverse=True, exclusive=exclusive), rtol=1e-12)


@QUICK
@given(
    shape=hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=5),
    dtype=st.sampled_from(FLOATS),
    data=st.data(),
)
def test_softmax_along_any_axis(both, shape, dtype, data):
    axis = data.draw(st.integers(0, len(shape) - 1))
    axes = tuple(sorted(data.draw(st.sets(st.integers(0, len(shape) - 1), min_size=1))))
    x = np.random.RandomState(3).uniform(-9, 9, shape).astype(dtype)
    rtol = {"float16": 1e-2, "float32": 1e-5, "float64": 1e-12}[dtype]
    for name in ("softmax", "log_softmax"):
        np.testing.assert_allclose(*both(name, x, axis=axis), rtol=rtol, atol=rtol)
    np.testing.assert_allclose(*both("logsumexp", x, axes=axes, keepdims=False), rtol=rtol, atol=rtol)


def test_the_logarithm_of_no_probability(both):
    x = np.array([[-np.inf, -np.inf], [np.inf, 1.0], [1000.0, 1000.0]], "float32")
    ours, theirs = both("logsumexp", x, axes=(1,), keepdims=True)
    np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_allclose(ours.ravel(), [-np.inf, np.inf, 1000 + np.log(2)], rtol=1e-6)


def test_choosing(both):
    r = np.random.RandomState(4)
    x, index = r.randint(0, 5, (9, 70)).astype("float32"), r.randint(-2, 72, 9)
    x[3, 4], x[5] = np.nan, np.inf
    np.testing.assert_array_equal(*both("in_top_k", x, index, k=3))
    np.testing.assert_array_equal(*both("in_top_k", x, index.clip(0, 69), k=60))
    np.testing.assert_array_equal(*both("one_hot", index, classes=70, dtype="float16"))
    np.testing.assert_array_equal(*both("pick_grad", r.rand(9).astype("float32"), index.clip(0, 69), x))
    for condition in (True, False):
        np.testing.assert_array_equal(*both("select", np.array(condition), x, x[:, :1]))


def test_sequences_of_numbers(both):
    for attrs in ({"start": 3, "stop": 70003, "step": 1}, {"start": 7.5, "stop": -80000.0, "step": -1.5}):
        np.testing.assert_array_equal(*both("arange", **attrs, dtype="float32"))
    np.testing.assert_array_equal(*both("eye", rows=300, columns=257, dtype="int32"))


@QUICK
@given(
    count=st.integers(added_rows.FEW + 1, 700),
    rows=st.integers(1, 12),
    width=st.integers(1, 3),
    padding=st.floats(0, 1),
)
def test_many_rows_are_added(emulated, count, rows, width, padding):
    """Whatever the share of one index, that of the padding; launches only."""
    instance = many_rows(count, rows, width, padding)
    assert [type(call) for _, call in instance._calls] == [Segment]


def many_rows(count, rows, width, padding):
    r = np.random.RandomState(count)
    index = np.where(r.rand(count) < padding, 0, r.randint(-rows, rows, count))
    x, g = r.rand(rows, width), r.rand(count, width)
    a, b, c = (placeholder(v.shape, v.dtype.name, "v") for v in (x, g, index))
    f = Function([a, b, c], [apply("scatter_add", a, b, c), apply("gather_grad", b, c, shape=(rows, width))])
    wanted = np.zeros((rows, width))
    np.add.at(wanted, index, g)
    for _ in range(3):
        added, zeros = f([x, g, index])
        np.testing.assert_allclose(zeros, wanted, rtol=1e-12)
        np.testing.assert_allclose(added, x + wanted, rtol=1e-12)
    (instance,) = f.bound_plan([x.shape, g.shape, index.shape])._idle
    return instance


@QUICK
@given(
    count=st.integers(added_rows.FEW + 1, 3000),
    rows=st.sampled_from([1, 5, 15, 16, 17, 300, 5000]),
    padding=st.floats(0, 1),
)
def test_very_many_rows(emulated, count, rows, padding):
    """They are put in order by their digits; in launches, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorting, "MANY", added_rows.FEW)
        instance = many_rows(count, rows, 2, padding)
    assert [type(call) for _, call in instance._calls] == [Segment]


def test_source_of_sorting(monkeypatch, emulated, check_sources):
    monkeypatch.setattr(sorting, "MANY", added_rows.FEW)
    many_rows(400, 300, 2, 0.5)
    check_sources()


def test_an_index_out_of_range_adds_nothing(emulated):
    for count in (4, 300):
        index = np.full(count, 7)
        index[1] = -1
        g = placeholder((count, 2), "float32", "g")
        (made,) = Function([g], [apply("gather_grad", g, index, shape=(5, 2))])([np.ones((count, 2), "float32")])
        np.testing.assert_array_equal(made, [[0, 0]] * 4 + [[1, 1]])


@pytest.mark.parametrize("dtype", [*FLOATS, "int32", "int64"])
def test_random_numbers(emulated, dtype, check_sources):
    """From the same bits, the same numbers, run after run; within launches only."""

    def draws():
        made = [random_tensor("random_uniform", (3, 7), 5, dtype, low=-3, high=9)]
        if dtype.startswith("float"):
            options = {"mean": 0.5, "stddev": 2.0}
            made += [random_tensor("random_normal", (n,), 6, dtype, truncated=False, **options) for n in (1, 8, 31)]
            made.append(random_tensor("random_normal", (31,), 7, dtype, truncated=True, **options))
        f = K.function([], made)
        return [f([]) for _ in range(4)], f

    ours, f = draws()
    (instance,) = f.bound_plan([])._idle
    assert [type(call) for _, call in instance._calls] == [Segment]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(devices, "_current", NumpyDevice())
        theirs, _ = draws()
    rtol = {"float16": 2e-3, "float64": 1e-9}.get(dtype, 1e-5)
    for a, b in zip(ours, theirs, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol)
    check_sources()


@pytest.mark.parametrize("dtype", [*FLOATS, "int32", "bool"])
def test_source(both, check_sources, dtype):
    r = np.random.RandomState(5)
    x, index = r.rand(4, 6).astype(dtype), r.randint(0, 4, 300).astype("int32")
    both("argmax", x, axis=0)
    both("argmin", x, axis=1)
    both("one_hot", index, classes=3, dtype=dtype)
    both("arange", start=0, stop=70000, step=1, dtype="int32" if dtype == "bool" else dtype)
    both("eye", rows=300, columns=300, dtype=dtype)
    if dtype != "bool":
        both("cumsum", x, axis=0, reverse=True, exclusive=False)
        both("cumprod", x, axis=1, reverse=False, exclusive=True)
        both("in_top_k", x, index[:4], k=2)
        both("pick_grad", x[:, 0], index[:4], x)
        both("gather_grad", r.rand(300, 2).astype(dtype), index, shape=(4, 2))
    if dtype.startswith("float"):
        both("softmax", x, axis=0)
        both("log_softmax", x, axis=1)
        both("logsumexp", x, axes=(0,), keepdims=False)
    check_sources()
