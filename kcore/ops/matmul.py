"""Matrix products. Transposed operands stay views: BLAS reads them without a copy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kcore import dtypes
from kcore.errors import ShapeError
from kcore.graph import Node, Op, Spec, Tensor, apply, as_tensors, dim_of, register
from kcore.ops.common import broadcast_shapes, normalize_axis, unbroadcast
from kcore.ops.elementwise import cast
from kcore.ops.movement import expand_dims, reshape, squeeze, transpose
from kcore.ops.reduce import reduce_sum


@register
class MatMul(Op):
    """The product of matrices in the last two axes; leading axes are broadcast."""

    name = "matmul"
    zero_in = (0, 1)

    def infer(self, a: Spec, b: Spec) -> Spec:  # type: ignore[override]
        if a.ndim < 2 or b.ndim < 2:
            raise ShapeError(f"matmul needs matrices, got {a} and {b}", shapes=(a.shape, b.shape), op=self.name)
        inner, other = a.shape[-1], b.shape[-2]
        if inner is not None and other is not None and inner != other:
            raise ShapeError(
                f"matmul: {a} and {b} do not fit: {inner} columns against {other} rows",
                shapes=(a.shape, b.shape),
                op=self.name,
            )
        batch = broadcast_shapes(self.name, Spec(a.shape[:-2], a.dtype), Spec(b.shape[:-2], b.dtype))
        return Spec((*batch, a.shape[-2], b.shape[-1]), dtypes.promote(a.dtype, b.dtype))

    def vjp(self, node: Node, g: Tensor) -> Sequence[Tensor | None]:  # type: ignore[override]
        a, b = node.inputs
        ga = _unbatch(g @ swap(b), a, b) if dtypes.is_float(a.dtype) else None
        gb = _unbatch(swap(a) @ g, b, a) if dtypes.is_float(b.dtype) else None
        return [ga, gb]

    def kernel(self, xp: Any, out: Any, a: Any, b: Any) -> None:  # type: ignore[override]
        if a.dtype != out.dtype or b.dtype != out.dtype:
            a, b = a.astype(out.dtype), b.astype(out.dtype)
        xp.matmul(a, b, out=out)

    def cost(self, ins: Sequence[Spec], outs: Sequence[Spec], attrs: dict[str, Any]) -> int:
        return 2 * outs[0].size * (ins[0].shape[-1] or 0)

    def simplify(self, node: Node) -> Tensor | None:
        # (aT bT) = (b a)T: a product of two views is a view of a product.
        a, b = node.inputs
        if _is_swap(a) and _is_swap(b):
            return swap(b.node.inputs[0] @ a.node.inputs[0])
        return None


def _unbatch(g: Tensor, x: Tensor, other: Tensor) -> Tensor | None:
    """Sum a gradient over the leading axes along which `x` was broadcast."""
    if g.shape[:-2] == x.shape[:-2] and (None not in x.shape[:-2] or other.ndim == 2):
        return cast(g, x.dtype)
    return unbroadcast(g, x, other)


def swap(x: Tensor) -> Tensor:
    """`x` with its last two axes exchanged."""
    return transpose(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def _is_swap(x: Tensor) -> bool:
    n = x.ndim
    return x.node.op.name == "transpose" and x.node.attrs["perm"] == (*range(n - 2), n - 1, n - 2)


# -- functions --------------------------------------------------------------------------------------------


def matmul(a: Any, b: Any) -> Tensor:
    """``a @ b``: matrices in the last two axes, leading axes broadcast; vectors as NumPy takes them."""
    a, b = as_tensors((a, b))
    if a.ndim == 0 or b.ndim == 0:
        raise ShapeError(f"matmul needs vectors or matrices, got {a.spec} and {b.spec}", op="matmul")
    y = apply("matmul", expand_dims(a, 0) if a.ndim == 1 else a, expand_dims(b, 1) if b.ndim == 1 else b)
    dropped = ([-2] if a.ndim == 1 else []) + ([-1] if b.ndim == 1 else [])
    return squeeze(y, dropped) if dropped else y


def dot(x: Any, y: Any) -> Tensor:
    """The sum over the last axis of `x` and the last but one of `y`, as ``numpy.dot``.

    Args:
        x: ``(..., n)``.
        y: ``(..., n, m)``, or ``(n,)``.

    Returns:
        ``(*x.shape[:-1], *y.shape[:-2], m)``.
    """
    x, y = as_tensors((x, y))
    if x.ndim == 0 or y.ndim == 0:
        raise ShapeError(f"dot needs tensors with at least one dimension, got {x.spec} and {y.spec}", op="dot")
    return tensordot(x, y, ((x.ndim - 1,), (max(y.ndim - 2, 0),)))


def tensordot(x: Any, y: Any, axes: tuple[Sequence[int], Sequence[int]]) -> Tensor:
    """The sum over pairs of axes of `x` and `y`.

    Args:
        axes: the axes of `x`, and those of `y`, in the order in which they pair.

    Returns:
        the other axes of `x`, then the other axes of `y`.
    """
    x, y = as_tensors((x, y))
    x_axes = [normalize_axis("tensordot", a, x.ndim) for a in axes[0]]
    y_axes = [normalize_axis("tensordot", a, y.ndim) for a in axes[1]]
    for a, b in zip(x_axes, y_axes, strict=True):
        _require_equal("dot", x, a, y, b)
    x_free = [i for i in range(x.ndim) if i not in x_axes]
    y_free = [i for i in range(y.ndim) if i not in y_axes]
    left = _as_matrix(transpose(x, (*x_free, *x_axes)), len(x_free))
    right = _as_matrix(transpose(y, (*y_axes, *y_free)), len(y_axes))
    product = apply("matmul", left, right)
    if len(x_free) == len(y_free) == 1:
        return product
    return _with_dims(product, [dim_of(x, i) for i in x_free] + [dim_of(y, i) for i in y_free])


def batch_dot(x: Any, y: Any, axes: Any = None) -> Tensor:
    """The sum over one axis of `x` and one of `y`, for each sample.

    Args:
        x, y: tensors of at least two dimensions, the first of which is the batch.
        axes: the axis of both, or a pair of axes; by default the last of `x` and the last but one of `y`
            (its last if it has two dimensions).

    Returns:
        ``(batch, other axes of x, other axes of y)``, with a last axis of length 1 if there are no others.
    """
    x, y = as_tensors((x, y))
    if x.ndim < 2 or y.ndim < 2:
        raise ShapeError(
            f"batch_dot needs tensors of at least 2 dimensions, got {x.spec} and {y.spec}",
            shapes=(x.shape, y.shape),
            op="batch_dot",
        )
    a, b = _batch_axes(x, y, axes)
    _require_equal("batch_dot", x, 0, y, 0)
    _require_equal("batch_dot", x, a, y, b)
    if x.ndim == y.ndim == 2:
        return reduce_sum(x * y, axis=1, keepdims=True)
    x_free = [i for i in range(1, x.ndim) if i != a]
    y_free = [i for i in range(1, y.ndim) if i != b]
    left = _as_batch(transpose(x, (0, *x_free, a)), x, x_free, last=a)
    right = swap(_as_batch(transpose(y, (0, *y_free, b)), y, y_free, last=b))
    product = apply("matmul", left, right)
    if len(x_free) == len(y_free) == 1:
        return product
    return _with_dims(product, [dim_of(x, 0), *(dim_of(x, i) for i in x_free), *(dim_of(y, i) for i in y_free)])


def _batch_axes(x: Tensor, y: Tensor, axes: Any) -> tuple[int, int]:
    if axes is None:
        axes = (x.ndim - 1, y.ndim - 2 if y.ndim > 2 else 1)
    pair = (axes, axes) if isinstance(axes, int) else tuple(axes)
    if len(pair) != 2:
        raise ShapeError(f"batch_dot: axes must be an int or two ints, got {axes!r}", op="batch_dot")
    a, b = normalize_axis("batch_dot", pair[0], x.ndim), normalize_axis("batch_dot", pair[1], y.ndim)
    if 0 in (a, b):
        raise ShapeError(f"batch_dot: axes {axes!r} name axis 0, the batch, over which it does not sum", op="batch_dot")
    return a, b


def _require_equal(op: str, x: Tensor, a: int, y: Tensor, b: int) -> None:
    m, n = x.shape[a], y.shape[b]
    if m is not None and n is not None and m != n:
        raise ShapeError(
            f"{op}: {x.spec} and {y.spec} do not fit: axis {a} of the first has length {m}, axis {b} of the second {n}",
            shapes=(x.shape, y.shape),
            op=op,
        )


def _as_matrix(x: Tensor, rows: int) -> Tensor:
    """The first `rows` axes of `x` as one, the others as one."""
    if x.ndim == 2 and rows == 1:
        return x
    return reshape(x, (_length(x, range(rows)), _length(x, range(rows, x.ndim), second=True)))


def _length(x: Tensor, axes: range, second: bool = False) -> Any:
    """The product of dimensions: an int, -1 (only for the rows, or if the rows are known), or a tensor."""
    known = [x.shape[i] for i in axes]
    if None not in known:
        return math.prod(d for d in known if d is not None)
    if not second or None not in x.shape[: axes.start]:
        return -1
    total: Any = 1
    for i in axes:
        total = total * dim_of(x, i)
    return total


def _as_batch(moved: Tensor, x: Tensor, free: list[int], last: int) -> Tensor:
    """``(batch, free..., k)`` as ``(batch, rows, k)``."""
    if len(free) == 1:
        return moved
    known = [x.shape[i] for i in free]
    rows = -1 if None in known else math.prod(d for d in known if d is not None)
    return reshape(moved, (dim_of(x, 0) if rows == -1 or x.shape[0] is not None else -1, rows, dim_of(x, last)))


def _with_dims(product: Tensor, dims: list[Any]) -> Tensor:
    """The matrix product in its final shape; -1 stands for a single unknown dimension."""
    unknown = [i for i, d in enumerate(dims) if isinstance(d, Tensor)]
    if len(unknown) == 1:
        dims[unknown[0]] = -1
    return reshape(product, dims)
