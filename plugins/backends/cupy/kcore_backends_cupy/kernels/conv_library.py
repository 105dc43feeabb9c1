"""Convolutions on the libraries: windows of one element are matrix products, others go to cuDNN."""

from __future__ import annotations

import math
from typing import Any

from kcore.runtime.windows import Window
from kcore.shapes import explicit_padding
from kcore_backends_cupy import cudnn
from kcore_backends_cupy.kernels.moving import copy_launch, fill_launch
from kcore_backends_cupy.kernels.products import matmul
from kcore_backends_cupy.launch import Launches
from kcore_backends_cupy.precision import tf32_allowed


def pointwise(ctx: Any, kind: str, image: Any, loss: Any, weights: Any, window: Window) -> Any:
    """The product of matrices that a convolution is whose window has one element and no padding; or None.

    Args:
        ctx: bind context.
        kind: "fprop", "dgrad" or "wgrad"; see `cudnn.Convolution`.
        image, loss, weights: arrays with three spatial dimensions, the one that is computed among them.
        window: the geometry.
    """
    seen = tuple(slice(None, p * s, s) for p, s in zip(loss.shape[1:4], window.stride, strict=True))
    met = image[(slice(None), *seen)]  # the inputs that the window meets
    if window.taps > 1 or any(window.before) or met.shape[:4] != loss.shape[:4] or not met.size:
        return None
    arrays = {"image": met, "loss": loss, "weights": weights}
    whole = {role: _dense(ctx, x) for role, x in arrays.items()}
    x, g, w = (whole[role].reshape(-1, whole[role].shape[4]) for role in arrays)
    result, operands = {
        "fprop": ("loss", (g, x, w)),
        "dgrad": ("image", (x, g, w.T)),
        "wgrad": ("weights", (w, x.T, g)),
    }[kind]
    out, left, right = operands
    calls = [copy_launch(ctx.xp, whole[r], a) for r, a in arrays.items() if r != result and whole[r] is not a]
    calls.append(matmul(ctx, [out], [left, right], {}))
    if result == "image" and met.size < image.size:
        calls.append(fill_launch(ctx.xp, image, 0))
    if whole[result] is not arrays[result]:
        calls.append(copy_launch(ctx.xp, arrays[result], whole[result]))
    return Launches(calls)


def by_cudnn(ctx: Any, kind: Any, image: Any, loss: Any, weights: Any, attrs: Any) -> Any:
    """The calls that compute a convolution or one of its gradients by cuDNN; or None.

    Args:
        ctx: bind context, for memory.
        kind: see `cudnn.Convolution`.
        image, loss: ``(batch, *spatial, channels)``; `weights`: ``(*size, channels, filters)``. What is computed is
            among them.
        attrs: of the operation.
    """
    library = cudnn.library(ctx.device)
    if library is None or not all(x.size for x in (image, loss, weights)):
        return None
    spatial, size = image.shape[1:-1], weights.shape[:-2]
    pairs = explicit_padding(attrs["padding"], spatial, size, attrs["strides"], attrs["dilation"])
    rows = [[p[0] for p in pairs], [p[1] for p in pairs], attrs["strides"], attrs["dilation"]]
    before, after, strides, dilation = (tuple(int(v) for v in row) for row in rows)  # type: ignore[union-attr]
    if len(spatial) == 1:  # one row
        before, after, strides, dilation = (0, *before), (0, *after), (1, *strides), (1, *dilation)
        image, loss, weights = image[:, None], loss[:, None], weights[None]
    whole = {"image": _dense(ctx, image), "loss": _dense(ctx, loss), "weights": _filters_first(ctx, weights)}
    wanted = cudnn.Convolution(
        kind=kind,
        dtype=str(image.dtype),
        image=tuple(image.shape),
        loss=tuple(loss.shape),
        weights=tuple(whole["weights"].shape),
        before=before,
        after=after,
        strides=strides,
        dilation=dilation,
        tf32=tf32_allowed(),
        alignment=math.gcd(16, *(x.data.ptr for x in whole.values())),
    )
    first, second, result = wanted.roles
    call = library.call(ctx, wanted, (whole[first], whole[second], whole[result]))
    if call is None:
        return None
    arrays = {"image": image, "loss": loss, "weights": _turned(weights)}
    before_it = [copy_launch(ctx.xp, whole[r], arrays[r]) for r in (first, second) if whole[r] is not arrays[r]]
    after_it = [] if whole[result] is arrays[result] else [copy_launch(ctx.xp, arrays[result], whole[result])]
    return Launches([*before_it, call, *after_it])


def _dense(ctx: Any, x: Any) -> Any:
    """`x`, or memory of its shape without gaps."""
    return x if x.flags.c_contiguous else ctx.scratch(x.shape, str(x.dtype))


def _turned(weights: Any) -> Any:
    """A view ``(filters, *size, channels)`` of ``(*size, channels, filters)``."""
    last = weights.ndim - 1
    return weights.transpose(last, *range(last - 1), last - 1)


def _filters_first(ctx: Any, weights: Any) -> Any:
    return ctx.scratch(_turned(weights).shape, str(weights.dtype))
