"""Matrix products, by the tiled product of this plugin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kcore.graph import get_op
from kcore_backends_cupy.kernels.contraction import contract, fits
from kcore_backends_cupy.kernels.moving import copy_launch
from kcore_backends_cupy.kernels.operands import Matrix, Result, flat_axis
from kcore_backends_cupy.launch import Launches
from kcore_backends_cupy.layout import collapse, element_strides


def matmul(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    (out,), (a, b) = outs, ins
    m, n, k = a.shape[-2], b.shape[-1], a.shape[-1]
    if not fits(m, n, k):
        return get_op("matmul").bind(ctx, outs, ins, attrs)
    calls: list[Any] = []
    lengths, steps = _batch(out, a, b)
    if len(lengths) > 2:  # operands that are repeated along several dimensions in turn
        calls = [_repeated(ctx, x, out.shape[:-2]) for x in (a, b)]
        (a, b), calls = [x for x, _ in calls], [call for _, call in calls]
        lengths, steps = _batch(out, a, b)
    batch = _two(lengths, 1)
    strides = [_two(s, 0) for s in steps]
    (ar, ac), (br, bc), (cr, cc) = (element_strides(x, x.shape)[-2:] for x in (a, b, out))
    left = Matrix(a, flat_axis(m, ar), flat_axis(k, ac), strides[0])
    right = Matrix(b, flat_axis(n, bc), flat_axis(k, br), strides[1])
    result = Result(out, flat_axis(m, cr), flat_axis(n, cc), strides[2])
    return Launches([*calls, contract(ctx, result, left, right, (m, n, k), batch)])


def _batch(out: Any, a: Any, b: Any) -> tuple[list[int], list[list[int]]]:
    """The leading dimensions, joined: their lengths, and the strides of `a`, `b` and `out`."""
    lead = out.shape[:-2]
    return collapse(lead, [element_strides(x, (*lead, *x.shape[-2:]))[:-2] for x in (a, b, out)])


def _two(values: list[int], fill: int) -> tuple[int, int]:
    """Values of two dimensions, if need be with one in front."""
    first, second = [fill] * (2 - len(values)) + values
    return first, second


def _repeated(ctx: Any, x: Any, lead: tuple[int, ...]) -> tuple[Any, Any]:
    """A copy of `x` with all leading dimensions, and the call that makes it."""
    whole = ctx.scratch((*lead, *x.shape[-2:]), str(x.dtype))
    return whole, copy_launch(ctx.xp, whole, x)


KERNELS: dict[str, Callable[..., Any]] = {"matmul": matmul}
