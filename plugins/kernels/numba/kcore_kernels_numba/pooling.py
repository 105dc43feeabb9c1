"""Max and average pooling, and their gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from kcore.runtime import parallel
from kcore.runtime.numpy_kernels.pool import average_scale
from kcore.runtime.windows import Window, attrs_window, expand
from kcore_kernels_numba.geometry import backward, forward
from kcore_kernels_numba.walks import LARGEST, LARGEST_AND_TAP, SUM, SUM_OF_WON, Walks

Array = Any
Call = Callable[[], Any]


def max_pool(ctx: Any, outs: Sequence[Array | None], ins: Sequence[Array], attrs: dict[str, Any]) -> Call:
    """The largest element under each position of the window, and the number of the first tap that has it."""
    y, winner = outs
    if y is None:
        assert winner is not None
        y = ctx.scratch(winner.shape, ins[0].dtype)
    x, y = expand(ins[0]), expand(y)
    window = _window(attrs, x)
    axes = forward(window, x.shape[1:4], y.shape[1:4])
    if winner is None:
        return Walks(LARGEST, y, x, axes, window.size).run
    return Walks(LARGEST_AND_TAP, y, x, axes, window.size, taps=expand(winner)).run


def max_pool_grad(ctx: Any, outs: Sequence[Array], ins: Sequence[Array], attrs: dict[str, Any]) -> Call:
    """Each window's ``g`` goes to its winner."""
    winner, g, dx = expand(ins[0]), expand(ins[1]), expand(outs[0])
    window = _window(attrs, dx)
    axes = backward(window, dx.shape[1:4], g.shape[1:4])
    return Walks(SUM_OF_WON, dx, g, axes, window.size, other=winner).run


def avg_pool(ctx: Any, outs: Sequence[Array], ins: Sequence[Array], attrs: dict[str, Any]) -> Call:
    """The mean of the real elements under each position of the window."""
    x, y = expand(ins[0]), expand(outs[0])
    window = _window(attrs, x)
    scales = np.broadcast_to(average_scale(attrs, ins[0].shape[1:-1], y.dtype), (1, *y.shape[1:4], 1))
    return Walks(SUM, y, x, forward(window, x.shape[1:4], y.shape[1:4]), window.size, scales=scales).run


def avg_pool_grad(ctx: Any, outs: Sequence[Array], ins: Sequence[Array], attrs: dict[str, Any]) -> Call:
    """Every real element under a window gets an equal share of its ``g``."""
    g, dx = expand(ins[0]), expand(outs[0])
    window = _window(attrs, dx)
    axes = backward(window, dx.shape[1:4], g.shape[1:4])
    scales = average_scale(attrs, attrs["spatial"], g.dtype)
    if np.ptp(scales) == 0:  # no window lies on padding: the sums are scaled
        everywhere = np.full(dx.shape[1:4], scales.flat[0], dx.dtype)
        return Walks(SUM, dx, g, axes, window.size, scales=everywhere).run
    shares = ctx.scratch(g.shape, g.dtype)
    walks = Walks(SUM, dx, shares, axes, window.size)
    share = partial(parallel.parallel_for, lambda lo, hi: np.multiply(g[lo:hi], scales, out=shares[lo:hi]), len(g))

    def run() -> None:
        share()
        walks.run()

    return run


def _window(attrs: dict[str, Any], inputs: Array) -> Window:
    """The window of an op over `inputs`, which has three spatial dimensions."""
    rank = len(attrs["pool"])
    spatial = inputs.shape[4 - rank : 4] if rank != 1 else inputs.shape[2:3]
    return attrs_window(attrs, spatial, attrs["pool"])
