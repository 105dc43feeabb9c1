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
from kcore.runtime.numpy_kernels.windows import Window

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
    """Let few channels be enough, and record what is computed in the transformed domain."""
    monkeypatch.setattr(winograd, "MIN_CHANNELS", 1)
    monkeypatch.setattr(winograd, "MAX_CHANNELS", 1)
    calls: list[str] = []
    for name in ("gather", "reduce"):
        real = getattr(winograd, name)
        monkeypatch.setattr(winograd, name, lambda *a, name=name, real=real: calls.append(name) or real(*a))
    return calls


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.integers(4, 11),
    columns=st.integers(4, 11),
    padding=st.tuples(*[st.tuples(st.integers(0, 3), st.integers(0, 3))] * 2),
    tiles=st.sampled_from([1, 5, 30, 400]),
    threads=st.sampled_from([1, 2]),
    first=st.booleans(),
)
def test_equal_to_the_direct_way(
    used: list[str], rows: int, columns: int, padding: Any, tiles: int, threads: int, first: bool
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
    old, winograd.TILES = winograd.TILES, tiles
    try:
        with parallel.limit_threads(threads):
            for op, shape, ins, more in (
                ("conv", g.shape, [x, w], {}),
                ("conv_input_grad", x.shape, [g, w], {"spatial": (rows, columns)}),
                ("conv_kernel_grad", w.shape, [x, g], {"kernel_size": (3, 3)}),
            ):
                expected = portable(op, shape, ins, **more, **attrs)
                np.testing.assert_allclose(compute(op, shape, ins, **more, **attrs), expected, atol=1e-10)
    finally:
        winograd.TILES = old
    if min(positions) >= 4:
        assert used == ["gather", "gather", "reduce"]


def test_rounding_errors_are_those_of_the_direct_way() -> None:
    rng = np.random.default_rng(0)
    attrs = {"strides": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1)}
    x, w, g = rng.normal(size=(2, 10, 9, 128)), rng.normal(size=(3, 3, 128, 128)), rng.normal(size=(2, 10, 9, 128))
    for op, shape, ins, more in (
        ("conv", g.shape, [x, w], {}),
        ("conv_input_grad", x.shape, [g, w], {"spatial": (10, 9)}),
        ("conv_kernel_grad", w.shape, [x, g], {"kernel_size": (3, 3)}),
    ):
        exact = portable(op, shape, ins, **more, **attrs)
        single = compute(op, shape, [a.astype("float32") for a in ins], **more, **attrs)
        assert np.sqrt(np.mean((single - exact) ** 2)) < 6e-7 * np.sqrt(np.mean(exact**2))


def test_where_it_applies() -> None:
    def case(channels: int, filters: int, dtype: str = "float32", window: Window = THREE, rows: int = 8) -> bool:
        return winograd.applies(
            window, np.empty((2, 1, rows, rows, channels), dtype), np.empty((2, 1, rows, rows, filters), dtype)
        )

    assert case(128, 128)
    assert case(64, 128, "float64")
    assert not case(64, 64)
    assert not case(32, 512)
    assert not case(128, 128, "float16")
    assert not case(128, 128, rows=3)
    for other in (
        Window((1, 3, 3), (1, 2, 2), (0, 1, 1), (1, 1, 1)),
        Window((1, 3, 3), (1, 1, 1), (0, 1, 1), (1, 2, 2)),
        Window((3, 3, 3), (1, 1, 1), (1, 1, 1), (1, 1, 1)),
        Window((1, 1, 3), (1, 1, 1), (0, 0, 1), (1, 1, 1)),
    ):
        assert not case(128, 128, window=other)
