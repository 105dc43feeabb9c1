"""3x3 convolution in the transformed domain: equal to the direct way, on every edge, and no less exact."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import kcore.backend.conv  # noqa: F401  (registers the operations)
from kcore.graph import get_op
from kcore.runtime import parallel
from kcore.runtime.context import BindContext
from kcore.runtime.numpy_device import NumpyDevice
from kcore.runtime.numpy_kernels import find_kernel, winograd
from kcore.runtime.windows import Window

THREE = Window((1, 3, 3), (1, 1, 1), (0, 1, 1), (1, 1, 1))


def compute(op: str, shape: Any, ins: list[np.ndarray], **attrs: Any) -> np.ndarray:
    bind = find_kernel(op)
    assert bind is not None
    out = np.full(shape, np.nan, ins[0].dtype)
    bind(BindContext(NumpyDevice()), (out,), tuple(ins), attrs)()
    return out


def portable(op: str, shape: Any, ins: list[np.ndarray], **attrs: Any) -> np.ndarray:
    out = np.full(shape, np.nan)
    get_op(op).kernel(np, out, *ins, **attrs)
    return out


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let any sizes be enough, and record what is computed in the transformed domain."""
    monkeypatch.setattr(winograd, "pays", lambda *a: True)
    calls: list[str] = []
    for name in ("gather", "reduce"):
        real = getattr(winograd, name)
        monkeypatch.setattr(winograd, name, lambda *a, name=name, real=real: calls.append(name) or real(*a))
    return calls


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.integers(3, 14),
    columns=st.integers(3, 14),
    padding=st.tuples(*[st.tuples(st.integers(0, 3), st.integers(0, 3))] * 2),
    block=st.sampled_from([1, 60, 500, 10000]),
    threads=st.sampled_from([1, 2]),
    first=st.booleans(),
)
def test_equal_to_the_direct_way(
    used: list[str], rows: int, columns: int, padding: Any, block: int, threads: int, first: bool
) -> None:
    rng = np.random.default_rng(rows * columns)
    positions = (rows + sum(padding[0]) - 2, columns + sum(padding[1]) - 2)
    attrs = {"strides": (1, 1), "padding": padding, "dilation": (1, 1)}
    x, w, g = (
        rng.normal(size=(3, rows, columns, 17)),
        rng.normal(size=(3, 3, 17, 6)),
        rng.normal(size=(3, *positions, 6)),
    )
    if first:  # arrays as the transposes of channels-first data are
        x, g = (np.moveaxis(np.ascontiguousarray(np.moveaxis(a, -1, 1)), 1, -1) for a in (x, g))
    used.clear()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("BLOCK_CHANNELS", "SUM_CHANNELS"):
            patch.setattr(winograd, name, block)
        for name in ("MIN_TILES", "MIN_SUM_TILES"):
            patch.setattr(winograd, name, 1)
        with parallel.limit_threads(threads):
            for op, shape, ins, more in (
                ("conv", g.shape, [x, w], {}),
                ("conv_input_grad", x.shape, [g, w], {"spatial": (rows, columns)}),
                ("conv_kernel_grad", w.shape, [x, g], {"kernel_size": (3, 3)}),
            ):
                expected = portable(op, shape, ins, **more, **attrs)
                np.testing.assert_allclose(compute(op, shape, ins, **more, **attrs), expected, atol=1e-10)
    assert used == ["gather", "gather", "reduce"]


def test_rounding_errors_are_near_those_of_the_direct_way() -> None:
    """The root mean square stays below 1e-6 of the result's, for the kernel's gradient below 2e-6."""
    rng = np.random.default_rng(0)
    attrs = {"strides": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1)}
    x, w, g = rng.normal(size=(8, 20, 19, 64)), rng.normal(size=(3, 3, 64, 64)), rng.normal(size=(8, 20, 19, 64))
    for op, shape, ins, more, most in (
        ("conv", g.shape, [x, w], {}, 1e-6),
        ("conv_input_grad", x.shape, [g, w], {"spatial": (20, 19)}, 1e-6),
        ("conv_kernel_grad", w.shape, [x, g], {"kernel_size": (3, 3)}, 2e-6),
    ):
        exact = portable(op, shape, ins, **more, **attrs)
        single = compute(op, shape, [a.astype("float32") for a in ins], **more, **attrs)
        assert np.sqrt(np.mean((single - exact) ** 2)) < most * np.sqrt(np.mean(exact**2))
        assert np.abs(single - exact).max() < 5e-6 * np.abs(exact).max()


def test_the_matrices_convolve() -> None:
    """``A^T ((G w) * (B^T d))`` is the correlation of a line ``d`` with ``w``."""
    rng = np.random.default_rng(0)
    d, w = rng.normal(size=winograd.SIDE), rng.normal(size=3)
    a, g, bt = winograd._toom_cook()
    np.testing.assert_allclose(a.T @ ((g @ w) * (bt @ d)), np.correlate(d, w, "valid"), atol=1e-13)


def test_where_it_applies() -> None:
    def case(
        channels: int, filters: int, dtype: str = "float32", window: Window = THREE, rows: int = 28, **more: bool
    ) -> bool:
        x, y = (np.empty((4, 1, rows, rows, n), dtype) for n in (channels, filters))
        return winograd.applies(window, x, y, **more)

    assert case(128, 128)
    assert case(64, 128, "float64")
    assert case(32, 64)
    assert not case(3, 32)  # little arithmetic, so the transforms cost more than they save
    assert not case(512, 512, rows=3)  # few positions, so the kernel's transform does
    assert case(256, 256, rows=14)
    assert not case(512, 512, rows=7, for_kernel=True)
    assert not case(128, 128, "float16")
    for other in (
        Window((1, 3, 3), (1, 2, 2), (0, 1, 1), (1, 1, 1)),
        Window((1, 3, 3), (1, 1, 1), (0, 1, 1), (1, 2, 2)),
        Window((3, 3, 3), (1, 1, 1), (1, 1, 1), (1, 1, 1)),
        Window((1, 1, 3), (1, 1, 1), (0, 0, 1), (1, 1, 1)),
    ):
        assert not case(128, 128, window=other)
