"""Max and average pooling over one to three spatial dimensions, channels last.

Attributes: `pool` and `strides`, an int for each spatial dimension; `padding`, a pair ``(before, after)`` for each, or
"same" where a dimension is unknown. Padding takes part in nothing: it is never the maximum, and a mean is that of the
real elements. Of equal maxima the first one in the window's memory order has the gradient, as in TensorFlow (whose
3-D pooling on the CPU gives it to each of them, unlike on GPUs; here it is one of them always).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from kcore.dtypes import is_integer
from kcore.errors import DTypeError, ShapeError
from kcore.graph import Node, Op, Spec, Tensor, apply, decode_shape, register
from kcore.ops.common import require_float
from kcore.ops.window import (
    Ints,
    Padding,
    inside,
    output_lengths,
    pad,
    require_lengths,
    require_rank,
    spatial_dims,
    tap_view,
)
from kcore.shapes import explicit_padding


def _pooled(op: str, x: Spec, spatial: Any, pool: Ints, strides: Ints, padding: Padding) -> Any:
    return output_lengths(op, x, spatial, pool, strides, padding, (1,) * len(spatial), f"the pool {pool}")


def _window_attrs(attrs: dict[str, Any]) -> dict[str, Any]:
    return {name: attrs[name] for name in ("pool", "strides", "padding")}


@register
class MaxPool(Op):
    """The maximum under each position of the window, and its winner: the number of the first tap that has it.

    Taps are numbered in memory order. The gradient needs the winners and neither `x` nor the maxima; where no
    gradient is computed, nothing reads them and they are left out.
    """

    name = "max_pool"
    optional_outputs = True

    def infer(self, x: Spec, *, pool: Ints, strides: Ints, padding: Padding) -> tuple[Spec, Spec]:  # type: ignore[override]
        require_rank(self.name, x)
        require_float(self.name, x)
        shape = (x.shape[0], *_pooled(self.name, x, x.shape[1:-1], pool, strides, padding), x.shape[-1])
        return Spec(shape, x.dtype), Spec(shape, "uint8" if math.prod(pool) <= 256 else "int32")

    def vjp(self, node: Node, g: Tensor, _: Any) -> Sequence[Tensor | None]:  # type: ignore[override]
        return [_route_back(node.outputs[1], g, node.inputs[0], node.attrs)]

    def kernel(self, xp: Any, out: Any, x: Any, **attrs: Any) -> None:  # type: ignore[override]
        y, winner = out
        y = xp.empty(winner.shape, x.dtype) if y is None else y
        padded, taps, view = _taps(xp, x, x.shape[1:-1], y.shape[1:-1], attrs, -math.inf)
        y[...] = -math.inf
        if winner is not None:
            winner[...] = first_real_tap(xp, x.shape[1:-1], y.shape[1:-1], attrs)
        for number, tap in enumerate(taps):
            values = view(padded, tap)
            if winner is not None:
                winner[...] = xp.where(values > y, number, winner)
            xp.maximum(y, values, out=y)

    def cost(self, ins: Sequence[Spec], outs: Sequence[Spec], attrs: dict[str, Any]) -> int:
        return outs[0].size * math.prod(attrs["pool"])


def first_real_tap(xp: Any, spatial: Ints, positions: Ints, attrs: dict[str, Any]) -> Any:
    """The number of the first tap that lies on no padding, at each position: ``(1, *positions, 1)``."""
    numbers = xp.zeros((1,) * (len(spatial) + 2), "int32")
    for axis, (count, k, s, (before, _)) in enumerate(
        zip(positions, attrs["pool"], attrs["strides"], _pairs(spatial, attrs), strict=True)
    ):
        shape = [1] * (len(spatial) + 2)
        shape[axis + 1] = count
        numbers = k * numbers + xp.maximum(before - s * xp.arange(count, dtype="int32"), 0).reshape(shape)
    return numbers


def _route_back(winner: Tensor, g: Tensor, like: Tensor, attrs: dict[str, Any]) -> Tensor:
    """`max_pool_grad` for an input with the spatial shape of `like`."""
    spatial, extra = spatial_dims(like)
    return apply("max_pool_grad", winner, g, *extra, spatial=spatial, **_window_attrs(attrs))


def _require_winners(op: str, winner: Spec) -> None:
    if not is_integer(winner.dtype):
        raise DTypeError(f"{op} needs the winners of max_pool, which are integers, got {winner}", op=op)


@register
class MaxPoolGrad(Op):
    """The gradient of `max_pool` for an input of the spatial shape `spatial`: each window's `g` goes to its winner."""

    name = "max_pool_grad"
    dims = "spatial"
    zero_in = (1,)

    def infer(self, winner: Spec, g: Spec, *_: Spec, spatial: Ints, **attrs: Any) -> Spec:  # type: ignore[override]
        _require_winners(self.name, winner)
        result = _unpooled(self.name, g, spatial, attrs)
        require_lengths(self.name, winner, g.shape[1:-1], result)
        return result

    def vjp(self, node: Node, u: Tensor) -> Sequence[Tensor | None]:  # type: ignore[override]
        grad = apply("max_pool_gather", node.inputs[0], u, **_window_attrs(node.attrs))
        return [None, grad, *[None] * (len(node.inputs) - 2)]

    def kernel(self, xp: Any, out: Any, winner: Any, g: Any, *, spatial: Ints, **attrs: Any) -> None:  # type: ignore[override]
        total, taps, view = _taps(xp, xp.zeros_like(out), spatial, g.shape[1:-1], attrs, 0)
        for number, tap in enumerate(taps):
            target = view(total, tap)
            target += xp.where(winner == number, g, 0)
        out[...] = total[inside(spatial, _pairs(spatial, attrs))]


