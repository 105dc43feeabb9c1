"""Fused elementwise groups: each becomes one generated kernel.

The source depends on the operations, dtypes and the manner in which operands are reached (in step with the result,
as one number, or by strides along so many axes), not on sizes: those are arguments. So a model needs few kernels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from kcore.compile import Instruction
from kcore.compile.rows import elements_of
from kcore.graph import Node, Tensor
from kcore_backends_cupy.expressions import expression
from kcore_backends_cupy.fours import LARGEST, bind_fours
from kcore_backends_cupy.kernels.batch_norm import bind_group_sums
from kcore_backends_cupy.kernels.reduce import bind_reduced
from kcore_backends_cupy.launch import Launch, each, grid_stride
from kcore_backends_cupy.layout import collapse, element_strides
from kcore_backends_cupy.prelude import C_TYPES
from kcore_backends_cupy.rows import LONGEST, bind_rows


class Body(NamedTuple):
    """What a kernel does for element `i` of a group.

    Attributes:
        parameters: of the kernel, ``type name`` each.
        args: what they are given.
        lines: C++; in the end every value has been stored.
        names: of the values, by key.
    """

    parameters: list[str]
    args: list[Any]
    lines: list[str]
    names: dict[Any, str]


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
    count = math.prod(nodes[0].specs[0].sizes)
    if not count:
        return _nothing
    by_fours = _by_fours(cupy, nodes, outs, arrays)
    if by_fours is not None:
        return by_fours
    body = body_of(nodes, outs, arrays)
    source = grid_stride("group", ", ".join(body.parameters), "\n".join("    " + line for line in body.lines))
    return each(cupy, source, "group", count, body.args)


def _by_fours(cupy: Any, nodes: Sequence[Node], outs: dict[Any, Any], arrays: Callable[[Tensor], Any]) -> Launch | None:
    inputs, dims, steps = _operands(nodes, outs, arrays)
    return bind_fours(cupy, nodes, inputs, outs, dims, steps, _computed)


def _operands(
    nodes: Sequence[Node], outs: dict[Any, Any], arrays: Callable[[Tensor], Any]
) -> tuple[dict[Any, Any], list[int], list[list[int]]]:
    """The arrays from outside by key, the joined axes, and the strides of those arrays and of `outs` along them."""
    shape, own = nodes[0].specs[0].sizes, set(nodes)
    operands = {t.key: t for n in nodes for t in n.inputs if t.node not in own}
    inputs = {key: arrays(t) for key, t in operands.items()}
    return inputs, *collapse(shape, [element_strides(a, shape) for a in [*inputs.values(), *outs.values()]])


def body_of(nodes: Sequence[Node], outs: dict[Any, Any], arrays: Callable[[Tensor], Any]) -> Body:
    """See `Body`; the arguments are those of `bind_nodes`."""
    inputs, dims, steps = _operands(nodes, outs, arrays)
    manners = [_manner(s, len(dims)) for s in steps]
    names = {key: f"v{i}" for i, key in enumerate([*inputs, *((n, 0) for n in nodes)])}
    parameters, lines = _lines(nodes, names, inputs, outs, manners, len(dims), math.prod(dims) < LARGEST)
    args: list[Any] = [*inputs.values(), *outs.values()]
    if "strided" in manners:
        args += [np.int64(d) for d in dims[1:]]
        args += [np.int64(s) for how, row in zip(manners, steps) if how == "strided" for s in row]
    return Body(parameters, args, lines, names)


def bind_group(
    ctx: Any, instruction: Instruction, outs: Sequence[Any], arrays: Callable[[Tensor], Any]
) -> Callable[[], Any]:
    """See `kcore.runtime.device.Device.bind_group`."""
    cupy = ctx.xp
    by_key = dict(zip(instruction.outs, outs, strict=True))
    others = [n for n in instruction.nodes if not n.op.elementwise or n.specs[0].shape != instruction.shape]
    if not others:
        return bind_nodes(cupy, instruction.nodes, by_key, arrays)
    if len(others) > 1 or elements_of(others[0], LONGEST):
        return bind_rows(cupy, instruction, outs, arrays)
    (last,) = others
    result, *more = [by_key.pop((last, k)) for k in range(len(last.specs))]
    nodes = [n for n in instruction.nodes if n is not last]
    body = body_of(nodes, by_key, arrays)
    if last.op.name == "batch_norm_sums":
        own = set(nodes)
        ins = [None if t.node in own else arrays(t) for t in last.inputs]
        return bind_group_sums(ctx, last, [result, *more], ins, nodes[0].specs[0].sizes, body)
    return bind_reduced(ctx, last, result, nodes[0].specs[0].sizes, body)


def _nothing() -> None:
    """What is to be computed has no elements."""


def _manner(steps: list[int], rank: int) -> str:
    if not any(steps):
        return "single"
    return "flat" if rank == 1 and steps[0] == 1 else "strided"


def _lines(
    nodes: Sequence[Node],
    names: dict[Any, str],
    inputs: dict[Any, Any],
    outs: dict[Any, Any],
    manners: list[str],
    rank: int,
    short: bool,
) -> tuple[list[str], list[str]]:
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
        index = "u32" if short else "i64"  # division of 32 bits is several times as fast
        body.append(f"{index} rest = i;")
        for axis in range(rank - 1, 0, -1):
            body.append(f"{index} x{axis} = rest % ({index})d{axis}; rest /= ({index})d{axis};")
        body.append(f"{index} x0 = rest;")
        for i, how in enumerate(manners):
            if how == "strided":
                parameters += [f"i64 s{i}_{axis}" for axis in range(rank)]
                places[i] = " + ".join(f"x{axis} * s{i}_{axis}" for axis in range(rank))
    for i, key in enumerate(inputs):
        body.append(f"{C_TYPES[dtypes[i]][1]} {names[key]} = k_load(p{i}, {places[i]});")
    body += _computed(nodes, names)
    for i, key in enumerate(keys[len(inputs) :], start=len(inputs)):
        body.append(f"k_store(p{i}, {places[i]}, {names[key]});")
    return parameters, body


def _computed(nodes: Sequence[Node], names: dict[Any, str]) -> list[str]:
    """The lines that compute the nodes of one element, from the names of operands to those of results."""
    lines = []
    for node in nodes:
        value = expression(node, [names[t.key] for t in node.inputs])
        lines.append(f"{C_TYPES[node.specs[0].dtype][1]} {names[(node, 0)]} = {value};")
    return lines
