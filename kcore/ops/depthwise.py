"""Depthwise convolution: every input channel has kernels of its own, ``(*size, channels, multiplier)``.

As in `kcore.ops.conv`, three operations whose gradients are again these three::

    depthwise_conv(x, w)     y[n, p, c * M + m] = sum_t x[n, p * stride + t * dilation - before, c] * w[t, c, m]
    depthwise_conv_input_grad(g, w), depthwise_conv_kernel_grad(x, g)
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from kcore.errors import ShapeError
from kcore.graph import Node, Op, Spec, Tensor, apply, decode_shape, register
from kcore.ops.conv import input_grad, kernel_grad, kernel_size, require_channels, window_attrs, without_zeros
from kcore.ops.window import (
    Ints,
    Padding,
    inside,
    output_lengths,
    pad,
    require_lengths,
    require_operands,
    require_rank,
    tap_view,
)
from kcore.shapes import explicit_padding


@register
class DepthwiseConv(Op):
    """Depthwise convolution of `x` ``(batch, *spatial, channels)``: ``channels * multiplier`` output channels."""

    name = "depthwise_conv"
    zero_in = (0, 1)

    def infer(self, x: Spec, w: Spec, *, strides: Ints, padding: Padding, dilation: Ints) -> Spec:  # type: ignore[override]
        require_rank(self.name, x)
        require_operands(self.name, "one of them", x, w)
        size = kernel_size(self.name, w, x)
        require_channels(self.name, x, w, -2, "input channels")
        lengths = output_lengths(self.name, x, x.shape[1:-1], size, strides, padding, dilation, f"the kernel {w}")
        return Spec((x.shape[0], *lengths, _times(w.shape[-2], w.shape[-1])), x.dtype)

    def vjp(self, node: Node, g: Tensor) -> Sequence[Tensor | None]:  # type: ignore[override]
        x, w = node.inputs
        return [input_grad(g, w, x, node.attrs, "depthwise_"), kernel_grad(x, g, w, node.attrs, "depthwise_")]

    def kernel(self, xp: Any, out: Any, x: Any, w: Any, **attrs: Any) -> None:  # type: ignore[override]
        split = out.reshape(*out.shape[:-1], *w.shape[-2:])
        pairs = _pairs(x.shape[1:-1], w.shape[:-2], attrs)
        padded = pad(xp, x, pairs)
        split[...] = 0
        for tap in itertools.product(*map(range, w.shape[:-2])):
            view = tap_view(padded, tap, out.shape[1:-1], attrs["strides"], attrs["dilation"])
            split += view[..., None] * w[tap]

    def simplify(self, node: Node) -> Tensor | None:
        return without_zeros(node, node.inputs[1].spec.sizes[:-2])

    def cost(self, ins: Sequence[Spec], outs: Sequence[Spec], attrs: dict[str, Any]) -> int:
        return 2 * outs[0].size * math.prod(ins[1].shape[:-2])  # type: ignore[arg-type]


@register
class DepthwiseConvInputGrad(Op):
    """The gradient of `depthwise_conv` for its input, of the spatial shape `spatial`."""

    name = "depthwise_conv_input_grad"
    dims = "spatial"
    zero_in = (0, 1)

    def infer(  # type: ignore[override]
        self, g: Spec, w: Spec, *_: Spec, spatial: Ints, strides: Ints, padding: Padding, dilation: Ints
    ) -> Spec:
        require_rank(self.name, g)
        require_operands(self.name, "one of them", g, w)
        size = kernel_size(self.name, w, g)
        channels = _times(w.shape[-2], w.shape[-1])
        if None not in (channels, g.shape[-1]) and channels != g.shape[-1]:
            raise ShapeError(
                f"{self.name}: {g} does not have the {channels} output channels of the kernel {w}",
                shapes=(g.shape, w.shape),
                op=self.name,
            )
        known = decode_shape(spatial)
        result = Spec((g.shape[0], *known, w.shape[-2]), g.dtype)
        lengths = output_lengths(self.name, result, known, size, strides, padding, dilation, f"the kernel {w}")
        require_lengths(self.name, g, lengths, result)
        return result

    def vjp(self, node: Node, u: Tensor) -> Sequence[Tensor | None]:  # type: ignore[override]
        g, w = node.inputs[:2]
        attrs = window_attrs(node.attrs)
        rest = [None] * (len(node.inputs) - 2)
        return [apply("depthwise_conv", u, w, **attrs), kernel_grad(u, g, w, attrs, "depthwise_"), *rest]

    def kernel(self, xp: Any, out: Any, g: Any, w: Any, *, spatial: Ints, **attrs: Any) -> None:  # type: ignore[override]
        pairs = _pairs(spatial, w.shape[:-2], attrs)
        padded = pad(xp, xp.zeros_like(out), pairs)
        split = g.reshape(*g.shape[:-1], *w.shape[-2:])
        for tap in itertools.product(*map(range, w.shape[:-2])):
            view = tap_view(padded, tap, g.shape[1:-1], attrs["strides"], attrs["dilation"])
            view += (split * w[tap]).sum(-1)
        out[...] = padded[inside(spatial, pairs)]

    def cost(self, ins: Sequence[Spec], outs: Sequence[Spec], attrs: dict[str, Any]) -> int:
        return 2 * ins[0].size * math.prod(ins[1].shape[:-2])  # type: ignore[arg-type]


@register
class DepthwiseConvKernelGrad(Op):
    """The gradient of `depthwise_conv` for its kernel, of the spatial shape `kernel_size`."""

    name = "depthwise_conv_kernel_grad"
    zero_in = (0, 1)

    def infer(  # type: ignore[override]
        self, x: Spec, g: Spec, *, kernel_size: Ints, strides: Ints, padding: Padding, dilation: Ints
    ) -> Spec:
        require_rank(self.name, x)
        require_operands(self.name, "one of them", x, g)
        channels, filters = x.shape[-1], g.shape[-1]
        multiplier = None if channels is None or filters is None else filters // channels
        if g.ndim != x.ndim or _times(channels, multiplier) not in (None, filters):
            raise ShapeError(
                f"{self.name}: the channels of {g} must be a multiple of those of {x}",
                shapes=(x.shape, g.shape),
                op=self.name,
            )
        what = f"size {kernel_size}"
        lengths = output_lengths(self.name, x, x.shape[1:-1], kernel_size, strides, padding, dilation, what)
        require_lengths(self.name, g, lengths, x)
        return Spec((*kernel_size, channels, multiplier), x.dtype)

    def vjp(self, node: Node, v: Tensor) -> Sequence[Tensor | None]:  # type: ignore[override]
        x, g = node.inputs
        attrs = window_attrs(node.attrs)
        return [input_grad(g, v, x, attrs, "depthwise_"), apply("depthwise_conv", x, v, **attrs)]

    def kernel(self, xp: Any, out: Any, x: Any, g: Any, *, kernel_size: Ints, **attrs: Any) -> None:  # type: ignore[override]
        padded = pad(xp, x, _pairs(x.shape[1:-1], kernel_size, attrs))
        split = g.reshape(*g.shape[:-1], *out.shape[-2:])
        positions = tuple(range(g.ndim - 1))
        for tap in itertools.product(*map(range, kernel_size)):
            view = tap_view(padded, tap, g.shape[1:-1], attrs["strides"], attrs["dilation"])
            out[tap] = (view[..., None] * split).sum(positions)

    def simplify(self, node: Node) -> Tensor | None:
        return without_zeros(node, node.attrs["kernel_size"])

    def cost(self, ins: Sequence[Spec], outs: Sequence[Spec], attrs: dict[str, Any]) -> int:
        return 2 * ins[1].size * math.prod(outs[0].shape[:-2])  # type: ignore[arg-type]


def _times(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else a * b


def _pairs(spatial: Ints, size: Ints, attrs: dict[str, Any]) -> Any:
    return explicit_padding(attrs["padding"], spatial, size, attrs["strides"], attrs["dilation"])
