"""Large elementwise groups, four neighbouring elements at a time.

A kernel that does little with each element waits for memory. Its threads ask for 16 bytes at once here, so that enough
is on its way, and find the place of four elements by one division along each axis, in 32 bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kcore.graph import Node
from kcore_backends_cupy.launch import Each, each, grid_stride
from kcore_backends_cupy.prelude import C_TYPES

SMALLEST = 1 << 18  # elements; for fewer, all threads of a GPU are worth more
LARGEST = 1 << 31

Compute = Callable[[Sequence[Node], dict[Any, str]], list[str]]


def bind_fours(
    cupy: Any,
    nodes: Sequence[Node],
    inputs: dict[Any, Any],
    outs: dict[Any, Any],
    dims: Sequence[int],
    steps: Sequence[Sequence[int]],
    compute: Compute,
) -> Each | None:
    """The launch of a group; None where it is small, or does not lie in memory by fours.

    Args:
        cupy: the array module.
        nodes: of the group.
        inputs, outs: arrays by key.
        dims, steps: the joined axes, and the strides of all arrays along them.
        compute: gives the lines that compute the nodes of one element.
    """
    count = math.prod(dims)
    if not SMALLEST <= count < LARGEST or dims[-1] % 4:
        return None
    arrays = [*inputs.values(), *outs.values()]
    wide = [_is_wide(a, s) for a, s in zip(arrays, steps, strict=True)]
    if not all(wide[len(inputs) :]):
        return None
    types = [C_TYPES[str(a.dtype)] for a in arrays]
    constant = ["const "] * len(inputs) + [""] * len(outs)
    parameters = [f"{c}{t[0]}* p{i}" for i, (c, t) in enumerate(zip(constant, types, strict=True))]
    axes, numbers = range(len(dims)), [*dims[1:-1], dims[-1] // 4] if len(dims) > 1 else []
    parameters += [f"i64 d{axis}" for axis in axes[1:]]
    head, places = _places(len(dims), steps)
    for i, row in enumerate(steps):
        if places[i] not in ("0", "4 * i"):
            parameters += [f"i64 s{i}_{axis}" for axis in axes]
            numbers += row
    names = {key: f"v{i}" for i, key in enumerate([*inputs, *((n, 0) for n in nodes)])}
    before, inside = [], []
    for i, key in enumerate(inputs):
        memory, register = types[i]
        if wide[i]:
            before.append(f"k_four<{memory}> q{i} = k_load4(p{i}, {places[i]});")
            inside.append(f"{register} {names[key]} = k_load(q{i}.v, k);")
        elif not steps[i][-1]:
            before.append(f"{register} {names[key]} = k_load(p{i}, {places[i]});")
        else:
            inside.append(f"{register} {names[key]} = k_load(p{i}, {places[i]} + k * s{i}_{axes[-1]});")
    inside += compute(nodes, names)
    after = []
    for i, key in enumerate(outs, start=len(inputs)):
        before.append(f"k_four<{types[i][0]}> q{i};")
        inside.append(f"k_store(q{i}.v, k, {names[key]});")
        after.append(f"k_store4(p{i}, {places[i]}, q{i});")
    lines = [*head, *before, "#pragma unroll", "for (int k = 0; k < 4; ++k) {", *inside, "}", *after]
    source = grid_stride("fours", ", ".join(parameters), "\n".join("    " + line for line in lines))
    return each(cupy, source, "fours", count // 4, [*arrays, *map(np.int64, numbers)])


def _is_wide(array: Any, steps: Sequence[int]) -> bool:
    """Whether four neighbours lie side by side, at an address that may be read at once."""
    whole = min(16, 4 * array.itemsize)
    return steps[-1] == 1 and not any(s % 4 for s in steps[:-1]) and array.data.ptr % whole == 0


def _places(rank: int, steps: Sequence[Sequence[int]]) -> tuple[list[str], list[str]]:
    """C++ that finds the axes of the first of four elements, and the place of that in each array."""
    places = ["0" if not any(row) else "4 * i" if list(row) == [1] else "" for row in steps]
    if all(places):
        return [], places
    lines = ["u32 rest = (u32)i;"]
    for axis in range(rank - 1, 0, -1):
        scale = " * 4" if axis == rank - 1 else ""
        lines.append(f"u32 x{axis} = rest % (u32)d{axis}{scale}; rest /= (u32)d{axis};")
    lines.append(f"u32 x0 = rest{' * 4' if rank == 1 else ''};")
    terms = [" + ".join(f"x{axis} * s{i}_{axis}" for axis in range(rank)) for i in range(len(steps))]
    return lines, [place or term for place, term in zip(places, terms, strict=True)]
