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

from kcore.errors import ShapeError
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
    """The maximum under each position of the window."""

    name = "max_pool"

    def infer(self, x: Spec, *, pool: Ints, strides: Ints, padding: Padding) -> Spec:  # type: ignore[override]
        require_rank(self.name, x)
        require_float(self.name, x)
        return Spec((x.shape[0], *_pooled(self.name, x, x.shape[1:-1], pool, strides, padding), x.shape[-1]), x.dtype)

    def vjp(self, node: Node, g: Tensor) -> Sequence[Tensor | None]:  # type: ignore[override]
        (x,) = node.inputs
        (y,) = node.outputs
        return [apply("max_pool_grad", x, y, g, **node.attrs)]

    def kernel(self, xp: Any, out: Any, x: Any, **attrs: Any) -> None:  # type: ignore[override]
        padded, taps, view = _taps(xp, x, x.shape[1:-1], out.shape[1:-1], attrs, -math.inf)
        out[...] = -math.inf
        for tap in taps:
            xp.maximum(out, view(padded, tap), out=out)

    def cost(self, ins: Sequence[Spec], outs: Sequence[Spec], attrs: dict[str, Any]) -> int:
        return outs[0].size * math.prod(attrs["pool"])


class _MaxPoolRoute(Op):
    """Between the elements of `x` and the windows whose (first) maximum they are; `y` holds the maxima."""

    def _check(self, x: Spec, y: Spec, pool: Ints, strides: Ints, padding: Padding) -> None:
        require_rank(self.name, x)
        require_lengths(self.name, y, _pooled(self.name, x, x.shape[1:-1], pool, strides, padding), x)


@register
class MaxPoolGrad(_MaxPoolRoute):
    """The gradient of `max_pool`: each window's `g` goes to its first maximum."""

    name = "max_pool_grad"
    zero_in = (2,)

    def infer(self, x: Spec, y: Spec, g: Spec, *, pool: Ints, strides: Ints, padding: Padding) -> Spec:  # type: ignore[override]
        self._check(x, y, pool, strides, padding)
        require_lengths(self.name, g, y.shape[1:-1], x)
        return x

    def vjp(self, node: Node, u: Tensor) -> Sequence[Tensor | None]:  # type: ignore[override]
        x, y, _ = node.inputs
        return [None, None, apply("max_pool_gather", x, y, u, **node.attrs)]

    def kernel(self, xp: Any, out: Any, x: Any, y: Any, g: Any, **attrs: Any) -> None:  # type: ignore[override]
        spatial = x.shape[1:-1]
        padded, taps, view = _taps(xp, x, spatial, y.shape[1:-1], attrs, -math.inf)
        total, _, _ = _taps(xp, xp.zeros_like(out), spatial, y.shape[1:-1], attrs, 0)
        free = xp.ones(y.shape, bool)
        for tap in taps:
            hit = (view(padded, tap) == y) & free
            free &= ~hit
            target = view(total, tap)
            target += xp.where(hit, g, 0)
        out[...] = total[inside(spatial, _pairs(spatial, attrs))]


@register
class MaxPoolGather(_MaxPoolRoute):
    """The transpose of `max_pool_grad`: for each window the element of `u` where `x` has the first maximum."""

    name = "max_pool_gather"
    zero_in = (2,)

    def infer(self, x: Spec, y: Spec, u: Spec, *, pool: Ints, strides: Ints, padding: Padding) -> Spec:  # type: ignore[override]
        self._check(x, y, pool, strides, padding)
        require_lengths(self.name, u, x.shape[1:-1], x)
        return y

    def vjp(self, node: Node, g: Tensor) -> Sequence[Tensor | None]:  # type: ignore[override]
        x, y, _ = node.inputs
        return [None, None, apply("max_pool_grad", x, y, g, **node.attrs)]

    def kernel(self, xp: Any, out: Any, x: Any, y: Any, u: Any, **attrs: Any) -> None:  # type: ignore[override]
        spatial = x.shape[1:-1]
        padded, taps, view = _taps(xp, x, spatial, y.shape[1:-1], attrs, -math.inf)
        values, _, _ = _taps(xp, u, spatial, y.shape[1:-1], attrs, 0)
        free = xp.ones(y.shape, bool)
        out[...] = 0
        for tap in taps:
            hit = (view(padded, tap) == y) & free
            free &= ~hit
            out += xp.where(hit, view(values, tap), 0)


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
        require_rank(self.name, g)
        known = decode_shape(spatial)
        if len(known) != g.ndim - 2:
            raise ShapeError(f"{self.name}: {g} does not fit the spatial shape {known}", shapes=(g.shape, known))
        result = Spec((g.shape[0], *known, g.shape[-1]), g.dtype)
        require_lengths(self.name, g, _pooled(self.name, result, known, pool, strides, padding), result)
        return result

    def vjp(self, node: Node, u: Tensor) -> Sequence[Tensor | None]:  # type: ignore[override]
        return [apply("avg_pool", u, **_window_attrs(node.attrs)), *[None] * (len(node.inputs) - 1)]

    def kernel(self, xp: Any, out: Any, g: Any, *, spatial: Ints, **attrs: Any) -> None:  # type: ignore[override]
        total, taps, view = _taps(xp, xp.zeros_like(out), spatial, g.shape[1:-1], attrs, 0)
        share = g / _counts(xp, spatial, g, attrs)
        for tap in taps:
            target = view(total, tap)
            target += share
        out[...] = total[inside(spatial, _pairs(spatial, attrs))]


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
