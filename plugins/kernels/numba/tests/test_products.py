"""The packed matrix products, and the activations, by themselves."""

from __future__ import annotations

import numpy as np
import pytest

from kcore.ops import recurrent_portable
from kcore_kernels_numba.activations import activate, slope
from kcore_kernels_numba.products import (
    PANEL,
    ROWS,
    add_product_of_rows,
    pack,
    pack_transposed,
    padded,
    product,
    row_length,
)
from kcore_kernels_numba.supported import ACTIVATIONS


def packed(b: np.ndarray) -> np.ndarray:
    memory = np.zeros((-(-b.shape[1] // PANEL), len(b), PANEL), "float32")
    pack(b, 0, memory)
    return memory


@pytest.mark.parametrize("depth", [1, 2, 17, 130])
@pytest.mark.parametrize("columns", [1, PANEL - 1, PANEL, 2 * PANEL + 3])
@pytest.mark.parametrize("transposed", [False, True])
def test_product(depth, columns, transposed):
    rng = np.random.default_rng(depth + columns)
    rows = 3 * ROWS
    a = rng.standard_normal((depth, rows) if transposed else (rows, depth)).astype("float32")
    b = rng.standard_normal((depth, columns)).astype("float32")
    c = np.full((rows, padded(columns, PANEL)), np.nan, "float32")
    left = a.T if transposed else a
    product(left, packed(b), c, False)
    np.testing.assert_allclose(c[:, :columns], left @ b, rtol=1e-4, atol=1e-5)
    assert not c[:, columns:].any()
    product(left, packed(b), c, True)
    np.testing.assert_allclose(c[:, :columns], 2 * (left @ b), rtol=1e-4, atol=1e-5)


def test_a_left_operand_of_less_depth_takes_the_first_rows():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((ROWS, 9)).astype("float32"), rng.standard_normal((9, PANEL)).astype("float32")
    c = np.empty((ROWS, PANEL), "float32")
    product(a[:, 2:6], packed(b), c, False)
    np.testing.assert_allclose(c, a[:, 2:6] @ b[:4], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("columns", [1, PANEL, 3 * PANEL - 1])
@pytest.mark.parametrize("first", [0, 5])
def test_adding_a_product_with_rows_that_are_not_packed(columns, first):
    rng = np.random.default_rng(columns)
    a = rng.standard_normal((11, ROWS)).astype("float32")
    memory = rng.standard_normal((11, row_length(first + columns))).astype("float32")
    b = memory[:, first : first + columns]
    c = rng.standard_normal((ROWS, padded(columns, PANEL))).astype("float32")
    wanted = c[:, :columns] + a.T @ b
    add_product_of_rows(a.T, b, c)
    np.testing.assert_allclose(c[:, :columns], wanted, rtol=1e-4, atol=1e-5)


def test_the_order_of_a_sum_does_not_depend_on_the_row():
    """So results do not depend on how a batch is cut."""
    row = np.random.default_rng(1).standard_normal(77).astype("float32")
    b = packed(np.random.default_rng(2).standard_normal((77, PANEL)).astype("float32"))
    c = np.empty((5 * ROWS, PANEL), "float32")
    product(np.tile(row, (5 * ROWS, 1)), b, c, False)
    assert (c == c[0]).all()


def test_packing():
    rng = np.random.default_rng(3)
    upper, lower = (rng.standard_normal((n, PANEL + 5)).astype("float32") for n in (3, 4))
    both = np.concatenate([upper, lower])
    memory = np.zeros((2, 7, PANEL), "float32")
    pack(upper, 0, memory)
    pack(lower, 3, memory)
    np.testing.assert_array_equal(memory, packed(both))
    memory = np.zeros((1, PANEL + 5, PANEL), "float32")
    pack_transposed(upper, 0, memory)
    pack_transposed(lower[:, ::-1][:, ::-1], 3, memory)
    np.testing.assert_array_equal(memory, packed(np.ascontiguousarray(both.T)))


@pytest.mark.parametrize("code, name", list(enumerate(ACTIVATIONS)))
def test_activations_and_slopes(code, name):
    z = np.concatenate([np.linspace(-12, 12, 2001), np.logspace(-30, 2, 500), -np.logspace(-30, 2, 500)])
    z = z.astype("float32")
    wanted = recurrent_portable.activate(np, name, z.astype("float64"))
    y = z.copy()
    activate(code, y)
    np.testing.assert_allclose(y, wanted, rtol=5e-7, atol=3e-7 if name in ("sigmoid", "hard_sigmoid") else 0)
    out = np.empty_like(y)
    slope(code, y, out)
    np.testing.assert_allclose(out, recurrent_portable.slope(np, name, y.astype("float64")), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("code, name", list(enumerate(ACTIVATIONS)))
@pytest.mark.parametrize("length", [1, 15, 16, 40])
def test_nan_and_infinity(code, name, length):
    y = np.full(length, np.nan, "float32")
    activate(code, y)
    assert np.isnan(y).all()
    if name != "softsign":  # inf / inf
        for sign in (1, -1):
            y = np.full(length, sign * np.inf, "float32")
            activate(code, y)
            np.testing.assert_array_equal(y, recurrent_portable.activate(np, name, np.full(length, sign * np.inf)))
