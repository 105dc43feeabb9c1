"""Functions of one operand: exponentials, roots, trigonometry, signs, rounding, clipping."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from kcore import dtypes
from kcore.errors import DTypeError
from kcore.graph import Node, Op, Spec, Tensor, apply, register
from kcore.ops import rows
from kcore.ops.elementwise.base import Unary, UnaryFloat, if_same

Grads = Sequence["Tensor | None"]


@register
class Negative(Unary):
    """``-x``."""

    name = "negative"
    ufunc = "negative"
    zero_in = (0,)

    def infer(self, x: Spec) -> Spec:  # type: ignore[override]
        if x.dtype == "bool":
            raise DTypeError(f"cannot negate {x}; use ~x for its complement", op=self.name)
        return x

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        return [-g]

    def simplify(self, node: Node) -> Tensor | None:
        inner = node.inputs[0].node
        if inner.op.name == "negative":
            return inner.inputs[0]
        if inner.op.name == "subtract":
            a, b = inner.inputs
            return b - a
        return rows.scaled(node, lambda g: -g, node.inputs[0])


@register
class Abs(Unary):
    """``|x|``, with gradient 0 at 0."""

    name = "abs"
    ufunc = "absolute"

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        return [g * apply("sign", node.inputs[0])]


class _Step(Unary):
    """A function that is constant almost everywhere: its gradient is zero, and taken as none."""

    differentiable = False

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        return [None]

    def bind(self, ctx: Any, outs: Sequence[Any], ins: Sequence[Any], attrs: dict[str, Any]) -> Callable[[], Any]:
        if ins[0].dtype.kind in "iu" and self.ufunc != "sign":  # an integer is its own floor
            return partial(ctx.xp.copyto, outs[0], ins[0])
        return super().bind(ctx, outs, ins, attrs)


@register
class Sign(_Step):
    """-1, 0 or 1."""

    name = "sign"
    ufunc = "sign"


@register
class Round(_Step):
    """The nearest integer; halves go to the even one."""

    name = "round"
    ufunc = "rint"


@register
class Floor(_Step):
    """The largest integer that is not larger."""

    name = "floor"
    ufunc = "floor"


@register
class Ceil(_Step):
    """The smallest integer that is not smaller."""

    name = "ceil"
    ufunc = "ceil"


@register
class Square(Unary):
    """``x * x``."""

    name = "square"
    ufunc = "square"

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        (x,) = node.inputs
        return [g * (2 * x)]


@register
class Sqrt(UnaryFloat):
    """Square root."""

    name = "sqrt"
    ufunc = "sqrt"

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        (y,) = node.outputs
        return [g * 0.5 / y]


@register
class Reciprocal(UnaryFloat):
    """``1 / x``."""

    name = "reciprocal"
    ufunc = "reciprocal"

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        (y,) = node.outputs
        return [-(g * apply("square", y))]


@register
class Rsqrt(UnaryFloat):
    """``1 / sqrt(x)``."""

    name = "rsqrt"

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        (y,) = node.outputs
        return [g * (-0.5 * y * apply("square", y))]

    def kernel(self, xp: Any, out: Any, x: Any) -> None:  # type: ignore[override]
        xp.sqrt(x, out=out, **self._options(out, (x,)))
        xp.reciprocal(out, out=out)

    def bind(self, ctx: Any, outs: Sequence[Any], ins: Sequence[Any], attrs: dict[str, Any]) -> Callable[[], Any]:
        return partial(self.kernel, ctx.xp, outs[0], ins[0])


@register
class Exp(UnaryFloat):
    """``e ** x``."""

    name = "exp"
    ufunc = "exp"

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        return [g * node.outputs[0]]


@register
class Expm1(UnaryFloat):
    """``e ** x - 1``, accurate near 0."""

    name = "expm1"
    ufunc = "expm1"

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        return [g * (node.outputs[0] + 1)]


@register
class Log(UnaryFloat):
    """Natural logarithm."""

    name = "log"
    ufunc = "log"

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        return [g / node.inputs[0]]


@register
class Log1p(UnaryFloat):
    """``log(1 + x)``, accurate near 0."""

    name = "log1p"
    ufunc = "log1p"

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        return [g / (node.inputs[0] + 1)]


@register
class Sin(UnaryFloat):
    """Sine."""

    name = "sin"
    ufunc = "sin"

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        return [g * apply("cos", node.inputs[0])]


@register
class Cos(UnaryFloat):
    """Cosine."""

    name = "cos"
    ufunc = "cos"

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        return [-(g * apply("sin", node.inputs[0]))]


@register
class Clip(Op):
    """``min(max(x, low), high)``; the gradient passes inside the closed interval."""

    name = "clip"
    elementwise = True
    inplace = (0,)

    def infer(self, x: Spec, *, low: float, high: float) -> Spec:  # type: ignore[override]
        return x

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        # An element inside the interval, bounds included, is one that clipping did not change.
        (x,), (y,) = node.inputs, node.outputs
        return [apply("masked", apply("equal", x, y), g) if dtypes.is_float(x.dtype) else None]

    def kernel(self, xp: Any, out: Any, x: Any, *, low: float, high: float) -> None:  # type: ignore[override]
        xp.clip(x, _bound(x, low), _bound(x, high), out=out)

    def simplify(self, node: Node) -> Tensor | None:
        (x,) = node.inputs
        low, high = node.attrs["low"], node.attrs["high"]
        if low == -math.inf and high == math.inf:
            return if_same(x, node)
        if x.node.op.name == "relu" and low <= 0 <= high:
            return clip(x.node.inputs[0], 0, high)
        return None


def _bound(x: Any, value: float) -> Any:
    """A bound in the dtype and range of `x`, so that it does not widen it; None for an infinite one of integers."""
    if x.dtype.kind not in "iu":
        return x.dtype.type(value)
    bits = 8 * x.dtype.itemsize - (x.dtype.kind == "i")
    least, most = (-(2**bits) if x.dtype.kind == "i" else 0), 2**bits - 1
    return None if math.isinf(value) else x.dtype.type(min(max(int(value), least), most))


def clip(x: Any, low: float, high: float) -> Tensor:
    """`x` with elements outside ``[low, high]`` moved to the nearer bound (bounds may be infinite)."""
    return apply("clip", x, low=float(low), high=float(high))


def _unary(name: str, doc: str) -> Callable[[Any], Tensor]:
    def build(x: Any) -> Tensor:
        return apply(name, x)

    build.__name__ = build.__qualname__ = name
    build.__doc__ = doc
    return build


square = _unary("square", "``x * x``, elementwise.")
sqrt = _unary("sqrt", "The square root, elementwise.")
rsqrt = _unary("rsqrt", "``1 / sqrt(x)``, elementwise.")
reciprocal = _unary("reciprocal", "``1 / x``, elementwise.")
exp = _unary("exp", "``e ** x``, elementwise.")
expm1 = _unary("expm1", "``e ** x - 1``, elementwise.")
log = _unary("log", "The natural logarithm, elementwise.")
log1p = _unary("log1p", "``log(1 + x)``, elementwise.")
sin = _unary("sin", "The sine, elementwise.")
cos = _unary("cos", "The cosine, elementwise.")
sign = _unary("sign", "-1, 0 or 1, elementwise.")
rint = _unary("round", "The nearest integer, halves to even, elementwise.")
floor = _unary("floor", "The largest integer not above, elementwise.")
ceil = _unary("ceil", "The smallest integer not below, elementwise.")
