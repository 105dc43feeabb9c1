"""Choosing rows and elements by index on NumPy: indices are checked, and equal ones are summed together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kcore.errors import ExecutionError
from kcore.runtime.numpy_kernels.table import numpy_kernel


@numpy_kernel("gather")
def gather(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    """Indices are checked here: with NumPy's own check the rows would go through a copy of the output."""
    (x, indices), (out,) = ins, outs
    n = x.shape[0]

    def run() -> None:
        if indices.size:
            low, high = indices.min(), indices.max()
            if low < -n or high >= n:
                bad = low if low < -n else high
                raise ExecutionError(f"gather: index {bad} is out of range for {n} rows", op="gather")
        np.take(x, indices, axis=0, out=out, mode="wrap")

    return run


@numpy_kernel("gather_grad")
def gather_grad(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    (g, indices), (out,) = ins[:2], outs
    sums = _row_sums(g, indices, out)

    def run() -> None:
        out.fill(0)
        if indices.size:
            rows, totals = sums()
            out[rows] = totals

    return run


@numpy_kernel("scatter_add")
def scatter_add(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    (x, g, indices), (out,) = ins, outs
    sums = _row_sums(g, indices, out)
    in_place = out.__array_interface__["data"] == x.__array_interface__["data"]

    def run() -> None:
        if not in_place:
            np.copyto(out, x)
        if indices.size:
            rows, totals = sums()
            out[rows] += totals

    return run


def _row_sums(g: Any, indices: Any, out: Any) -> Callable[[], tuple[Any, Any]]:
    """The call that gives the distinct indices and the sums of their rows. Rows of one index are brought together by
    sorting and summed in one call: many times faster than adding each row to its place."""
    count = indices.size
    starts_new = np.ones(count, bool)

    def run() -> tuple[Any, Any]:
        flat = indices.reshape(-1) % out.shape[0]
        order = np.argsort(flat, kind="stable")
        ordered = flat[order]
        np.not_equal(ordered[1:], ordered[:-1], out=starts_new[1:])
        starts = np.flatnonzero(starts_new)
        return ordered[starts], np.add.reduceat(g.reshape((count, *out.shape[1:]))[order], starts, axis=0)

    return run


@numpy_kernel("pick")
def pick(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    (x, indices), (out,) = ins, outs
    classes = x.shape[-1]
    columns = np.arange(out.size)

    def run() -> None:
        flat = indices.reshape(-1)
        if flat.size and (flat.min() < 0 or flat.max() >= classes):
            raise ExecutionError(
                f"class indices must lie in [0, {classes}), got {flat.min()} to {flat.max()}", op="pick"
            )
        out.reshape(-1)[...] = x.reshape(-1, classes)[columns, flat]

    return run


@numpy_kernel("pick_grad")
def pick_grad(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    (g, indices), (out,) = ins[:2], outs
    rows = np.arange(indices.size)
    matrix = out.reshape(indices.size, -1) if out.size else out

    def run() -> None:
        out.fill(0)
        if out.size:
            matrix[rows, indices.reshape(-1)] = g.reshape(-1)

    return run
