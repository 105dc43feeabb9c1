"""Reductions: the threads of a block share the elements of a result, and meet in shared memory.

Where neighbouring results have neighbouring elements (sums over rows), up to 32 threads stand side by side along the
results, so that they read whole lines of memory. A long reduction to few results is cut into parts, whose results a
second launch joins.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from kcore.graph import Node, get_op
from kcore_backends_cupy.kernels.moving import copy_launch
from kcore_backends_cupy.launch import Launch, Launches, compile_kernel
from kcore_backends_cupy.layout import Dense, collapse, element_strides
from kcore_backends_cupy.prelude import C_TYPES

if TYPE_CHECKING:
    from kcore_backends_cupy.elementwise import Body

BLOCKS = 1024  # that keep a large GPU busy
MOST_PARTS = 256
LONG = 1 << 14  # elements of one result from which a reduction is cut into parts

# The place of element i of up to three joined axes.
PLACE = """
__device__ inline i64 k_place(i64 i, i64 d1, i64 d2, i64 s0, i64 s1, i64 s2) {
  return i / d2 / d1 * s0 + i / d2 % d1 * s1 + i % d2 * s2;
}
"""
AXES = "i64 kd1, i64 kd2, i64 ks0, i64 ks1, i64 ks2, i64 n, i64 rd1, i64 rd2, i64 rs0, i64 rs1, i64 rs2"


class _Rule(NamedTuple):
    start: str
    join: str  # of a and b
    element: str = "x"
    end: str = "a"


_RULES = {
    "sum": _Rule("0", "a + b"),
    "mean": _Rule("0", "a + b", end="a / (acc_t)total"),
    "prod": _Rule("1", "a * b"),
    "max": _Rule("x", "k_max<acc_t>(a, b)"),
    "min": _Rule("x", "k_min<acc_t>(a, b)"),
    "all": _Rule("true", "a && b", "x != 0"),
    "any": _Rule("false", "a || b", "x != 0"),
}


def kept_and_reduced(x: Any, axes: tuple[int, ...]) -> tuple[int, int, list[Any], int, int] | None:
    """How `x` is seen by a reduction: results, elements of each, arguments for `AXES`, and the innermost strides of
    both; None where more than three axes cannot be joined."""
    full = element_strides(x, x.shape)
    kept = [i for i in range(x.ndim) if i not in axes]
    parts = []
    for chosen in (kept, list(axes)):
        dims, (steps,) = collapse([x.shape[i] for i in chosen], [tuple(full[i] for i in chosen)])
        if len(dims) > 3:
            return None
        dims, steps = [1] * (3 - len(dims)) + dims, [0] * (3 - len(steps)) + steps
        parts.append([dims[1], dims[2], *steps])
    results, count = (math.prod(x.shape[i] for i in chosen) for chosen in (kept, axes))
    numbers = [np.int64(v) for v in (*parts[0], count, *parts[1])]
    return results, count, numbers, parts[0][-1], parts[1][-1]


def accumulator(name: str, given: str, out: str) -> str:
    """The dtype in which a reduction adds up."""
    if name in ("all", "any"):
        return "bool"
    if name in ("max", "min"):
        return given
    if out.startswith("float"):
        return "float32" if out == "float16" else out
    return "float64" if name == "mean" else "int64" if out != "uint64" else "uint64"


class Element(NamedTuple):
    """How a reduction gets at an element: from memory, or by computing it.

    Attributes:
        parameters, args: of the kernel, and what they are given.
        code: C++ that sets `x` to the element at the place `i`.
    """

    parameters: Sequence[str]
    args: Sequence[Any]
    code: str


def _in_memory(x: Any) -> Element:
    return Element([f"const {C_TYPES[str(x.dtype)][0]}* in"], [x], "x = k_load(in, i);")


def _source(rule: _Rule, element: Element, given: str, acc: str, out: str, last: bool) -> str:
    def load(r: str) -> str:
        return f"{{ i64 i = base + k_place({r}, rd1, rd2, rs0, rs1, rs2);\n    {element.code} }}"

    parameters = ", ".join([*element.parameters, "out_t* out", "i64 results", "i64 total", AXES])
    return f"""{PLACE}
