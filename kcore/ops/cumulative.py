"""Running sums and products along an axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from kcore.graph import Node, Op, Spec, Tensor, apply, dims_of, register
from kcore.ops.common import as_tensor, normalize_axis
from kcore.ops.creation import full
from kcore.ops.movement import transpose
from kcore.ops.scan import fold_steps


class _Cumulative(Op):
    """Element i combines the elements up to i (`exclusive`: before i; `reverse`: from the other end)."""

    neutral: ClassVar[int] = 0

    def infer(self, x: Spec, *, axis: int, reverse: bool, exclusive: bool) -> Spec:  # type: ignore[override]
        return Spec(x.shape, "int32" if x.dtype == "bool" else x.dtype)

    def kernel(self, xp: Any, out: Any, x: Any, *, axis: int, reverse: bool, exclusive: bool) -> None:  # type: ignore[override]
        x, result = xp.moveaxis(x, axis, 0), xp.moveaxis(out, axis, 0)
        if reverse:
            x, result = x[::-1], result[::-1]
        if exclusive:
            result[:1] = self.neutral
            x, result = x[:-1], result[1:]
        getattr(xp, self.name)(x, axis=0, dtype=out.dtype, out=result)


@register
class CumSum(_Cumulative):
    """The running sum."""

    name = "cumsum"
    zero_in = (0,)

    def vjp(self, node: Node, g: Tensor) -> Sequence[Tensor]:  # type: ignore[override]
        # Element i takes part in all sums from i on.
        return [apply("cumsum", g, **{**node.attrs, "reverse": not node.attrs["reverse"]})]


@register
class CumProd(_Cumulative):
    """The running product.

    With P[k] the product of the elements before k, and ``y[i] = x[0] ... x[i]``, the gradient is ``P[k] S[k]`` where
    ``S[k] = g[k] + x[k+1] g[k+1] + x[k+1] x[k+2] g[k+2] + ... = g[k] + x[k+1] S[k+1]``: a loop from the end, which,
    unlike ``sum(g y) / x``, is right where elements are 0.
    """

    name = "cumprod"
    neutral = 1

    def vjp(self, node: Node, g: Tensor) -> Sequence[Tensor]:  # type: ignore[override]
        (x,), exclusive = node.inputs, node.attrs["exclusive"]
        axis = node.attrs["axis"]
        first = (axis, *(i for i in range(x.ndim) if i != axis))
        steps = transpose(x, first)

        def step(carried: list[Tensor], elements: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
            ((after,), (x_k, g_k)) = carried, elements
            if exclusive:  # y[i] lacks x[i], so x[k] takes part from y[k+1] on
                return [g_k + x_k * after], [after]
            weight = g_k + after
            return [x_k * weight], [weight]

        start = full(dims_of(steps)[1:], 0, x.dtype)
        _, (weights,) = fold_steps(step, [start], [steps, transpose(g, first)], reverse=not node.attrs["reverse"])
        before = apply("cumprod", x, **{**node.attrs, "exclusive": True})
        return [before * transpose(weights, sorted(range(x.ndim), key=first.__getitem__))]


def cumsum(x: Any, axis: int = 0, reverse: bool = False, exclusive: bool = False) -> Tensor:
    """The running sum along `axis`."""
    return _cumulative("cumsum", x, axis, reverse, exclusive)


def cumprod(x: Any, axis: int = 0, reverse: bool = False, exclusive: bool = False) -> Tensor:
    """The running product along `axis`."""
    return _cumulative("cumprod", x, axis, reverse, exclusive)


def _cumulative(name: str, x: Any, axis: int, reverse: bool, exclusive: bool) -> Tensor:
    x = as_tensor(x)
    return apply(name, x, axis=normalize_axis(name, axis, x.ndim), reverse=reverse, exclusive=exclusive)
