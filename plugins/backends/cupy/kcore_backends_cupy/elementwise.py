"""Fused elementwise groups: each becomes one generated kernel.

The source depends on the operations, dtypes and the manner in which operands are reached (in step with the result,
as one number, or by strides along so many axes), not on sizes: those are arguments. So a model needs few kernels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kcore.compile import Instruction
from kcore.graph import Node, Tensor
from kcore_backends_cupy.expressions import expression
from kcore_backends_cupy.launch import Launch, each, grid_stride
from kcore_backends_cupy.layout import collapse, element_strides
from kcore_backends_cupy.prelude import C_TYPES
from kcore_backends_cupy.rows import bind_rows, is_elementwise


def bind_nodes(
    cupy: Any, nodes: Sequence[Node], outs: dict[Any, Any], arrays: Callable[[Tensor], Any]
) -> Launch | Callable[[], None]:
    """The launch that computes elementwise nodes of one shape.

    Args:
        cupy: the array module.
        nodes: inputs before readers.
        outs: arrays of the values that are kept, by key.
        arrays: gives the array of a tensor from outside.
    """
    shape = nodes[0].specs[0].sizes
    count = math.prod(shape)
    if not count:
        return _nothing
    own = set(nodes)
    operands = {t.key: t for n in nodes for t in n.inputs if t.node not in own}
    inputs = {key: arrays(t) for key, t in operands.items()}
    every = [*inputs.values(), *outs.values()]
    dims, steps = collapse(shape, [element_strides(a, shape) for a in every])
    manners = [_manner(s, len(dims)) for s in steps]
    names = {key: f"v{i}" for i, key in enumerate([*inputs, *((n, 0) for n in nodes)])}
    source = _source(nodes, names, inputs, outs, manners, len(dims))
    args: list[Any] = list(every)
    if "strided" in manners:
        args += [np.int64(d) for d in dims[1:]]
        args += [np.int64(s) for how, row in zip(manners, steps) if how == "strided" for s in row]
    return each(cupy, source, "group", count, args)


def bind_group(
    cupy: Any, instruction: Instruction, outs: Sequence[Any], arrays: Callable[[Tensor], Any]
) -> Callable[[], Any]:
    """See `kcore.runtime.device.Device.bind_group`."""
    if not is_elementwise(instruction):
        return bind_rows(cupy, instruction, outs, arrays)
    return bind_nodes(cupy, instruction.nodes, dict(zip(instruction.outs, outs, strict=True)), arrays)


def _nothing() -> None:
    """What is to be computed has no elements."""


def _manner(steps: list[int], rank: int) -> str:
    if not any(steps):
        return "single"
    return "flat" if rank == 1 and steps[0] == 1 else "strided"


def _source(
    nodes: Sequence[Node],
    names: dict[Any, str],
    inputs: dict[Any, Any],
    outs: dict[Any, Any],
    manners: list[str],
    rank: int,
) -> str:
    keys = [*inputs, *outs]
    dtypes = [str(a.dtype) for a in (*inputs.values(), *outs.values())]
    parameters = []
    for i, dtype in enumerate(dtypes):
        const = "const " if i < len(inputs) else ""
        parameters.append(f"{const}{C_TYPES[dtype][0]}* p{i}")
    body: list[str] = []
    places = ["i" if how == "flat" else "0" for how in manners]
    if "strided" in manners:
        parameters += [f"i64 d{axis}" for axis in range(1, rank)]
        body.append("i64 rest = i;")
        for axis in range(rank - 1, 0, -1):
            body.append(f"i64 x{axis} = rest % d{axis}; rest /= d{axis};")
        body.append("i64 x0 = rest;")
        for i, how in enumerate(manners):
            if how == "strided":
                parameters += [f"i64 s{i}_{axis}" for axis in range(rank)]
                places[i] = " + ".join(f"x{axis} * s{i}_{axis}" for axis in range(rank))
    for i, key in enumerate(inputs):
        body.append(f"{C_TYPES[dtypes[i]][1]} {names[key]} = k_load(p{i}, {places[i]});")
    for node in nodes:
        value = expression(node, [names[t.key] for t in node.inputs])
        body.append(f"{C_TYPES[node.specs[0].dtype][1]} {names[(node, 0)]} = {value};")
    for i, key in enumerate(keys[len(inputs) :], start=len(inputs)):
        body.append(f"k_store(p{i}, {places[i]}, {names[key]});")
    return grid_stride("group", ", ".join(parameters), "\n".join("    " + line for line in body))
