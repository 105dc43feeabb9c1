"""Matrix decompositions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcore.errors import DTypeError, ShapeError
from kcore.graph import Node, Op, Spec, Tensor, apply, register


@register
class OrthonormalColumns(Op):
    """An orthonormal basis of the columns of a tall matrix (the Q of its QR decomposition).

    Each column points to the same side as the column it came from (the diagonal of R is positive). That
    makes the decomposition unique, and the Q of a normally distributed matrix uniformly distributed (F.
    Mezzadri, *How to generate random matrices from the classical compact groups*, 2007).
    """

    name = "orthonormal_columns"
    differentiable = False

    def infer(self, x: Spec) -> Spec:  # type: ignore[override]
        if x.ndim != 2 or (None not in x.shape and x.shape[0] < x.shape[1]):  # type: ignore[operator]
            raise ShapeError(
                f"orthonormal_columns needs a matrix with at least as many rows as columns, got {x}",
                shapes=(x.shape,),
                op=self.name,
            )
        if not x.dtype.startswith("float"):
            raise DTypeError(f"orthonormal_columns needs floating-point input, got {x}", op=self.name)
        return x

    def vjp(self, node: Node, g: Tensor | None) -> Sequence[None]:  # type: ignore[override]
        return [None]

    def kernel(self, xp: Any, out: Any, x: Any) -> None:  # type: ignore[override]
        # LAPACK has no half precision
        q, r = xp.linalg.qr(x.astype("float32") if x.dtype == "float16" else x)
        xp.multiply(q, xp.where(xp.diagonal(r) < 0, -1, 1).astype(q.dtype), out=out, casting="same_kind")

    def cost(self, ins: Sequence[Spec], outs: Sequence[Spec], attrs: dict[str, Any]) -> int:
        rows, columns = outs[0].shape
        return 4 * rows * columns * columns  # type: ignore[operator]


def orthonormal_columns(x: Tensor) -> Tensor:
    """An orthonormal basis of the columns of `x`, shape `(rows, columns)` with rows >= columns."""
    return apply("orthonormal_columns", x)
