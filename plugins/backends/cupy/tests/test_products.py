"""Matrix products beside the NumPy device's: any strides, batches and dtypes, long sums cut into parts."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from kcore import backend as K
from kcore.graph import placeholder
from kcore.runtime.function import Function
from kcore_backends_cupy.capture import Segment
from kcore_backends_cupy.kernels import contraction

RTOL = {"float16": 4e-3, "float32": 2e-5, "float64": 1e-12}
LOOSE = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def products(draw):
    batch = draw(st.lists(st.integers(1, 3), max_size=3))
    m, n, k = (draw(st.sampled_from([1, 3, 17, 40])) for _ in range(3))
    left = [d if draw(st.booleans()) else 1 for d in batch]
    right = [d if draw(st.booleans()) else 1 for d in batch]
    return (*left, m, k), (*right[draw(st.integers(0, len(right))) :], k, n), draw(st.integers(0, 99))


@LOOSE
@given(products(), st.sampled_from(["float16", "float32", "float64", "int32", "bool"]))
def test_values(both, shapes, dtype):
    left, right, seed = shapes
    r = np.random.RandomState(seed)
    a, b = (r.uniform(-2, 2, s).astype(dtype) for s in (left, right))
    ours, theirs = both("matmul", a, b)
    np.testing.assert_allclose(ours, theirs, rtol=RTOL.get(dtype, 0), atol=20 * RTOL.get(dtype, 0))


@pytest.mark.parametrize("dtype", list(RTOL))
@pytest.mark.parametrize(("m", "n", "k", "parts"), [(5, 6, 3000, 23), (40, 50, 1000, 7), (300, 700, 20, 1)])
def test_shapes_of_tiles(m, n, k, parts, dtype, both, sources, check_sources):
    """Few results of long sums, in parts; small tiles; large tiles."""
    assert contraction._division(m, n, k, 1)[1] == parts
    r = np.random.RandomState(1)
    a, b = r.uniform(-1, 1, (m, k)).astype(dtype), r.uniform(-1, 1, (k, n)).astype(dtype)
    ours, theirs = both("matmul", a, b)
    np.testing.assert_allclose(ours, theirs, rtol=RTOL[dtype], atol=k**0.5 * RTOL[dtype])
    assert set(sources.values()) == ({"product", "sum_parts"} if parts > 1 else {"product"})
    check_sources()


def test_large_tiles(monkeypatch, both, sources, check_sources):
    """8 elements a side for each thread: what a GPU takes for 132 such tiles and more."""
    monkeypatch.setattr(contraction, "ENOUGH", 2)
    for dtype in RTOL:
        a, b = np.random.rand(150, 70).astype(dtype), np.random.rand(70, 200).astype(dtype)
        ours, theirs = both("matmul", a, b)
        np.testing.assert_allclose(ours, theirs, rtol=RTOL[dtype])
    assert all(f"sum[{8}][{8}]" in source for source in sources)
    check_sources()


def test_transposed_operands_are_read_where_they_are(emulated):
    """Views by strides, and all of a product's launches in one graph."""
    x, y = placeholder((7, 30), "float32", "x"), placeholder((20, 7), "float32", "y")
    f = Function([x, y], [K.dot(K.transpose(x), K.transpose(y)), K.dot(K.transpose(x), x)])
    a, b = np.random.rand(7, 30).astype("float32"), np.random.rand(20, 7).astype("float32")
    for _ in range(3):
        one, two = f([a, b])
        np.testing.assert_allclose(one, a.T @ b.T, rtol=1e-5)
        np.testing.assert_allclose(two, a.T @ a, rtol=1e-5)
    instance = f.bound_plan([a.shape, b.shape])._idle[0]
    assert all(isinstance(call, Segment) for _, call in instance._calls)


@pytest.mark.parametrize(("left", "right"), [((3, 0), (0, 4)), ((0, 3), (3, 4)), ((2, 3, 4), (2, 4, 0))])
def test_nothing_to_sum_and_no_elements(left, right, both):
    ours, theirs = both("matmul", np.ones(left, "float32"), np.ones(right, "float32"))
    np.testing.assert_array_equal(ours, theirs)
