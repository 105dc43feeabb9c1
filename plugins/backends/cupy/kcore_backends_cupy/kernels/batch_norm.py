"""Batch normalization in training: sums in parts, in double precision; their join; and one pass that writes.

Where channels are neighbours in memory, the threads of a block stand side by side along them. Sums are those of the
distance from the channel's first element, so that a mean far from zero costs no digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from kcore_backends_cupy.kernels.moving import dense
from kcore_backends_cupy.kernels.reduce import BLOCKS, MOST_PARTS
from kcore_backends_cupy.launch import Launch, Launches, compile_kernel, each, grid_stride
from kcore_backends_cupy.prelude import C_TYPES

THREADS = 256
SHORTEST = 64  # elements of a channel that are worth a part of their own


class _Channels(NamedTuple):
    """How channels lie in an array without gaps.

    Attributes:
        number: how many there are.
        step: elements between neighbouring channels.
        elements: of each channel.
    """

    number: int
    step: int
    elements: int

    @property
    def side(self) -> int:
        """Threads that stand side by side along the channels."""
        return min(32, 1 << (self.number - 1).bit_length()) if self.step == 1 else 1

    @property
    def parts(self) -> int:
        """Into how many parts the elements of a channel are cut."""
        return max(1, min(MOST_PARTS, BLOCKS // -(-self.number // self.side), self.elements // SHORTEST))

    def place(self, channel: str, element: str) -> str:
        """C++: where an element of a channel lies."""
        if self.step == 1:
            return f"{element} * channels + {channel}"
        return f"({element} / step * channels + {channel}) * step + {element} % step"

    @property
    def numbers(self) -> list[Any]:
        """The arguments for `_NUMBERS`."""
        return [np.int64(self.number), np.int64(self.step), np.int64(self.elements)]


_NUMBERS = "i64 channels, i64 step, i64 elements"


def _channels(x: Any, axes: tuple[int, ...]) -> _Channels | None:
    """None where other axes lie between those of the channels."""
    kept = [i for i in range(x.ndim) if i not in axes and x.shape[i] > 1]
    if not kept:
        return _Channels(1, 1, x.size)
    first, last = kept[0], kept[-1]
    if any(x.shape[i] > 1 for i in axes if first < i < last):
        return None
    count = math.prod(x.shape[first : last + 1])
    return _Channels(count, math.prod(x.shape[last + 1 :]), x.size // count)


def _parameters(arrays: dict[str, Any]) -> str:
    return ", ".join(f"{C_TYPES[str(v.dtype)][0]}* {k}" for k, v in arrays.items())


def _sums(ctx: Any, name: str, channels: _Channels, arrays: dict[str, Any], setup: str, body: str) -> tuple[Any, Any]:
    """The parts of two sums for each channel, ``(parts, 2, channels)``, and the launch that computes them: `body` adds
    the element at the place `at` to `a` and `b`."""
    source = f"""
