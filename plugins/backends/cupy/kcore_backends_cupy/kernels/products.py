"""Matrix products: by cuBLASLt where it is installed, else, and small ones, by the tiled product of this plugin. Both
can be held by a graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kcore.graph import get_op
from kcore_backends_cupy import cublaslt
from kcore_backends_cupy.cublaslt import Operand, layout
from kcore_backends_cupy.kernels.contraction import contract, fits
from kcore_backends_cupy.kernels.moving import copy_launch
from kcore_backends_cupy.kernels.operands import Matrix, Result, flat_axis
from kcore_backends_cupy.launch import Launches
from kcore_backends_cupy.layout import collapse, element_strides

SMALLEST = 1 << 20  # floating-point operations that are worth the library
FLOATS = {"float16", "float32", "float64"}


def matmul(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    (out,), (a, b) = outs, ins
    m, n, k = a.shape[-2], b.shape[-1], a.shape[-1]
    if not fits(m, n, k):
        return get_op("matmul").bind(ctx, outs, ins, attrs)
    calls: list[Any] = []
    by_library = _by_library(ctx, out, a, b)
    if by_library is not None:
        return by_library
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


def _by_library(ctx: Any, out: Any, a: Any, b: Any) -> Any:
    """The call of cuBLASLt that computes a product, or None."""
    m, n, k = a.shape[-2], b.shape[-1], a.shape[-1]
    dtypes = {str(x.dtype) for x in (out, a, b)}
    if 2 * out.size * k < SMALLEST or len(dtypes) > 1 or not dtypes <= FLOATS:
        return None
    library = cublaslt.library(ctx.device)
    lengths, steps = _batch(out, a, b)
    if library is None or len(lengths) > 1:
        return None
    (ar, ac), (br, bc), (cr, cc) = (element_strides(x, x.shape)[-2:] for x in (a, b, out))
    # Its matrices have contiguous columns, ours rows: what it computes is the transposed product, b' a'.
    left, right, target = layout(n, k, bc, br), layout(k, m, ac, ar), layout(n, m, cc, cr)
    if left is None or right is None or target is None or target.turned:
        return None
    (step_a,), (step_b,), (step_c,) = steps
    operands = Operand(b, left, step_b), Operand(a, right, step_a)
    return library.product(ctx, *operands, Operand(out, target, step_c), lengths[0])


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
