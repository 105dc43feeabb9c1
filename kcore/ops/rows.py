"""Gradients of ``gather`` stay rows and indices as long as what is done with them allows it.

The gradient of a table that is read by index is zero but for the rows that were read. These rewrites, which elementwise
operations ask for when a plan is made (`Op.simplify`), keep ``gather_grad`` from being written out as a table of zeros:

    c * gather_grad(g, i)                    gather_grad(c * g, i)                for a scalar c
    gather_grad(g, i) + gather_grad(h, j)    gather_grad([g, h], [i, j])          a table that is read twice
    x + gather_grad(g, i)                    scatter_add(x, g, i)                 in place where x is not read later

so that an update such as ``w - lr * gradient`` touches the rows that were read, and no others, in the memory of `w`.
They change no result but for the order in which numbers are added. Whatever is not linear (a square, a norm, a clipped
gradient) sees the table.
"""

from __future__ import annotations

from collections.abc import Callable

from kcore.graph import Node, Tensor, apply

_NAME = "gather_grad"


def _rows(x: Tensor) -> tuple[Tensor, Tensor] | None:
    """The rows ``(n, ...)`` and the indices ``(n,)`` of a gradient of ``gather``, else None."""
    if x.node.op.name != _NAME or not x.spec.known:
        return None
    g, indices = x.node.inputs[:2]
    if not (g.spec.known and indices.spec.known) or g.dtype != x.dtype:
        return None
    count = indices.spec.size
    return apply("reshape", g, shape=(count, *x.spec.sizes[1:])), apply("reshape", indices, shape=(count,))


def _table(g: Tensor, indices: Tensor, like: Tensor) -> Tensor:
    return apply(_NAME, g, indices, shape=like.shape)


def scaled(
    node: Node, function: Callable[[Tensor], Tensor], table: Tensor, scalar: Tensor | None = None
) -> Tensor | None:
    """`function` (linear, of rows) instead of `node` on `table`, if `table` has few rows and `scalar` is a scalar."""
    if node.specs[0] != table.spec or (scalar is not None and scalar.ndim):
        return None
    rows = _rows(table)
    if rows is None:
        return None
    g = function(rows[0])
    return _table(g, rows[1], table) if g.dtype == table.dtype else None


def added(node: Node, sign: int = 1) -> Tensor | None:
    """``a + b`` (``a - b`` for `sign` -1), the inputs of `node`, where one of them has few rows."""
    a, b = node.inputs
    if not a.spec == b.spec == node.specs[0]:
        return None
    left, right = _rows(a), _rows(b)
    if right is not None and sign < 0:
        right = (-right[0], right[1])
    if left is not None and right is not None:
        if left[1].dtype != right[1].dtype:
            return None
        g, indices = (apply("concat", p, q, axis=0) for p, q in zip(left, right, strict=True))
        return _table(g, indices, a)
    if right is not None:
        return apply("scatter_add", a, *right)
    if left is not None and sign > 0:
        return apply("scatter_add", b, *left)
    return None