extern "C" __global__ void {name}_sums({_parameters(arrays)}, double* sums, {_NUMBERS}) {{
  __shared__ double first[{THREADS}], second[{THREADS}];
  i64 c = blockIdx.x * (i64)blockDim.x + threadIdx.x, chunk = (elements + gridDim.y - 1) / gridDim.y;
  i64 from = blockIdx.y * chunk, to = from + chunk < elements ? from + chunk : elements;
  double a = 0, b = 0;
  if (c < channels) {{
    {setup}
    for (i64 r = from + threadIdx.y; r < to; r += blockDim.y) {{
      i64 at = {channels.place("c", "r")};
      {body}
    }}
  }}
  int me = threadIdx.y * blockDim.x + threadIdx.x;
  first[me] = a;
  second[me] = b;
  for (int half = blockDim.y / 2; half; half /= 2) {{
    __syncthreads();
    if (threadIdx.y < half) {{
      first[me] += first[me + half * blockDim.x];
      second[me] += second[me + half * blockDim.x];
    }}
  }}
  if (threadIdx.y == 0 && c < channels) {{
    sums[2 * blockIdx.y * channels + c] = first[me];
    sums[(2 * blockIdx.y + 1) * channels + c] = second[me];
  }}
}}
"""
    sums = ctx.scratch((channels.parts, 2, channels.number), "float64")
    grid = -(-channels.number // channels.side), channels.parts
    block = channels.side, THREADS // channels.side
    args = [*arrays.values(), sums, *channels.numbers]
    return sums, Launch(compile_kernel(ctx.xp, source, f"{name}_sums"), grid, block, args)


def _join(
    ctx: Any, name: str, channels: _Channels, sums: Any, arrays: dict[str, Any], body: str, epsilon: float = 0.0
) -> tuple[Any, Any]:
    """Two numbers `p` and `q` for each channel, ``(2, channels)``, and the launch that makes them of the sums `a` and
    `b` of channel `i`."""
    source = grid_stride(
        f"{name}_join",
        f"{_parameters(arrays)}, const double* sums, double* made, i64 parts, double epsilon, {_NUMBERS}",
        f"""
    double a = 0, b = 0, p, q;
    for (i64 k = 0; k < parts; ++k) {{ a += sums[2 * k * channels + i]; b += sums[(2 * k + 1) * channels + i]; }}
    {body}
    made[i] = p;
    made[channels + i] = q;""",
    )
    made = ctx.scratch((2, channels.number), "float64")
    args = [*arrays.values(), sums, made, np.int64(channels.parts), np.float64(epsilon), *channels.numbers]
    return made, each(ctx.xp, source, f"{name}_join", channels.number, args)


def _write(ctx: Any, name: str, channels: _Channels, arrays: dict[str, Any], body: str) -> Any:
    """The launch that computes element `i`, which belongs to channel `c`."""
    channel = "i % channels" if channels.step == 1 else "i / step % channels"
    source = grid_stride(name, f"{_parameters(arrays)}, {_NUMBERS}", f"    i64 c = {channel};\n    {body}")
    count = channels.number * channels.elements
    return each(ctx.xp, source, name, count, [*arrays.values(), *channels.numbers])


def batch_norm(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    channels = _channels(ins[0], attrs["axes"])
    if channels is None or not ins[0].size:
        return _portable("batch_norm", ctx, outs, ins, attrs)
    (x, calls), (gamma, more), (beta, most) = (dense(ctx, a) for a in ins)
    y, mean, var, inv = outs
    pivot = "double pivot = k_load(x, {} * step);"
    body = "double d = k_load(x, at) - pivot; a += d; b += d * d;"
    sums, add = _sums(ctx, "batch_norm", channels, {"x": x}, pivot.format("c"), body)
    body = f"""{pivot.format("i")}
    a /= elements;
    double v = b / elements - a * a;
    v = v < 0 ? 0 : v;
    p = pivot + a;
    q = 1.0 / sqrt(v + epsilon);
    k_store(mean, i, p); k_store(var, i, v); k_store(inv, i, q);"""
    results = {"x": x, "mean": mean, "var": var, "inv": inv}
    made, join = _join(ctx, "batch_norm", channels, sums, results, body, attrs["epsilon"])
    body = "k_store(y, i, (k_load(x, i) - made[c]) * (made[channels + c] * k_load(gamma, c)) + k_load(beta, c));"
    write = _write(ctx, "batch_norm", channels, {"x": x, "gamma": gamma, "beta": beta, "made": made, "y": y}, body)
    return Launches([*calls, *more, *most, add, join, write])


def batch_norm_grad(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    channels = _channels(ins[0], attrs["axes"])
    if channels is None or not ins[0].size:
        return _portable("batch_norm_grad", ctx, outs, ins, attrs)
    whole = [dense(ctx, a) for a in ins]
    x, gamma, mean, inv, g = (a for a, _ in whole)
    gx, g_gamma, g_beta = outs
    arrays = {"x": x, "mean": mean, "inv": inv, "g": g}
    setup = "double m = k_load(mean, c), s = k_load(inv, c);"
    body = "double d = k_load(g, at); a += d * (k_load(x, at) - m) * s; b += d;"
    sums, add = _sums(ctx, "batch_norm_grad", channels, arrays, setup, body)
    body = "k_store(g_gamma, i, a); k_store(g_beta, i, b); p = a / elements; q = b / elements;"
    made, join = _join(ctx, "batch_norm_grad", channels, sums, {"g_gamma": g_gamma, "g_beta": g_beta}, body)
    body = f"""{setup}
    double along = (k_load(x, i) - m) * s * made[c];
    k_store(gx, i, s * k_load(gamma, c) * (k_load(g, i) - made[channels + c] - along));"""
    write = _write(ctx, "batch_norm_grad", channels, {**arrays, "gamma": gamma, "made": made, "gx": gx}, body)
    return Launches([*(call for _, calls in whole for call in calls), add, join, write])


def _portable(name: str, ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    from kcore.graph import get_op

    return get_op(name).bind(ctx, outs, ins, attrs)


KERNELS: dict[str, Callable[..., Any]] = {"batch_norm": batch_norm, "batch_norm_grad": batch_norm_grad}
