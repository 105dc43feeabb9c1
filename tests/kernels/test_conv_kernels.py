"""What the NumPy kernels of convolution and pooling do beyond computing: layouts, threads, memory."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kcore.backend.conv  # noqa: F401  (registers the operations)
from kcore import backend as K
from kcore.graph import get_op
from kcore.runtime import parallel
from kcore.runtime.context import BindContext
from kcore.runtime.numpy_device import NumpyDevice
from kcore.runtime.numpy_kernels import find_kernel
from kcore.runtime.numpy_kernels.windows import cut
from kcore.runtime.windows import Window, input_phases

WINDOW = {"strides": (2, 1), "padding": ((1, 0), (2, 1)), "dilation": (1, 2)}
POOL = {"pool": (3, 2), "strides": (2, 1), "padding": ((1, 1), (0, 1))}


def outputs(name: str, out: np.ndarray) -> Any:
    """`out` among the outputs of the op, where it has several."""
    return {"max_pool": (out, None), "max_pool:winners": (np.empty(out.shape), out)}.get(name, (out,))


def unset(name: str, shape: Any, dtype: Any) -> np.ndarray:
    return np.full(shape, 255, "uint8") if name == "max_pool:winners" else np.full(shape, np.nan, dtype)


def compute(name: str, shape: Any, ins: list[np.ndarray], **attrs: Any) -> np.ndarray:
    """The op by its NumPy kernel, bound once and run twice, with memory that begins as NaN."""
    bind = find_kernel(name.split(":")[0])
    assert bind is not None
    ctx = BindContext(NumpyDevice())
    out = unset(name, shape, ins[-1].dtype)
    run = bind(ctx, outputs(name, out), tuple(ins), attrs)
    run()
    first = out.copy()
    out[...] = unset(name, shape, ins[-1].dtype)
    run()
    np.testing.assert_array_equal(out, first)
    return first


def portable(name: str, shape: Any, ins: list[np.ndarray], **attrs: Any) -> np.ndarray:
    out = unset(name, shape, "float64")
    outs = outputs(name, out)
    get_op(name.split(":")[0]).kernel(np, outs if len(outs) > 1 else out, *ins, **attrs)
    return out


def cases() -> dict[str, tuple[Any, list[np.ndarray], dict[str, Any]]]:
    rng = np.random.default_rng(0)
    found: dict[str, tuple[Any, list[np.ndarray], dict[str, Any]]] = {}
    for channels in (2, 24):  # few, many: the two roads of the input's gradient
        x, w = rng.normal(size=(5, 9, 8, channels)), rng.normal(size=(3, 3, channels, 7))
        g = rng.normal(size=(5, 4, 7, 7))
        found[f"conv:{channels}"] = (g.shape, [x, w], WINDOW)
        found[f"conv_input_grad:{channels}"] = (x.shape, [g, w], {"spatial": (9, 8), **WINDOW})
        found[f"conv_kernel_grad:{channels}"] = (w.shape, [x, g], {"kernel_size": (3, 3), **WINDOW})
    d, h = rng.normal(size=(3, 3, 24, 2)), rng.normal(size=(5, 4, 7, 48))
    found["depthwise_conv"] = (h.shape, [x, d], WINDOW)
    found["depthwise_conv_input_grad"] = (x.shape, [h, d], {"spatial": (9, 8), **WINDOW})
    found["depthwise_conv_kernel_grad"] = (d.shape, [x, h], {"kernel_size": (3, 3), **WINDOW})
    pooled = (5, 5, 8, 24)
    p, winner = rng.normal(size=pooled), portable("max_pool:winners", pooled, [x], **POOL)
    found["max_pool"] = found["max_pool:winners"] = (pooled, [x], POOL)
    found["max_pool_grad"] = (x.shape, [winner, p], {"spatial": (9, 8), **POOL})
    found["avg_pool"] = (pooled, [x], POOL)
    found["avg_pool_grad"] = (x.shape, [p], {"spatial": (9, 8), **POOL})
    return found


CASES = cases()


def _same(a: np.ndarray) -> np.ndarray:
    return a


def _channels_first(a: np.ndarray) -> np.ndarray:
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(a, -1, 1)), 1, -1)


def _part_of_more(a: np.ndarray) -> np.ndarray:
    more = np.full(tuple(2 * n for n in a.shape), np.nan if a.dtype.kind == "f" else 255, a.dtype)
    part = more[tuple(slice(0, 2 * n, 2) for n in a.shape)]
    part[...] = a
    return part


def _reversed(a: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(a[:, ::-1])[:, ::-1]


@pytest.mark.parametrize("layout", [_same, _channels_first, _part_of_more, _reversed])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("name", CASES)
def test_any_layout_on_any_number_of_threads(name: str, threads: int, layout: Any) -> None:
    shape, ins, attrs = CASES[name]
    expected = portable(name, shape, ins, **attrs)
    with parallel.limit_threads(threads):
        computed = compute(name, shape, [layout(a) for a in ins], **attrs)
    np.testing.assert_allclose(computed, expected, atol=1e-10)


def test_a_plan_bound_for_many_threads_runs_inside_a_parallel_section() -> None:
    """There a section has one thread; scratch memory and partial sums were laid out for more."""
    shape, ins, attrs = CASES["conv_kernel_grad:24"]
    with parallel.limit_threads(3):
        out = np.empty(shape)
        bind = find_kernel("conv_kernel_grad")
        assert bind is not None
        run = bind(BindContext(NumpyDevice()), (out,), tuple(ins), attrs)
        run()
        alone = out.copy()
        out.fill(np.nan)
        parallel.parallel_blocks(lambda worker, block: run() if block == 0 else None, 2)
    np.testing.assert_array_equal(out, alone)  # to the bit: the sums' order does not depend on who computes them


def test_empty_batch() -> None:
    x, w = np.zeros((0, 6, 6, 3), "float32"), np.zeros((3, 3, 3, 4), "float32")
    attrs = {"strides": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1)}
    assert compute("conv", (0, 6, 6, 4), [x, w], **attrs).shape == (0, 6, 6, 4)
    g = np.zeros((0, 6, 6, 4), "float32")
    assert not compute("conv_kernel_grad", w.shape, [x, g], kernel_size=(3, 3), **attrs).any()
    assert compute("conv_input_grad", x.shape, [g, w], spatial=(6, 6), **attrs).shape == x.shape


@pytest.mark.parametrize("shape", [(3, 1, 7, 5), (2, 4, 6, 6), (7, 1, 1, 3), (1, 1, 100, 100)])
@pytest.mark.parametrize("target", [1, 10, 36, 1000])
def test_blocks_cover_all_positions_once(shape: tuple[int, ...], target: int) -> None:
    counts = np.zeros(shape, int)
    for block in cut(shape, target):
        part = block.of(counts)
        part += 1
        assert part.base is not None and part.reshape(-1).base is not None, "a block must be consecutive in memory"
    assert (counts == 1).all()


def test_phases_cover_every_tap_of_every_input() -> None:
    window = Window((1, 5, 3), (1, 3, 2), (0, 2, 0), (1, 2, 3))
    lengths = (1, 11, 9)
    taps = np.zeros(lengths, int)
    for phase in input_phases(window, lengths):
        taps[phase.inputs[1:]] += phase.window.taps
    for axis, i in ((1, 0), (1, 4), (2, 3), (2, 4)):
        size, stride, before, dilation = (getattr(window, f)[axis] for f in ("size", "stride", "before", "dilation"))
        meeting = sum((i + before - t * dilation) % stride == 0 for t in range(size))
        line = taps[0, i] if axis == 1 else taps[0, :, i]
        assert (line % max(meeting, 1) == 0).all() and (meeting > 0 or not line.any())


def test_memory_of_forward_and_backward() -> None:
    """Less than three times the bytes of inputs, output and gradients: no im2col of the whole batch."""
    shape, kernel = (32, 56, 56, 64), (3, 3, 64, 64)
    rng = np.random.default_rng(0)
    x, w = rng.random(shape, "float32"), rng.random(kernel, "float32")
    inputs = [K.placeholder(shape), K.placeholder(kernel)]
    y = K.conv2d(*inputs, padding="same")
    grads = K.gradients(K.sum(K.square(y)) / 2, inputs)  # whose gradient by y is y itself
    f = K.function(inputs, [y, *grads])
    tracemalloc.start()
    try:
        outputs = f([x, w])
        peak = tracemalloc.get_traced_memory()[1] + x.nbytes + w.nbytes
    finally:
        tracemalloc.stop()
    total = x.nbytes + w.nbytes + sum(o.nbytes for o in outputs) + outputs[0].nbytes  # the last: y's gradient
    assert peak <= 3 * total, f"{peak / 1e6:.0f} MB for {total / 1e6:.0f} MB of arrays"


@st.composite
def strided_windows(draw: Any) -> tuple[tuple[int, ...], dict[str, Any], tuple[int, ...], tuple[int, ...]]:
    """Spatial sizes, attributes, the window's size, and its positions: with strides, over columns above all."""
    size = draw(st.tuples(st.integers(1, 3), st.integers(1, 7)))
    strides = draw(st.tuples(st.integers(1, 3), st.integers(1, 4)))
    dilation = draw(st.sampled_from(((1, 1), (1, 1), (2, 1), (1, 2))))
    padding = draw(st.tuples(*[st.tuples(st.integers(0, 3), st.integers(0, 3))] * 2))
    reach = [(k - 1) * d + 1 for k, d in zip(size, dilation)]
    spatial = tuple(max(1, r - sum(pair)) + draw(st.integers(0, 9)) for r, pair in zip(reach, padding))
    positions = tuple((n + sum(pair) - r) // s + 1 for n, r, s, pair in zip(spatial, reach, strides, padding))
    return spatial, {"strides": strides, "padding": padding, "dilation": dilation}, size, positions


@settings(max_examples=80, deadline=None)
@given(strided_windows(), st.sampled_from((1, 3, 16, 65)), st.integers(1, 2), st.integers(1, 3))
def test_depthwise_convolution_with_strides(window: Any, channels: int, multiplier: int, batch: int) -> None:
    spatial, attrs, size, positions = window
    rng = np.random.default_rng(channels)
    shapes = [(batch, *spatial, channels), (*size, channels, multiplier), (batch, *positions, channels * multiplier)]
    x, w, g = (rng.normal(size=shape) for shape in shapes)
    for name, shape, ins, more in (
        ("depthwise_conv", g.shape, [x, w], {}),
        ("depthwise_conv_input_grad", x.shape, [g, w], {"spatial": spatial}),
        ("depthwise_conv_kernel_grad", w.shape, [x, g], {"kernel_size": size}),
    ):
        found = compute(name, shape, ins, **attrs, **more)
        np.testing.assert_allclose(found, portable(name, shape, ins, **attrs, **more), rtol=1e-9, atol=1e-9)


@settings(max_examples=80, deadline=None)
@given(strided_windows(), st.sampled_from((1, 3, 16)), st.integers(1, 3), st.booleans())
def test_winners_of_pooling_with_strides(window: Any, channels: int, batch: int, infinite: bool) -> None:
    """Of equal elements the first one wins, and padding never."""
    spatial, attrs, size, _ = window
    padding = tuple((min(a, k - 1), min(b, k - 1)) for (a, b), k in zip(attrs["padding"], size))
    positions = tuple((n + sum(pair) - k) // s + 1 for n, k, s, pair in zip(spatial, size, attrs["strides"], padding))
    if min(positions) < 1:
        return
    x = np.random.default_rng(channels).integers(-2, 2, (batch, *spatial, channels)).astype("float64")
    if infinite:
        x[x < 0] = -np.inf
    shape = (batch, *positions, channels)
    given_ = {"pool": size, "strides": attrs["strides"], "padding": padding}
    for name in ("max_pool", "max_pool:winners"):
        np.testing.assert_array_equal(compute(name, shape, [x], **given_), portable(name, shape, [x], **given_))
