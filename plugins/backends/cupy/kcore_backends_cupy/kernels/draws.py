"""Random numbers out of random bits, by the formulas of `kcore.ops.random`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from kcore.graph import get_op
from kcore.ops import random as portable
from kcore_backends_cupy.launch import Launches, each, grid_stride
from kcore_backends_cupy.prelude import C_TYPES
from kcore_backends_cupy.random_bits import Draw

# In [0, 1): 53 bits of a word, or 24 of half a word.
_UNIT = """
__device__ inline double k_unit(const u64* bits, i64 i, double) { return (bits[i] >> 11) * 1.1102230246251565e-16; }
__device__ inline float k_unit(const u64* bits, i64 i, float) {
  return (((const u32*)bits)[i] >> 8) * 5.9604644775390625e-08f;
}
"""
_UNIFORM = """
    unit_t v = k_unit(bits, i, (unit_t)0) * (unit_t)scale + (unit_t)offset;
    k_store(out, i, {value});"""
_NORMAL = """
    unit_t radius = k_sqrt((unit_t)-2 * k_log1p(-k_unit(bits, i, (unit_t)0)));
    unit_t angle = k_unit(bits, n + i, (unit_t)0) * (unit_t)6.283185307179586;
    k_store(out, i, radius * k_cos(angle) * (unit_t)scale + (unit_t)offset);
    if (n + i < size) k_store(out, n + i, radius * k_sin(angle) * (unit_t)scale + (unit_t)offset);"""


def _horner(coefficients: tuple[float, ...]) -> str:
    text = repr(coefficients[0])
    for c in coefficients[1:]:
        text = f"({text} * r + {c!r})"
    return text


_TRUNCATED = f"""
    double q = k_unit(bits, i, (unit_t)0) * {1.0 - 2.0 * portable._P_LOW!r} + {portable._P_LOW!r} - 0.5, r = q * q;
    double v = q * {_horner(portable._A)} / ({_horner(portable._B)} * r + 1.0);
    k_store(out, i, k_min(k_max(v, -2.0), 2.0) * scale + offset);"""


def random_number(ctx: Any, outs: Any, ins: Any, attrs: Any, name: str) -> Callable[[], Any]:
    op: Any = get_op(name)
    (out,) = outs
    words = op.words(out.size, attrs)
    if not words:
        return Launches([])
    dtype, count = str(out.dtype), out.size
    unit = "double" if dtype in ("float64", "int64") else "float"
    if name == "random_uniform":
        body = _UNIFORM.format(value="v" if dtype.startswith("float") else "k_floor(v)")
        scale, offset = attrs["high"] - attrs["low"], attrs["low"]
    else:
        scale, offset = attrs["stddev"], attrs["mean"]
        body = _TRUNCATED if attrs["truncated"] else _NORMAL
        unit = "double" if attrs["truncated"] else unit
        count = out.size if attrs["truncated"] else -(-out.size // 2)
    parameters = f"const u64* bits, {C_TYPES[dtype][0]}* out, i64 size, double scale, double offset"
    source = f"typedef {unit} unit_t;{_UNIT}{grid_stride(name, parameters, body)}"
    bits = ctx.scratch((words,), "uint64")
    args = [bits, out, np.int64(out.size), np.float64(scale), np.float64(offset)]
    return Launches([Draw(ctx, attrs["stream"], words).bits(bits), each(ctx.xp, source, name, count, args)])


def random_mask(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    """`value` with probability `keep`, else 0: sixteen elements from each block of bits."""
    out = outs[0]
    if not out.size:
        return Launches([])
    dtype = str(out.dtype)
    source = grid_stride(
        "mask",
        f"u64 seed, const u64* counter, {C_TYPES[dtype][0]}* out, i64 size, u32 threshold, double value",
        """
    u64 block[4];
    k_philox(seed, *counter + i, block);
    for (int k = 0; k < 16; ++k) {
      u32 bits = (u32)(block[k / 4] >> (16 * (k % 4))) & 0xffffu;
      if (16 * i + k < size) k_store(out, 16 * i + k, bits < threshold ? value : 0.0);
    }""",
    )
    threshold = np.uint32(round(attrs["keep"] * 65536))
    draw = Draw(ctx, attrs["stream"], -(-out.size // 4))
    return draw.per_block(source, "mask", [out, np.int64(out.size), threshold, np.float64(attrs["value"])])


KERNELS: dict[str, Callable[..., Any]] = {
    "random_mask": random_mask,
    **{name: partial(random_number, name=name) for name in ("random_uniform", "random_normal")},
}
