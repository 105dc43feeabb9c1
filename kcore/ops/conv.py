"""Convolution (cross-correlation, as in the manual) over one to three spatial dimensions, channels last.

Three operations, each linear in both operands, whose gradients are again these three::

    conv(x, w)               y[n, p, f]  = sum_{t, c} x[n, p * stride + t * dilation - before, c] * w[t, c, f]
    conv_input_grad(g, w)    its transpose in x; the forward pass of a transposed convolution
    conv_kernel_grad(x, g)   its transpose in w

Attributes of all three: `strides` and `dilation`, an int for each spatial dimension; `padding`, a pair
``(before, after)`` for each, or "same" where a dimension is unknown (resolved when shapes are concrete).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from kcore.errors import ShapeError
from kcore.graph import Node, Op, Spec, Tensor, apply, decode_shape, register
from kcore.ops.window import (
    Ints,
    Padding,
    cropped,
    inside,
    output_lengths,
    pad,
    require_lengths,
    require_operands,
    require_rank,
    spatial_dims,
    tap_view,
    without_padding,
)
from kcore.shapes import explicit_padding


def kernel_size(op: str, kernel: Spec, x: Spec) -> Ints:
    """Spatial shape of a kernel ``(*size, channels, filters)`` that fits the rank of `x`; it must be known."""
    if kernel.ndim != x.ndim:
        raise ShapeError(
            f"{op}: a kernel {kernel} does not fit {x}: for {x.ndim - 2} spatial dimension(s) it has "
            f"{x.ndim} dimensions, the last two being channels and filters",
            shapes=(x.shape, kernel.shape),
            op=op,
        )
    size = kernel.shape[:-2]
    if None in size:
        raise ShapeError(f"{op}: the size of the kernel {kernel} must be known", shapes=(kernel.shape,), op=op)
    return size  # type: ignore[return-value]


def require_channels(op: str, x: Spec, kernel: Spec, axis: int, what: str) -> None:
    """Refuse operands whose last dimension is not that of the kernel's `axis`."""
    given, expected = x.shape[-1], kernel.shape[axis]
    if given == 0:
        raise ShapeError(f"{op} needs at least one channel, and {x} has none", shapes=(x.shape, kernel.shape), op=op)
    if given is not None and expected is not None and given != expected:
        raise ShapeError(
            f"{op}: {x} has {given} channels, but the kernel {kernel} takes {expected} {what}",
            shapes=(x.shape, kernel.shape),
            op=op,
        )


@register
class Conv(Op):
    """Convolution of `x` ``(batch, *spatial, channels)`` with a kernel ``(*size, channels, filters)``."""

    name = "conv"
    zero_in = (0, 1)

    def infer(self, x: Spec, w: Spec, *, strides: Ints, padding: Padding, dilation: Ints) -> Spec:  # type: ignore[override]
        require_rank(self.name, x)
        require_operands(self.name, "one of them", x, w)
        size = kernel_size(self.name, w, x)
        require_channels(self.name, x, w, -2, "input channels")
        lengths = output_lengths(self.name, x, x.shape[1:-1], size, strides, padding, dilation, f"the kernel {w}")
        return Spec((x.shape[0], *lengths, w.shape[-1]), x.dtype)

    def vjp(self, node: Node, g: Tensor) -> Sequence[Tensor | None]:  # type: ignore[override]
        x, w = node.inputs
        return [input_grad(g, w, x, node.attrs), kernel_grad(x, g, w, node.attrs)]

    def kernel(self, xp: Any, out: Any, x: Any, w: Any, **attrs: Any) -> None:  # type: ignore[override]
        padded, taps, views = _taps(xp, x, w.shape[:-2], out.shape[1:-1], attrs)
        out[...] = 0
        for tap in taps:
            out += xp.matmul(views(padded, tap), w[tap])

    def simplify(self, node: Node) -> Tensor | None:
        return without_zeros(node, node.inputs[1].spec.sizes[:-2])

    def cost(self, ins: Sequence[Spec], outs: Sequence[Spec], attrs: dict[str, Any]) -> int:
        return 2 * outs[0].size * math.prod(ins[1].shape[:-1])  # type: ignore[arg-type]


@register
class ConvInputGrad(Op):
    """The gradient of `conv` for its input, of the spatial shape `spatial`: a transposed convolution of `g`."""

    name = "conv_input_grad"
    dims = "spatial"
    zero_in = (0, 1)

    def infer(  # type: ignore[override]
        self, g: Spec, w: Spec, *_: Spec, spatial: Ints, strides: Ints, padding: Padding, dilation: Ints
    ) -> Spec:
        require_rank(self.name, g)
        require_operands(self.name, "one of them", g, w)
        size = kernel_size(self.name, w, g)
        require_channels(self.name, g, w, -1, "filters (its last dimension)")
        known = decode_shape(spatial)
        result = Spec((g.shape[0], *known, w.shape[-2]), g.dtype)
        lengths = output_lengths(self.name, result, known, size, strides, padding, dilation, f"the kernel {w}")
        require_lengths(self.name, g, lengths, result)
        return result

    def vjp(self, node: Node, u: Tensor) -> Sequence[Tensor | None]:  # type: ignore[override]
        g, w = node.inputs[:2]
        attrs = window_attrs(node.attrs)
        rest = [None] * (len(node.inputs) - 2)
        return [apply("conv", u, w, **attrs), kernel_grad(u, g, w, attrs), *rest]

    def kernel(self, xp: Any, out: Any, g: Any, w: Any, *, spatial: Ints, **attrs: Any) -> None:  # type: ignore[override]
        pairs = explicit_padding(attrs["padding"], spatial, w.shape[:-2], attrs["strides"], attrs["dilation"])
        padded, taps, views = _taps(xp, xp.zeros_like(out), w.shape[:-2], g.shape[1:-1], attrs)
        for tap in taps:
            view = views(padded, tap)
            view += xp.matmul(g, w[tap].T)
        out[...] = padded[inside(spatial, pairs)]  # type: ignore[arg-type]

    def cost(self, ins: Sequence[Spec], outs: Sequence[Spec], attrs: dict[str, Any]) -> int:
        return 2 * ins[0].size * math.prod(ins[1].shape[:-1])  # type: ignore[arg-type]


