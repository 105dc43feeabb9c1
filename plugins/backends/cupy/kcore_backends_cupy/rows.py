"""Groups with operations on rows: one generated kernel that computes a row of each value at a time.

The threads of a line of a block have one column each, and meet in shared memory where a row is reduced. Softmax, a
crossentropy, its gradient and the mean over samples are few launches so, and none of what lies between is stored.
See `kcore.compile.rows` for what such a group may hold. Operands are loaded before anything is stored.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from kcore.compile import Instruction
from kcore.graph import Node, Tensor
from kcore_backends_cupy.expressions import expression
from kcore_backends_cupy.kernels.reduce import accumulator
from kcore_backends_cupy.launch import Launch, compile_kernel
from kcore_backends_cupy.layout import collapse, element_strides
from kcore_backends_cupy.prelude import C_TYPES

THREADS = 256
LONGEST = 1024  # columns of a row: threads of a block

_JOINS = {
    "sum": "a + b",
    "prod": "a * b",
    "max": "k_max<T>(a, b)",
    "min": "k_min<T>(a, b)",
    "all": "a && b",
    "any": "a || b",
}
_NEUTRAL = {"sum": "0", "prod": "1", "all": "true", "any": "false"}
_JOIN = """
template <typename T> __device__ inline T k_row_{name}(T v, char* memory) {{
  T* line = (T*)memory + threadIdx.y * blockDim.x;
  __syncthreads();
  line[threadIdx.x] = v;
  for (int half = blockDim.x / 2; half; half /= 2) {{
    __syncthreads();
    if (threadIdx.x < half) {{
      T a = line[threadIdx.x], b = line[threadIdx.x + half];
      line[threadIdx.x] = {join};
    }}
  }}
  __syncthreads();
  return line[0];
}}
"""


class _Access(NamedTuple):
    """How an operand or a result is reached: its array, and its strides along rows and columns."""

    array: Any
    lead: tuple[int, ...]
    column: int


def _access(array: Any, shape: Sequence[int], elements: Sequence[int]) -> _Access:
    """`array`, broadcast to `shape`: that of the elements of a group, or of its row values."""
    steps = element_strides(array, shape)
    if tuple(shape) == tuple(elements):
        return _Access(array, steps[:-1], steps[-1])
    return _Access(array, steps[: len(elements) - 1], 0)


def bind_rows(
    cupy: Any, instruction: Instruction, outs: Sequence[Any], arrays: Callable[[Tensor], Any]
) -> Callable[[], Any]:
    """The launch that computes a group with row values."""
    elements: tuple[int, ...] = instruction.shape  # type: ignore[assignment]
    rows, columns = math.prod(elements[:-1]), elements[-1]
    group = _Group(instruction, elements, arrays)
    stores = [
        (name, group.reach(_access(array, node.specs[k].sizes, elements)), node.specs[k].shape == elements)
        for (node, k), array in zip(instruction.outs, outs, strict=True)
        for name in [group.names[(node, k)]]
    ]
    loads = group.loads
    dims, steps = collapse(elements[:-1], [a.lead for a in group.accesses])
    parameters, places, numbers = _reached(group.accesses, dims, steps, columns)
    body = [
        f"{C_TYPES[str(group.accesses[k].array.dtype)][1]} {name} = k_load(p{k}, {places[k]});" for name, k in loads
    ]
    body += group.lines
    body += [
        f"if (inside{'' if whole else ' && threadIdx.x == 0'}) k_store(p{k}, {places[k]}, {name});"
        for name, k, whole in stores
    ]
    lanes = 1 << (columns - 1).bit_length()
    block = lanes, max(1, THREADS // lanes)
    source = _source(group, parameters, len(dims), body, math.prod(block))
    args = [np.int64(rows), np.int64(columns), *(a.array for a in group.accesses), *map(np.int64, numbers)]
    kernel = compile_kernel(cupy, source, "rows")
    return Launch(kernel, (-(-rows // block[1]),), block, args)


def _reached(
    accesses: Sequence[_Access], dims: Sequence[int], steps: Sequence[Sequence[int]], columns: int
) -> tuple[list[str], list[str], list[int]]:
    """Parameters of the kernel, places of the accesses in it, and numbers to hand over."""
    parameters = [f"{C_TYPES[str(a.array.dtype)][0]}* p{k}" for k, a in enumerate(accesses)]
    numbers = list(dims[1:])
    parameters += [f"i64 d{axis}" for axis in range(1, len(dims))]
    places = []
    simple = {(columns, 1): "r * columns + c", (1, 0): "r", (0, 1): "c", (0, 0): "0"}
    for k, (access, lead) in enumerate(zip(accesses, steps, strict=True)):
        place = simple.get((lead[0], access.column)) if len(dims) == 1 else None
        if place is None:
            terms = [f"x{axis} * s{k}_{axis}" for axis in range(len(dims))]
            place = " + ".join([*terms, f"c * s{k}_c"])
            parameters += [f"i64 s{k}_{axis}" for axis in range(len(dims))] + [f"i64 s{k}_c"]
            numbers += [*lead, access.column]
        places.append(place)
    return parameters, places, numbers


def _source(group: _Group, parameters: Sequence[str], rank: int, body: Sequence[str], threads: int) -> str:
    place = ["i64 rest = r;"]
    for axis in range(rank - 1, 0, -1):
        place.append(f"i64 x{axis} = rest % d{axis}; rest /= d{axis};")
    place.append("i64 x0 = rest;")
    joins = "".join(_JOIN.format(name=name, join=_JOINS[name]) for name in sorted(group.joins))
    lines = "\n".join("  " + line for line in [*place, *body])
    return f"""{joins}