typedef {C_TYPES[acc][1]} acc_t;
typedef {C_TYPES[out][0]} out_t;
extern "C" __global__ void reduce({parameters}) {{
  __shared__ acc_t shared[256];
  i64 k = blockIdx.x * (i64)blockDim.x + threadIdx.x;
  i64 chunk = (n + gridDim.y - 1) / gridDim.y, from = blockIdx.y * chunk, to = from + chunk < n ? from + chunk : n;
  int at = threadIdx.y * blockDim.x + threadIdx.x;
  acc_t a = 0;
  if (k < results) {{
    i64 base = k_place(k, kd1, kd2, ks0, ks1, ks2);
    {C_TYPES[given][1]} x;
    {load("from < n ? from : 0") if rule.start == "x" else ""}
    a = {rule.start};
    for (i64 r = from + threadIdx.y; r < to; r += blockDim.y) {{
      {load("r")}
      acc_t b = {rule.element};
      a = {rule.join};
    }}
  }}
  shared[at] = a;
  for (int half = blockDim.y / 2; half; half /= 2) {{
    __syncthreads();
    if (threadIdx.y < half) {{
      acc_t b = shared[at + half * blockDim.x];
      a = shared[at];
      shared[at] = {rule.join};
    }}
  }}
  if (threadIdx.y == 0 && k < results) {{
    a = shared[at];
    k_store(out, blockIdx.y * results + k, {rule.end if last else "a"});
  }}
}}
"""


def reduction(ctx: Any, outs: Any, ins: Any, attrs: Any, name: str) -> Callable[[], Any]:
    (out,), (x,) = outs, ins
    found = kept_and_reduced(x, attrs["axes"]) if x.size else None
    if found is None and (not x.size or x.flags.c_contiguous):
        return get_op(name).bind(ctx, outs, ins, attrs)
    if found is None:  # too many axes, in too many directions
        whole = ctx.scratch(x.shape, str(x.dtype))
        return Launches([copy_launch(ctx.xp, whole, x), reduction(ctx, outs, [whole], attrs, name)])
    return _reduce(ctx, name, out, _in_memory(x), str(x.dtype), found)


def bind_reduced(ctx: Any, node: Node, out: Any, shape: tuple[int, ...], body: Body) -> Callable[[], Any]:
    """The launch of a group that ends with a reduction: what is added up is computed on the way.

    Args:
        ctx: bind context.
        node: the reduction, of a kind in `kcore.compile.rows.ENDS`: each element is looked at once.
        out: its result.
        shape: of the elements of the group.
        body: computes the group.
    """
    (source,) = node.inputs
    code = "\n      ".join([*body.lines, f"x = {body.names[source.key]};"])
    found = kept_and_reduced(Dense(shape), node.attrs["axes"])
    assert found is not None  # such a group has six axes at most: three of each kind
    element = Element(body.parameters, body.args, code)
    return _reduce(ctx, node.op.name, out, element, source.dtype, found)


def _reduce(ctx: Any, name: str, out: Any, element: Element, given: str, found: Any) -> Callable[[], Any]:
    results, count, numbers, inner_kept, inner_reduced = found
    target = str(out.dtype)
    acc = accumulator(name, given, target)
    side = min(32, 1 << (results - 1).bit_length()) if inner_kept == 1 and inner_reduced != 1 else 1
    block = (side, 256 // side if count >= 256 // side else max(1, 1 << max(0, count - 1).bit_length()))
    rule = _RULES[name]
    blocks = -(-results // side)
    if count < LONG or blocks > BLOCKS // 2 or rule.element != "x":
        source = _source(rule, element, given, acc, target, True)
        args = [*element.args, out, np.int64(results), np.int64(count), *numbers]
        return Launch(compile_kernel(ctx.xp, source, "reduce"), (blocks,), block, args)
    parts = min(MOST_PARTS, 1 << (BLOCKS // blocks).bit_length() - 1)
    partial = ctx.scratch((parts, results), acc)
    first = _source(rule, element, given, acc, acc, False)
    args = [*element.args, partial, np.int64(results), np.int64(count), *numbers]
    start = Launch(compile_kernel(ctx.xp, first, "reduce"), (blocks, parts), block, args)
    second = _source(rule, _in_memory(partial), acc, acc, target, True)
    numbers = [np.int64(v) for v in (1, results, 0, 0, 1, parts, 1, parts, 0, 0, results)]
    args = [partial, out, np.int64(results), np.int64(count), *numbers]
    return Launches([start, Launch(compile_kernel(ctx.xp, second, "reduce"), (results,), (1, parts), args)])