@register
class ConvKernelGrad(Op):
    """The gradient of `conv` for its kernel, of the spatial shape `kernel_size`."""

    name = "conv_kernel_grad"
    zero_in = (0, 1)

    def infer(  # type: ignore[override]
        self, x: Spec, g: Spec, *, kernel_size: Ints, strides: Ints, padding: Padding, dilation: Ints
    ) -> Spec:
        require_rank(self.name, x)
        require_operands(self.name, "one of them", x, g)
        if g.ndim != x.ndim or (None not in (x.shape[0], g.shape[0]) and x.shape[0] != g.shape[0]):
            raise ShapeError(f"{self.name}: {g} does not fit {x}", shapes=(x.shape, g.shape), op=self.name)
        what = f"size {kernel_size}"
        lengths = output_lengths(self.name, x, x.shape[1:-1], kernel_size, strides, padding, dilation, what)
        require_lengths(self.name, g, lengths, x)
        return Spec((*kernel_size, x.shape[-1], g.shape[-1]), x.dtype)

    def vjp(self, node: Node, v: Tensor) -> Sequence[Tensor | None]:  # type: ignore[override]
        x, g = node.inputs
        attrs = window_attrs(node.attrs)
        return [input_grad(g, v, x, attrs), apply("conv", x, v, **attrs)]

    def kernel(self, xp: Any, out: Any, x: Any, g: Any, *, kernel_size: Ints, **attrs: Any) -> None:  # type: ignore[override]
        padded, taps, views = _taps(xp, x, kernel_size, g.shape[1:-1], attrs)
        right = g.reshape(-1, g.shape[-1])
        for tap in taps:
            out[tap] = xp.matmul(views(padded, tap).reshape(-1, x.shape[-1]).T, right)

    def simplify(self, node: Node) -> Tensor | None:
        return without_zeros(node, node.attrs["kernel_size"])

    def cost(self, ins: Sequence[Spec], outs: Sequence[Spec], attrs: dict[str, Any]) -> int:
        return 2 * ins[1].size * math.prod(outs[0].shape[:-1])  # type: ignore[arg-type]


def window_attrs(attrs: dict[str, Any]) -> dict[str, Any]:
    """The attributes that a convolution and its gradients have in common."""
    return {name: attrs[name] for name in ("strides", "padding", "dilation")}


def input_grad(g: Tensor, w: Tensor, x: Tensor, attrs: dict[str, Any], prefix: str = "") -> Tensor:
    """The gradient for the input `x` of a convolution with the kernel `w` whose result has the gradient `g`."""
    spatial, extra = spatial_dims(x)
    return apply(prefix + "conv_input_grad", g, w, *extra, spatial=spatial, **attrs)


def kernel_grad(x: Tensor, g: Tensor, w: Tensor, attrs: dict[str, Any], prefix: str = "") -> Tensor:
    """The gradient for the kernel `w` of a convolution of `x` whose result has the gradient `g`."""
    return apply(prefix + "conv_kernel_grad", x, g, kernel_size=w.shape[:-2], **attrs)


def without_zeros(node: Node, size: Ints) -> Tensor | None:
    """A convolution, or the gradient for its kernel, of `size`, without the operation that added zeros before it."""
    found = without_padding(node.inputs[0], size, node.attrs)
    return None if found is None else apply(node.op.name, found[0], *node.inputs[1:], **found[1])


def inside_zeros(gradient: Node, items: Sequence[tuple[Any, ...]]) -> Tensor | None:
    """What `slice` of the gradient for a convolution's input becomes where it takes what is inside of added zeros."""
    g, w = gradient.inputs
    attrs = window_attrs(gradient.attrs)
    found = cropped(gradient.attrs["spatial"], items, w.spec.sizes[:-2], attrs)
    return None if found is None else apply(gradient.op.name, g, w, spatial=found[0], **found[1])


def _taps(xp: Any, x: Any, size: Ints, positions: Ints, attrs: dict[str, Any]) -> tuple[Any, Any, Any]:
    """For portable kernels: `x` padded, the indices of the taps, and the function that views a tap."""
    strides, dilation = attrs["strides"], attrs["dilation"]
    pairs = explicit_padding(attrs["padding"], x.shape[1:-1], size, strides, dilation)
    taps = itertools.product(*map(range, size))
    return pad(xp, x, pairs), taps, lambda array, tap: tap_view(array, tap, positions, strides, dilation)  # type: ignore[arg-type]