extern "C" __global__ void __launch_bounds__({threads}) rows(i64 rows, i64 columns, {", ".join(parameters)}) {{
  __shared__ double memory[{threads}];
  i64 row = blockIdx.x * (i64)blockDim.y + threadIdx.y;
  bool inside = row < rows && threadIdx.x < columns;
  i64 r = row < rows ? row : 0, c = threadIdx.x < columns ? threadIdx.x : 0;  // the others repeat what exists
{lines}
}}
"""


class _Group:
    """The lines that compute the nodes of a group, and the accesses that they need."""

    def __init__(self, instruction: Instruction, elements: tuple[int, ...], arrays: Callable[[Tensor], Any]):
        self.elements, self._arrays = elements, arrays
        self.accesses: list[_Access] = []
        self.loads: list[tuple[str, int]] = []
        self.lines: list[str] = []
        self.joins: set[str] = set()
        self.names: dict[Any, str] = {(node, 0): f"v{i}" for i, node in enumerate(instruction.nodes)}
        self._loaded: dict[Any, str] = {}
        for node in instruction.nodes:
            self._compute(node)

    def reach(self, access: _Access) -> int:
        self.accesses.append(access)
        return len(self.accesses) - 1

    def _operand(self, t: Tensor, shape: Sequence[int]) -> str:
        """The name of an operand, seen as part of values of `shape`."""
        name = self.names.get(t.key)
        if name is not None:
            return name
        name = self._loaded.get((t.key, tuple(shape)))
        if name is None:
            name = self._loaded[(t.key, tuple(shape))] = f"u{len(self.loads)}"
            self.loads.append((name, self.reach(_access(self._arrays(t), shape, self.elements))))
        return name

    def _compute(self, node: Node) -> None:
        out = node.specs[0].dtype
        name = node.op.name
        if node.op.elementwise:
            value = expression(node, [self._operand(t, node.specs[0].sizes) for t in node.inputs])
        elif name == "pick":
            x, index = self._operand(node.inputs[0], self.elements), self._operand(node.inputs[1], self.elements[:-1])
            value = self._joined("sum", C_TYPES[out][1], f"c == {_column(index)} ? {x} : 0", "0")
        elif name == "pick_grad":
            g, index = (self._operand(t, self.elements[:-1]) for t in node.inputs[:2])
            value = f"c == (i64){index} ? {g} : 0"
        else:
            x = self._operand(node.inputs[0], self.elements)
            given = node.inputs[0].dtype
            value = self._of_row(name, x, given, out)
        register = C_TYPES[out][1]
        if out == "float16" and not node.op.elementwise:
            value = f"k_half({value})"
        self.lines.append(f"{register} {self.names[(node, 0)]} = ({register})({value});")

    def _joined(self, name: str, ctype: str, value: str, neutral: str | None = None) -> str:
        """A call that joins what the threads of a row have; threads beyond the last column have `neutral`, or the
        value of the first column."""
        self.joins.add(name)
        value = value if neutral is None else f"inside ? ({ctype})({value}) : ({ctype}){neutral}"
        return f"k_row_{name}<{ctype}>({value}, (char*)memory)"

    def _of_row(self, name: str, x: str, given: str, out: str) -> str:
        if name in ("softmax", "log_softmax", "logsumexp"):
            return self._exponential(name, x, C_TYPES[out][1])
        if name in ("argmax", "argmin"):  # the first column that has the extremum, or is not a number
            top = self._value(C_TYPES[given][1], self._joined(name[3:], C_TYPES[given][1], x))
            return self._joined("min", "i64", f"{x} == {top} || {x} != {x} ? c : columns")
        acc = C_TYPES[accumulator(name, given, out)][1]
        join = "sum" if name == "mean" else name
        element = f"{x} != 0" if name in ("all", "any") else x
        value = self._joined(join, acc, element, _NEUTRAL.get(join))
        return f"{value} / ({acc})columns" if name == "mean" else value

    def _exponential(self, name: str, x: str, ctype: str) -> str:
        """The largest is taken out first, so that nothing overflows."""
        top = self._value(ctype, self._joined("max", ctype, x))
        if name == "logsumexp":
            top = self._value(ctype, f"{top} - {top} == 0 ? {top} : 0")
        distance = self._value(ctype, f"{x} - {top}")
        total = self._value(ctype, self._joined("sum", ctype, f"k_exp({distance})", "0"))
        if name == "logsumexp":
            return f"k_log({total}) + {top}"
        return f"k_exp({distance}) / {total}" if name == "softmax" else f"{distance} - k_log({total})"

    def _value(self, ctype: str, value: str) -> str:
        """The name of an intermediate value."""
        name = f"w{len(self.lines)}"
        self.lines.append(f"{ctype} {name} = {value};")
        return name


def _column(index: str) -> str:
    """A class number; one out of range stands for the first, as in the kernel of `pick`."""
    return f"((i64){index} < 0 || (i64){index} >= columns ? 0 : (i64){index})"
