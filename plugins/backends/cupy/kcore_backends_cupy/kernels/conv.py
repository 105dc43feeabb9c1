"""Convolution and its gradients: on libraries where they help (`conv_library`), else by the tiled product, an implicit
im2col for any window, captured like all else.

The gradient for the input is a convolution of the result's gradient, for each phase of the strides (see
`kcore.runtime.windows.input_phases`); that for the kernel a product that sums over positions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from kcore.graph import get_op
from kcore.runtime.windows import Window, attrs_window, expand, expand_kernel, input_phases
from kcore_backends_cupy.kernels.contraction import contract, fits
from kcore_backends_cupy.kernels.conv_library import by_cudnn, pointwise
from kcore_backends_cupy.kernels.moving import fill_launch
from kcore_backends_cupy.kernels.operands import Axis, Matrix, Patches, Result
from kcore_backends_cupy.launch import Launches


def conv(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    (out,), (x, w) = outs, ins
    window = attrs_window(attrs, x.shape[1:-1], w.shape[:-2])
    found = _by_library(ctx, "fprop", x, out, w, window, attrs)
    if found is not None:
        return found
    if not _fit(out, x, w):
        return get_op("conv").bind(ctx, outs, ins, attrs)
    return _convolve(ctx, expand(out), expand(x), expand_kernel(w), window)


def conv_input_grad(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    (out,), (g, w) = outs, ins[:2]
    window = attrs_window(attrs, attrs["spatial"], w.shape[:-2])
    found = _by_library(ctx, "dgrad", out, g, w, window, attrs)
    if found is not None:
        return found
    if not _fit(out, g, w):
        return get_op("conv_input_grad").bind(ctx, outs, ins, attrs)
    out, g, w = expand(out), expand(g), expand_kernel(w)
    phases = input_phases(window, out.shape[1:4])
    # Inputs that no window meets have no phase.
    calls = [] if len(phases) == math.prod(window.stride) else [fill_launch(ctx.xp, out, 0)]
    for phase in phases:
        taps = w[phase.taps][::-1, ::-1, ::-1].swapaxes(3, 4)
        calls.append(_convolve(ctx, out[phase.inputs], g, taps, phase.window))
    return Launches(calls)


def conv_kernel_grad(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    (out,), (x, g) = outs, ins
    window = attrs_window(attrs, x.shape[1:-1], attrs["kernel_size"])
    found = _by_library(ctx, "wgrad", x, g, out, window, attrs)
    if found is not None:
        return found
    if not _fit(out, x, g):
        return get_op("conv_kernel_grad").bind(ctx, outs, ins, attrs)
    out, x, g = expand_kernel(out), expand(x), expand(g)
    patches = Patches(x, window, g.shape[1:4], transposed=True)
    right = Matrix(g, Axis.of(g, 4, 5), Axis.of(g, 0, 4))
    result = Result(out, Axis.of(out, 0, 4), Axis.of(out, 4, 5))
    sizes = (math.prod(out.shape[:4]), g.shape[4], math.prod(g.shape[:4]))
    return contract(ctx, result, patches, right, sizes, (1, 1))


def _by_library(ctx: Any, kind: str, image: Any, loss: Any, weights: Any, window: Window, attrs: Any) -> Any:
    """The calls of a library that compute a convolution, or None; see `conv_library`.

    With strides cuDNN comes first: for a product, the inputs that the window meets would have to be copied."""
    strided = math.prod(window.stride) > 1
    found = by_cudnn(ctx, kind, image, loss, weights, attrs) if strided else None
    if found is None:
        found = pointwise(ctx, kind, expand(image), expand(loss), expand_kernel(weights), window)
    return by_cudnn(ctx, kind, image, loss, weights, attrs) if found is None and not strided else found


def _convolve(ctx: Any, out: Any, x: Any, w: Any, window: Any) -> Any:
    """The launches of a convolution; all with three spatial dimensions, of any strides."""
    if not out.size:
        return Launches([])
    patches = Patches(x, window, out.shape[1:4])
    right = Matrix(w, Axis.of(w, 4, 5), Axis.of(w, 0, 4))
    result = Result(out, Axis.of(out, 0, 4), Axis.of(out, 4, 5))
    sizes = (math.prod(out.shape[:4]), out.shape[4], math.prod(w.shape[:4]))
    return contract(ctx, result, patches, right, sizes, (1, 1))


def _fit(*arrays: Any) -> bool:
    """Whether all indices are ints."""
    return fits(*(a.size for a in arrays))


KERNELS: dict[str, Callable[..., Any]] = {
    "conv": conv,
    "conv_input_grad": conv_input_grad,
    "conv_kernel_grad": conv_kernel_grad,
}
