"""Depthwise convolution and its gradients: few products for each element that is read, so no tiles."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from kcore.runtime.windows import attrs_window, expand, expand_kernel
from kcore_backends_cupy.kernels.operands import Argument, geometry, image_strides, names
from kcore_backends_cupy.kernels.reduce import reduction
from kcore_backends_cupy.kernels.windowed import Sweep, at, looks, meets, sweep_launch
from kcore_backends_cupy.launch import Launch, Launches, compile_kernel
from kcore_backends_cupy.prelude import C_TYPES

LANES, ROWS = 32, 8  # threads of a block along channels and along positions
ENOUGH = 264  # blocks that keep a large GPU busy
SHORTEST = 256  # positions that are worth a block

# A kernel `v` is seen as an image: its depth, rows, columns, channels and multiplier by the strides n, d, h, w and c.
_TAP = "td * vsn + th * vsd + tw * vsh"


def depthwise_conv(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    x, w, y = expand(ins[0]), expand_kernel(ins[1]), expand(outs[0])
    window = attrs_window(attrs, ins[0].shape[1:-1], ins[1].shape[:-2])
    body = "int source = c / multiplier; " + looks(
        f"result = k_fma(k_load(x, {at('x', channel='source')}), "
        f"k_load(v, {_TAP} + source * vsw + c % multiplier * vsc), result);"
    )
    sweep = Sweep(window, x.shape[1:4], y.shape[1:4])
    return sweep_launch(ctx, "depthwise_conv", body, y, sweep, numbers=_multiplier(w), x=x, v=w)


def depthwise_conv_input_grad(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    g, w, out = expand(ins[0]), expand_kernel(ins[1]), expand(outs[0])
    window = attrs_window(attrs, attrs["spatial"], ins[1].shape[:-2])
    body = meets(
        "for (int m = 0; m < multiplier; ++m) "
        f"result = k_fma(k_load(g, {at('g', channel='(c * multiplier + m)')}), "
        f"k_load(v, {_TAP} + c * vsw + m * vsc), result);"
    )
    sweep = Sweep(window, out.shape[1:4], g.shape[1:4])
    return sweep_launch(ctx, "depthwise_conv_input_grad", body, out, sweep, numbers=_multiplier(w), g=g, v=w)


def _multiplier(w: Any) -> list[Argument]:
    return [("int multiplier", np.int32(w.shape[-1]))]


def depthwise_conv_kernel_grad(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    """Blocks of 32 channels and 8 positions side by side sum over a chunk of positions; a reduction adds the chunks."""
    (out,), x, g = outs, expand(ins[0]), expand(ins[1])
    if not out.size:
        return Launches([])
    window = attrs_window(attrs, ins[0].shape[1:-1], attrs["kernel_size"])
    taps, filters, positions = window.taps, g.shape[4], math.prod(g.shape[:4])
    tiles = -(-filters // LANES)
    chunks = max(1, min(ENOUGH // (taps * tiles), positions // SHORTEST))
    acc = "float32" if str(out.dtype) == "float16" else str(out.dtype)
    partial = ctx.scratch((chunks, *out.shape), acc)
    extra = [*_multiplier(out), *geometry("k", window, x.shape[1:4], g.shape[1:4])]
    extra += [*image_strides("x", x), *image_strides("g", g)]
    memory, register = C_TYPES[str(x.dtype)][0], C_TYPES[acc][0]
    source = f"""
extern "C" __global__ void __launch_bounds__(256) depthwise_conv_kernel_grad(const {memory}* x, const {memory}* g, {register}* out, i64 count, int filters{names(extra)}) {{
  __shared__ {register} shared[{ROWS}][{LANES}];
  int c = blockIdx.x * {LANES} + threadIdx.x, source = c / multiplier, t = blockIdx.y, r = t;
  int tw = r % ktw; r /= ktw;
  int th = r % kth, td = r / kth;
  i64 share = (count + gridDim.z - 1) / gridDim.z, from = blockIdx.z * share, to = from + share < count ? from + share : count;
  {register} sum = 0;
  if (c < filters) for (i64 i = from + threadIdx.y; i < to; i += {ROWS}) {{
    i64 image = i;
    int zw = image % kpw; image /= kpw;
    int zh = image % kph; image /= kph;
    int zd = image % kpd; image /= kpd;
    int d = zd * kjd - kbd + td * kdd, h = zh * kjh - kbh + th * kdh, w = zw * kjw - kbw + tw * kdw;
    if ((unsigned)d < (unsigned)kld && (unsigned)h < (unsigned)klh && (unsigned)w < (unsigned)klw)
      sum = k_fma(k_load(x, {at("x", "", "source")}), k_load(g, {at("g")}), sum);
  }}
  shared[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y || c >= filters) return;
  for (int y = 1; y < {ROWS}; ++y) sum += shared[y][threadIdx.x];
  out[((i64)blockIdx.z * gridDim.y + t) * filters + c] = sum;
}}
"""  # noqa: E501 - parameters of a kernel stand in one line
    args = [x, g, partial, np.int64(positions), np.int32(filters), *(v for _, v in extra)]
    kernel = compile_kernel(ctx.xp, source, "depthwise_conv_kernel_grad")
    first = Launch(kernel, (tiles, taps, chunks), (LANES, ROWS), args)
    return Launches([first, reduction(ctx, [out], [partial], {"axes": (0,), "keepdims": False}, "sum")])


KERNELS: dict[str, Callable[..., Any]] = {
    "depthwise_conv": depthwise_conv,
    "depthwise_conv_input_grad": depthwise_conv_input_grad,
    "depthwise_conv_kernel_grad": depthwise_conv_kernel_grad,
}
