"""Arithmetic on two operands: ``+ - * / // % **``, maximum, minimum."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from kcore import dtypes
from kcore.errors import DTypeError
from kcore.graph import Node, Spec, Tensor, apply, constant, register
from kcore.ops import rows
from kcore.ops.common import broadcast_shapes, float_of, unbroadcast
from kcore.ops.creation import fill_value
from kcore.ops.elementwise.base import Binary, drop_broadcasts, if_same

Grads = Sequence["Tensor | None"]


@register
class Add(Binary):
    """``a + b``, broadcast."""

    name = "add"
    ufunc = "add"

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        a, b = node.inputs
        return [unbroadcast(g, a, b), unbroadcast(g, b, a)]

    def simplify(self, node: Node) -> Tensor | None:
        a, b = node.inputs
        if fill_value(b) == 0 and (same := if_same(a, node)) is not None:
            return same
        if fill_value(a) == 0 and (same := if_same(b, node)) is not None:
            return same
        if b.node.op.name == "negative" and dtypes.is_float(b.dtype):
            return apply("subtract", a, b.node.inputs[0])
        found = rows.added(node)
        return drop_broadcasts(node) if found is None else found


@register
class Subtract(Binary):
    """``a - b``, broadcast."""

    name = "subtract"
    ufunc = "subtract"

    def infer(self, a: Spec, b: Spec) -> Spec:  # type: ignore[override]
        if a.dtype == b.dtype == "bool":
            raise DTypeError(f"cannot subtract {b} from {a}: cast to a number, or use K.not_equal", op=self.name)
        return super().infer(a, b)

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        a, b = node.inputs
        gb = unbroadcast(g, b, a)
        return [unbroadcast(g, a, b), None if gb is None else -gb]

    def simplify(self, node: Node) -> Tensor | None:
        a, b = node.inputs
        if fill_value(b) == 0 and (same := if_same(a, node)) is not None:
            return same
        if b.node.op.name == "negative" and dtypes.is_float(b.dtype):
            return apply("add", a, b.node.inputs[0])
        found = rows.added(node, -1)
        return drop_broadcasts(node) if found is None else found


@register
class Multiply(Binary):
    """``a * b``, broadcast."""

    name = "multiply"
    ufunc = "multiply"
    zero_in = (0, 1)

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        a, b = node.inputs
        ga = unbroadcast(g * b, a, b) if dtypes.is_float(a.dtype) else None
        gb = unbroadcast(g * a, b, a) if dtypes.is_float(b.dtype) else None
        return [ga, gb]

    def simplify(self, node: Node) -> Tensor | None:
        a, b = node.inputs
        for one, other in ((b, a), (a, b)):
            value = fill_value(one)
            if value == 1 and (same := if_same(other, node)) is not None:
                return same
            if value == -1 and (same := if_same(other, node)) is not None and dtypes.is_float(same.dtype):
                return -same
        if a.key == b.key and dtypes.is_float(a.dtype):
            return apply("square", a)
        for table, other in ((b, a), (a, b)):
            if (found := rows.scaled(node, partial(apply, "multiply", other), table, other)) is not None:
                return found
        return drop_broadcasts(node)


@register
class Divide(Binary):
    """``a / b``, broadcast; integers give `floatx`."""

    name = "divide"
    ufunc = "true_divide"
    zero_in = (0,)

    def infer(self, a: Spec, b: Spec) -> Spec:  # type: ignore[override]
        return Spec(broadcast_shapes(self.name, a, b), float_of(dtypes.promote(a.dtype, b.dtype)))

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        a, b = node.inputs
        (y,) = node.outputs
        ga = g / b
        gb = unbroadcast(-(ga * y), b, a) if dtypes.is_float(b.dtype) else None
        return [unbroadcast(ga, a, b), gb]

    def simplify(self, node: Node) -> Tensor | None:
        a, b = node.inputs
        value = fill_value(b)
        if value == 1 and (same := if_same(a, node)) is not None:
            return same
        if value and _is_power_of_two(value) and dtypes.is_float(a.dtype):
            return a * constant(1 / value, dtype=b.dtype if dtypes.is_float(b.dtype) else a.dtype)
        found = rows.scaled(node, lambda g: g / b, a, b)
        return drop_broadcasts(node) if found is None else found


def _is_power_of_two(value: float) -> bool:
    """Whether multiplying by ``1 / value`` rounds exactly as dividing by `value` does."""
    magnitude = abs(float(value))
    return 2.0**-12 <= magnitude <= 2.0**12 and magnitude.hex().startswith("0x1.0000000000000p")


@register
class FloorDivide(Binary):
    """``a // b``: the quotient rounded down."""

    name = "floor_divide"
    ufunc = "floor_divide"
    differentiable = False

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        return [None, None]


