"""Operations that move elements: copies between arrays of any strides, each one launch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kcore.graph.index import to_numpy_index
from kcore_backends_cupy.launch import Launches, each, grid_stride
from kcore_backends_cupy.layout import collapse, element_strides
from kcore_backends_cupy.prelude import C_TYPES


def copy_launch(cupy: Any, out: Any, x: Any) -> Any:
    """``out[...] = x``."""
    if not out.size:
        return Launches([])
    dims, (to, source) = collapse(out.shape, [element_strides(out, out.shape), element_strides(x, out.shape)])
    rank = range(len(dims))
    body = ["i64 rest = i, at = 0, from = 0;"]
    for axis in reversed(rank):
        body.append(f"{{ i64 x = rest % d{axis}; rest /= d{axis}; at += x * t{axis}; from += x * s{axis}; }}")
    body.append("k_store(out, at, k_load(in, from));")
    types = C_TYPES[str(out.dtype)][0], C_TYPES[str(x.dtype)][0]
    numbers = ", ".join(f"i64 d{a}, i64 t{a}, i64 s{a}" for a in rank)
    text = grid_stride("copy", f"{types[0]}* out, const {types[1]}* in, {numbers}", "\n".join("    " + b for b in body))
    args = [np.int64(v) for a in rank for v in (dims[a], to[a], source[a])]
    return each(cupy, text, "copy", out.size, [out, x, *args])


def fill_launch(cupy: Any, out: Any, value: Any) -> Any:
    """``out[...] = value``, a number."""
    if not out.size:
        return Launches([])
    dims, (to,) = collapse(out.shape, [element_strides(out, out.shape)])
    rank = range(len(dims))
    body = ["i64 rest = i, at = 0;"]
    body += [f"at += rest % d{axis} * t{axis}; rest /= d{axis};" for axis in reversed(rank)]
    dtype = str(out.dtype)
    number = "double" if dtype.startswith("float") else "i64"
    body.append(f"k_store(out, at, ({C_TYPES[dtype][1]})value);")
    numbers = ", ".join(f"i64 d{a}, i64 t{a}" for a in rank)
    text = grid_stride(
        "fill", f"{C_TYPES[dtype][0]}* out, {number} value, {numbers}", "\n".join("    " + b for b in body)
    )
    given = np.float64(value) if number == "double" else np.asarray(value).astype(dtype).astype("int64")[()]
    return each(cupy, text, "fill", out.size, [out, given, *(np.int64(v) for a in rank for v in (dims[a], to[a]))])


def dense(ctx: Any, x: Any) -> tuple[Any, list[Any]]:
    """`x` without gaps, and the calls that make it so."""
    if x.flags.c_contiguous:
        return x, []
    made = ctx.device.empty(x.shape, str(x.dtype))
    return made, [copy_launch(ctx.xp, made, x)]


def full(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    return fill_launch(ctx.xp, outs[0], attrs["value"])


def moved(view: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel that copies a view of its operand."""

    def bind(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
        return copy_launch(ctx.xp, outs[0], view(ctx.xp, outs[0], ins[0], attrs))

    return bind


def reshape(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    (out,), x = outs, ins[0]
    return copy_launch(ctx.xp, out.reshape(x.shape), x)


def concat(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    axis, start, calls = attrs["axis"], 0, []
    for x in ins:
        part = outs[0][(slice(None),) * axis + (slice(start, start + x.shape[axis]),)]
        calls.append(copy_launch(ctx.xp, part, x))
        start += x.shape[axis]
    return Launches(calls)


def stack(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    before = (slice(None),) * attrs["axis"]
    return Launches([copy_launch(ctx.xp, outs[0][(*before, i)], x) for i, x in enumerate(ins)])


def _blocks(ctx: Any, outs: Any, ins: Any, attrs: Any, repeat_first: bool) -> Callable[[], Any]:
    out, x, reps = outs[0], ins[0], attrs["reps"]
    pairs = [(r, n) if repeat_first else (n, r) for r, n in zip(reps, x.shape, strict=True)]
    ones = [(1, n) if repeat_first else (n, 1) for n in x.shape]
    return copy_launch(ctx.xp, out.reshape([d for p in pairs for d in p]), x.reshape([d for p in ones for d in p]))


def tile(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    return _blocks(ctx, outs, ins, attrs, True)


def repeat(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    return _blocks(ctx, outs, ins, attrs, False)


def pad(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    inside = tuple(slice(b, b + n) for (b, _), n in zip(attrs["padding"], ins[0].shape, strict=True))
    return Launches([fill_launch(ctx.xp, outs[0], attrs["value"]), copy_launch(ctx.xp, outs[0][inside], ins[0])])


def slice_grad(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    part = outs[0][(*to_numpy_index(attrs["items"]), ...)]
    return Launches([fill_launch(ctx.xp, outs[0], 0), copy_launch(ctx.xp, part, ins[0])])


KERNELS: dict[str, Callable[..., Any]] = {
    "full": full,
    "reshape": reshape,
    "concat": concat,
    "stack": stack,
    "tile": tile,
    "repeat": repeat,
    "pad": pad,
    "slice_grad": slice_grad,
    "transpose": moved(lambda xp, out, x, attrs: x.transpose(attrs["perm"])),
}
