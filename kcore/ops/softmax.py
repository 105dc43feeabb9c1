"""Softmax and its logarithm along an axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

from kcore.errors import ShapeError
from kcore.graph import Node, Op, Spec, Tensor, apply, register
from kcore.ops.common import as_tensor, normalize_axis, require_float
from kcore.ops.elementwise import exp
from kcore.ops.reduce import reduce_sum


class _Softmax(Op):
    inplace: ClassVar[tuple[int, ...]] = (0,)

    def infer(self, x: Spec, *, axis: int) -> Spec:  # type: ignore[override]
        require_float(self.name, x)
        return x

    def bind(self, ctx: Any, outs: Sequence[Any], ins: Sequence[Any], attrs: dict[str, Any]) -> Callable[[], Any]:
        return partial(self.kernel, ctx.xp, outs[0], ins[0], **attrs)


@register
class Softmax(_Softmax):
    """``exp(x) / sum(exp(x))`` along `axis`; the maximum is taken out first, so that nothing overflows."""

    name = "softmax"

    def vjp(self, node: Node, g: Tensor) -> Sequence[Tensor]:  # type: ignore[override]
        (y,), axis = node.outputs, node.attrs["axis"]
        return [y * (g - reduce_sum(g * y, axis, keepdims=True))]

    def kernel(self, xp: Any, out: Any, x: Any, *, axis: int) -> None:  # type: ignore[override]
        xp.subtract(x, xp.max(x, axis=axis, keepdims=True), out=out)
        xp.exp(out, out=out)
        xp.divide(out, xp.sum(out, axis=axis, keepdims=True), out=out)


@register
class LogSoftmax(_Softmax):
    """``x - log(sum(exp(x)))`` along `axis`."""

    name = "log_softmax"
    inplace = ()

    def vjp(self, node: Node, g: Tensor) -> Sequence[Tensor]:  # type: ignore[override]
        (y,), axis = node.outputs, node.attrs["axis"]
        return [g - exp(y) * reduce_sum(g, axis, keepdims=True)]

    def kernel(self, xp: Any, out: Any, x: Any, *, axis: int) -> None:  # type: ignore[override]
        top = xp.max(x, axis=axis, keepdims=True)
        xp.subtract(x, top, out=out)
        xp.exp(out, out=out)
        total = xp.sum(out, axis=axis, keepdims=True)
        xp.log(total, out=total)
        xp.add(total, top, out=total)
        xp.subtract(x, total, out=out)


def softmax(x: Any, axis: int = -1) -> Tensor:
    """The softmax of `x` (at least 2 dimensions) along `axis`."""
    return _along("softmax", x, axis)


def log_softmax(x: Any, axis: int = -1) -> Tensor:
    """The logarithm of the softmax of `x` along `axis`."""
    return _along("log_softmax", x, axis)


def _along(name: str, x: Any, axis: int) -> Tensor:
    x = as_tensor(x)
    if x.ndim == 0:
        raise ShapeError(f"{name} needs at least one dimension, got {x.spec}", op=name)
    return apply(name, x, axis=normalize_axis(name, axis, x.ndim))