@register
class Mod(Binary):
    """``a % b``, with the sign of `b`: ``a - b * (a // b)``."""

    name = "mod"
    ufunc = "remainder"

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        a, b = node.inputs
        gb = unbroadcast(-(g * (a // b)), b, a) if dtypes.is_float(b.dtype) else None
        return [unbroadcast(g, a, b), gb]


@register
class Power(Binary):
    """``a ** b``, broadcast."""

    name = "power"
    ufunc = "power"

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        a, b = node.inputs
        (y,) = node.outputs
        ga = unbroadcast(g * (b * a ** (b - 1)), a, b) if dtypes.is_float(a.dtype) else None
        gb = None
        if dtypes.is_float(b.dtype) and b.node.op.name != "constant":
            positive = a > 0  # 0 ** b is constant in b, and negative bases have no real derivative
            log = apply("log", apply("where", positive, a, constant(1.0, dtype=a.dtype)))
            gb = unbroadcast(g * y * log, b, a)
        return [ga, gb]

    def simplify(self, node: Node) -> Tensor | None:
        a, b = node.inputs
        rewrite = _POWERS.get(fill_value(b))
        if rewrite is not None and dtypes.is_float(a.dtype) and if_same(a, node) is not None:
            return rewrite(a)
        return drop_broadcasts(node)


_POWERS: dict[Any, Any] = {
    1: lambda a: a,
    2: lambda a: apply("square", a),
    3: lambda a: a * apply("square", a),
    0.5: lambda a: apply("sqrt", a),
    -1: lambda a: apply("reciprocal", a),
    -2: lambda a: apply("reciprocal", apply("square", a)),
}


@register
class Maximum(Binary):
    """The larger of two operands. Where they are equal the gradient goes to the first."""

    name = "maximum"
    ufunc = "maximum"

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        a, b = node.inputs
        return _choose(g, a, b, a >= b, a < b)


@register
class Minimum(Binary):
    """The smaller of two operands. Where they are equal the gradient goes to the first."""

    name = "minimum"
    ufunc = "minimum"

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        a, b = node.inputs
        return _choose(g, a, b, a <= b, a > b)


def _choose(g: Tensor, a: Tensor, b: Tensor, takes_a: Tensor, takes_b: Tensor) -> Grads:
    ga = unbroadcast(apply("masked", takes_a, g), a, b) if dtypes.is_float(a.dtype) else None
    gb = unbroadcast(apply("masked", takes_b, g), b, a) if dtypes.is_float(b.dtype) else None
    return [ga, gb]


def maximum(a: Any, b: Any) -> Tensor:
    """The larger of `a` and `b`, elementwise and broadcast."""
    return apply("maximum", a, b)


def minimum(a: Any, b: Any) -> Tensor:
    """The smaller of `a` and `b`, elementwise and broadcast."""
    return apply("minimum", a, b)


def power(a: Any, b: Any) -> Tensor:
    """``a ** b``, elementwise and broadcast."""
    return apply("power", a, b)
