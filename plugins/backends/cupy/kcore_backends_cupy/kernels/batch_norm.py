"""The sums over a batch that its normalization and the gradient of that need (`kcore_backends_cupy.normalization`):
in parts, in double precision, and their join.

Where channels are neighbours in memory, the threads of a block stand side by side along them. Sums are those of the
distance from the channel's first element, so that a mean far from zero costs no digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from kcore.graph import Node
from kcore_backends_cupy.expressions import normalized
from kcore_backends_cupy.kernels.moving import dense
from kcore_backends_cupy.kernels.reduce import BLOCKS, MOST_PARTS
from kcore_backends_cupy.launch import Launch, Launches, compile_kernel, each, grid_stride
from kcore_backends_cupy.prelude import C_TYPES

if TYPE_CHECKING:
    from kcore_backends_cupy.elementwise import Body

THREADS = 256
SHORTEST = 64  # elements of a channel that are worth a part of their own


class Channels(NamedTuple):
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


def channels_of(shape: Sequence[int], axes: Sequence[int]) -> Channels | None:
    """The channels of an array of this shape, over `axes`; None where other axes lie between those of the channels."""
    size, kept = math.prod(shape), [i for i, n in enumerate(shape) if i not in axes and n > 1]
    if not kept:
        return Channels(1, 1, size)
    first, last = kept[0], kept[-1]
    if any(shape[i] > 1 for i in axes if first < i < last):
        return None
    count = math.prod(shape[first : last + 1])
    return Channels(count, math.prod(shape[last + 1 :]), size // count)


def _parameters(arrays: dict[str, Any]) -> list[str]:
    return [f"{C_TYPES[str(v.dtype)][0]}* {k}" for k, v in arrays.items()]


def _sums(
    ctx: Any, name: str, channels: Channels, parameters: Sequence[str], args: Sequence[Any], setup: str, body: str
) -> tuple[Any, Any]:
    """The parts of two sums for each channel `c`, ``(parts, 2, channels)``, and the launch that computes them: `body`
    adds the element at the place `i` to `a` and `b`."""
    source = f"""
