"""Comparisons, logic, `where` and `cast`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcore import dtypes
from kcore.graph import Node, Op, Spec, Tensor, apply, as_tensors, register
from kcore.ops.common import broadcast_shapes, unbroadcast
from kcore.ops.elementwise.base import Comparison, Unary, if_same


def _declare(op_name: str, doc: str) -> None:
    """Register the comparison that the ufunc of the same name computes."""
    cls = type(op_name.title().replace("_", ""), (Comparison,), {"name": op_name, "ufunc": op_name, "__doc__": doc})
    register(cls)


for _name, _sign in {
    "equal": "==",
    "not_equal": "!=",
    "less": "<",
    "less_equal": "<=",
    "greater": ">",
    "greater_equal": ">=",
    "logical_and": "and",
    "logical_or": "or",
}.items():
    _declare(_name, f"``a {_sign} b``, elementwise and broadcast; bool.")


@register
class LogicalNot(Unary):
    """Whether an element is zero (or False)."""

    name = "logical_not"
    ufunc = "logical_not"
    differentiable = False
    in_output_dtype = False

    def infer(self, x: Spec) -> Spec:  # type: ignore[override]
        return Spec(x.shape, "bool")

    def vjp(self, node: Node, g: Tensor) -> Sequence[None]:  # type: ignore[override]
        return [None]


@register
class Where(Op):
    """``a`` where the condition holds, else ``b``; all three are broadcast."""

    name = "where"
    elementwise = True
    inplace = (2,)

    def infer(self, condition: Spec, a: Spec, b: Spec) -> Spec:  # type: ignore[override]
        return Spec(broadcast_shapes(self.name, condition, a, b), dtypes.promote(a.dtype, b.dtype))

    def vjp(self, node: Node, g: Tensor) -> Sequence[Tensor | None]:  # type: ignore[override]
        condition, a, b = node.inputs
        zero = apply("cast", 0, dtype=g.dtype)
        ga = unbroadcast(where(condition, g, zero), a, condition, b) if dtypes.is_float(a.dtype) else None
        gb = unbroadcast(where(condition, zero, g), b, condition, a) if dtypes.is_float(b.dtype) else None
        return [None, ga, gb]

    def kernel(self, xp: Any, out: Any, condition: Any, a: Any, b: Any) -> None:  # type: ignore[override]
        condition = condition if condition.dtype == bool else condition != 0
        xp.copyto(out, b, casting="unsafe")
        xp.copyto(out, a, casting="unsafe", where=condition)


@register
class Masked(Op):
    """``g`` where the condition holds, else 0, also where `g` is infinite: a gradient that passes in some places."""

    name = "masked"
    elementwise = True
    zero_in = (1,)

    def infer(self, condition: Spec, g: Spec) -> Spec:  # type: ignore[override]
        return Spec(broadcast_shapes(self.name, condition, g), g.dtype)

    def vjp(self, node: Node, u: Tensor) -> Sequence[Tensor | None]:  # type: ignore[override]
        condition, g = node.inputs
        return [None, unbroadcast(apply("masked", condition, u), g, condition)]

    def kernel(self, xp: Any, out: Any, condition: Any, g: Any) -> None:  # type: ignore[override]
        out[...] = xp.where(condition != 0, g, out.dtype.type(0))


@register
class Cast(Op):
    """Conversion to the dtype of the attribute; floats are truncated towards zero to become integers."""

    name = "cast"
    elementwise = True

    def infer(self, x: Spec, *, dtype: str) -> Spec:  # type: ignore[override]
        return Spec(x.shape, dtype)

    def vjp(self, node: Node, g: Tensor) -> Sequence[Tensor | None]:  # type: ignore[override]
        (x,) = node.inputs
        both = dtypes.is_float(x.dtype) and dtypes.is_float(node.attrs["dtype"])
        return [cast(g, x.dtype) if both else None]

    def kernel(self, xp: Any, out: Any, x: Any, *, dtype: str) -> None:  # type: ignore[override]
        xp.copyto(out, x, casting="unsafe")

    def simplify(self, node: Node) -> Tensor | None:
        return if_same(node.inputs[0], node)


def where(condition: Any, a: Any, b: Any) -> Tensor:
    """Elements of `a` where `condition` (bool, or not zero) holds, else of `b`; broadcast.

    Numbers and arrays among `a` and `b` take the dtype of the other one.
    """
    return apply("where", condition, *as_tensors((a, b)))


def cast(x: Any, dtype: str) -> Tensor:
    """`x` converted to `dtype`; `x` itself if it has it already."""
    dtype = dtypes.canonical(dtype)
    if isinstance(x, Tensor) and x.dtype == dtype:
        return x
    return apply("cast", x, dtype=dtype)


def equal(a: Any, b: Any) -> Tensor:
    """Whether elements are equal (``==`` on tensors compares identity)."""
    return apply("equal", a, b)


def not_equal(a: Any, b: Any) -> Tensor:
    """Whether elements differ."""
    return apply("not_equal", a, b)