@register
class MaxPoolGather(Op):
    """The transpose of `max_pool_grad`: for each window the element of `u` at its winner."""

    name = "max_pool_gather"
    zero_in = (1,)

    def infer(self, winner: Spec, u: Spec, *, pool: Ints, strides: Ints, padding: Padding) -> Spec:  # type: ignore[override]
        _require_winners(self.name, winner)
        require_rank(self.name, u)
        require_lengths(self.name, winner, _pooled(self.name, u, u.shape[1:-1], pool, strides, padding), u)
        return Spec(winner.shape, u.dtype)

    def vjp(self, node: Node, g: Tensor) -> Sequence[Tensor | None]:  # type: ignore[override]
        winner, u = node.inputs
        return [None, _route_back(winner, g, u, node.attrs)]

    def kernel(self, xp: Any, out: Any, winner: Any, u: Any, **attrs: Any) -> None:  # type: ignore[override]
        values, taps, view = _taps(xp, u, u.shape[1:-1], out.shape[1:-1], attrs, 0)
        out[...] = 0
        for number, tap in enumerate(taps):
            out += xp.where(winner == number, view(values, tap), 0)


@register
class AvgPool(Op):
    """The mean of the real elements under each position of the window."""

    name = "avg_pool"
    zero_in = (0,)

    def infer(self, x: Spec, *, pool: Ints, strides: Ints, padding: Padding) -> Spec:  # type: ignore[override]
        require_rank(self.name, x)
        require_float(self.name, x)
        return Spec((x.shape[0], *_pooled(self.name, x, x.shape[1:-1], pool, strides, padding), x.shape[-1]), x.dtype)

    def vjp(self, node: Node, g: Tensor) -> Sequence[Tensor | None]:  # type: ignore[override]
        spatial, extra = spatial_dims(node.inputs[0])
        return [apply("avg_pool_grad", g, *extra, spatial=spatial, **node.attrs)]

    def kernel(self, xp: Any, out: Any, x: Any, **attrs: Any) -> None:  # type: ignore[override]
        padded, taps, view = _taps(xp, x, x.shape[1:-1], out.shape[1:-1], attrs, 0)
        out[...] = 0
        for tap in taps:
            out += view(padded, tap)
        out /= _counts(xp, x.shape[1:-1], out, attrs)

    def cost(self, ins: Sequence[Spec], outs: Sequence[Spec], attrs: dict[str, Any]) -> int:
        return outs[0].size * math.prod(attrs["pool"])


@register
class AvgPoolGrad(Op):
    """The gradient of `avg_pool` for an input of the spatial shape `spatial`."""

    name = "avg_pool_grad"
    dims = "spatial"
    zero_in = (0,)

    def infer(self, g: Spec, *_: Spec, spatial: Ints, pool: Ints, strides: Ints, padding: Padding) -> Spec:  # type: ignore[override]
        return _unpooled(self.name, g, spatial, {"pool": pool, "strides": strides, "padding": padding})

    def vjp(self, node: Node, u: Tensor) -> Sequence[Tensor | None]:  # type: ignore[override]
        return [apply("avg_pool", u, **_window_attrs(node.attrs)), *[None] * (len(node.inputs) - 1)]

    def kernel(self, xp: Any, out: Any, g: Any, *, spatial: Ints, **attrs: Any) -> None:  # type: ignore[override]
        total, taps, view = _taps(xp, xp.zeros_like(out), spatial, g.shape[1:-1], attrs, 0)
        share = g / _counts(xp, spatial, g, attrs)
        for tap in taps:
            target = view(total, tap)
            target += share
        out[...] = total[inside(spatial, _pairs(spatial, attrs))]


def _unpooled(op: str, g: Spec, spatial: Ints, attrs: dict[str, Any]) -> Spec:
    """The spec of the input whose pooling has the shape of `g`."""
    require_rank(op, g)
    known = decode_shape(spatial)
    if len(known) != g.ndim - 2:
        raise ShapeError(f"{op}: {g} does not fit the spatial shape {known}", shapes=(g.shape, known))
    result = Spec((g.shape[0], *known, g.shape[-1]), g.dtype)
    require_lengths(op, g, _pooled(op, result, known, **attrs), result)
    return result


# -- portable kernels -------------------------------------------------------------------------------------


def _pairs(spatial: Ints, attrs: dict[str, Any]) -> Any:
    return explicit_padding(attrs["padding"], spatial, attrs["pool"], attrs["strides"], (1,) * len(spatial))


def _taps(xp: Any, x: Any, spatial: Ints, positions: Ints, attrs: dict[str, Any], value: float) -> Any:
    """`x` padded with `value`, the indices of the taps, and the function that views a tap."""
    strides, ones = attrs["strides"], (1,) * len(spatial)
    taps = itertools.product(*map(range, attrs["pool"]))
    padded = pad(xp, x, _pairs(spatial, attrs), value)
    return padded, taps, lambda array, tap: tap_view(array, tap, positions, strides, ones)


def _counts(xp: Any, spatial: Ints, y: Any, attrs: dict[str, Any]) -> Any:
    """The number of real elements under each position of the window, to be broadcast to `y`."""
    ones, taps, view = _taps(xp, xp.ones((1, *spatial, 1), y.dtype), spatial, y.shape[1:-1], attrs, 0)
    return sum(view(ones, tap) for tap in taps)