extern "C" __global__ void __launch_bounds__({THREADS}) {name}({", ".join(parameters)}, double* sums, {_NUMBERS}) {{
  __shared__ double first[{THREADS}], second[{THREADS}];
  i64 c = blockIdx.x * (i64)blockDim.x + threadIdx.x, chunk = (elements + gridDim.y - 1) / gridDim.y;
  i64 from = blockIdx.y * chunk, to = from + chunk < elements ? from + chunk : elements;
  double a = 0, b = 0;
  if (c < channels) {{
    {setup}
    for (i64 r = from + threadIdx.y; r < to; r += blockDim.y) {{
      i64 i = {channels.place("c", "r")};
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
    made = ctx.scratch((channels.parts, 2, channels.number), "float64")
    grid = -(-channels.number // channels.side), channels.parts
    block = channels.side, THREADS // channels.side
    kernel = compile_kernel(ctx.xp, source, name)
    return made, Launch(kernel, grid, block, [*args, made, *channels.numbers])


def _join(
    ctx: Any, name: str, channels: Channels, sums: Any, arrays: dict[str, Any], body: str, epsilon: float = 0.0
) -> Any:
    """The launch that uses the sums `a` and `b` of channel `i`."""
    source = grid_stride(
        name,
        f"{', '.join(_parameters(arrays))}, const double* sums, i64 parts, double epsilon, {_NUMBERS}",
        f"""
    double a = 0, b = 0;
    for (i64 k = 0; k < parts; ++k) {{ a += sums[2 * k * channels + i]; b += sums[(2 * k + 1) * channels + i]; }}
    {body}""",
    )
    args = [*arrays.values(), sums, np.int64(channels.parts), np.float64(epsilon), *channels.numbers]
    return each(ctx.xp, source, name, channels.number, args)


def batch_moments(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    x, calls = dense(ctx, ins[0])
    channels = _channels(x, attrs)
    first = x.reshape(-1)[:: channels.step][: channels.number]  # each channel's first element
    body = "double d = k_load(x, i) - pivot; a += d; b += d * d;"
    setup = "double pivot = k_load(x, c * step);"
    sums, add = _sums(ctx, "moments_sums", channels, _parameters({"x": x}), [x], setup, body)
    body = """a /= elements;
    double v = b / elements - a * a;
    v = v < 0 ? 0 : v;
    k_store(mean, i, k_load(first, i * step) + a); k_store(var, i, v); k_store(inv, i, 1.0 / sqrt(v + epsilon));"""
    arrays = {"first": first, **dict(zip(("mean", "var", "inv"), outs, strict=True))}
    return Launches([*calls, add, _join(ctx, "moments", channels, sums, arrays, body, attrs["epsilon"])])


def batch_norm_sums(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    (x, calls), (g, more) = (dense(ctx, v) for v in ins[:2])
    return Launches([*calls, *more, bind_sums(ctx, outs, [x, g, *ins[2:]], attrs, _channels(x, attrs))])


def bind_group_sums(ctx: Any, node: Node, outs: Any, ins: Any, shape: Sequence[int], body: Body) -> Callable[[], Any]:
    """The launches of a group that ends with `batch_norm_sums`: what is added up is computed on the way.

    Args:
        ctx: bind context.
        node: the operation.
        outs, ins: its arrays; None for what the group computes.
        shape: of the elements of the group.
        body: computes the group.
    """
    channels = channels_of(shape, node.attrs["axes"])
    assert channels is not None  # else there would be no such node
    whole = [(v, []) if v is None else dense(ctx, v) for v in ins[:2]]
    calls = [call for _, more in whole for call in more]
    names = [body.names.get(t.key) for t in node.inputs[:2]]
    ins = [*(v for v, _ in whole), *ins[2:]]
    return Launches([*calls, bind_sums(ctx, outs, ins, node.attrs, channels, body, names)])


def bind_sums(
    ctx: Any, outs: Any, ins: Any, attrs: Any, channels: Channels, body: Body | None = None,
    names: Sequence[str | None] = (None, None),
) -> Any:  # fmt: skip
    """The launches of `batch_norm_sums`; `names` are those of `x` and `g` where `body` computes them."""
    dtype = str(outs[2].dtype)
    real = C_TYPES[dtype][1]
    small = dict(zip(("mean", "inv", "gamma", "beta"), ins[2:], strict=False))
    arrays = {k: v for k, v in zip("xg", ins[:2], strict=True) if v is not None} | small
    setup = [f"{'double' if k == 'mean' else real} {k}_c = k_load({k}, c);" for k in small]
    lines = list(body.lines) if body is not None else []
    lines += [f"auto {k}_i = {name or f'k_load({k}, i)'};" for k, name in zip("xg", names, strict=True)]
    if "beta" in small:
        lines.append(f"if (!({normalized(real, 'x_i', 'mean_c', 'inv_c', 'gamma_c', 'beta_c')} > 0)) g_i = 0;")
    lines.append("a += (double)g_i * (x_i - mean_c); b += g_i;")
    parameters = [*(body.parameters if body is not None else ()), *_parameters(arrays)]
    args = [*(body.args if body is not None else ()), *arrays.values()]
    code = "\n      "
    sums, add = _sums(ctx, "norm_sums", channels, parameters, args, " ".join(setup), code.join(lines))
    made = dict(zip(("g_gamma", "g_beta", "along", "level"), outs, strict=True))
    joined = """a *= k_load(inv, i);
    k_store(g_gamma, i, a); k_store(g_beta, i, b); k_store(along, i, a / elements); k_store(level, i, b / elements);"""
    return Launches([add, _join(ctx, "norm_join", channels, sums, {"inv": small["inv"], **made}, joined)])


def _channels(x: Any, attrs: Any) -> Channels:
    found = channels_of(x.shape, attrs["axes"])
    assert found is not None  # else there would be no such node
    return found


KERNELS: dict[str, Callable[..., Any]] = {"batch_moments": batch_moments, "batch_norm_sums": batch_norm_sums}
