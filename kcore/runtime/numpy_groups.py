"""Fused elementwise groups on the NumPy device.

A group is computed piece by piece: a piece is small enough that its values stay in the cache from one operation
to the next, and the pieces are shared out over threads. Values that only the group reads live in registers, which
are pieces of scratch memory. All calls are bound beforehand; a run only makes them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

from kcore.compile.plan import Instruction
from kcore.graph import Node, Tensor
from kcore.runtime.parallel import parallel_for, thread_count

PIECE = 1 << 15  # elements: 128 KiB of float32, so that a handful of registers fits in a core's L2 cache
SPREAD_FROM = 4  # pieces from which it pays to repeat a vector for all rows of a piece
MIN_PER_THREAD = 1 << 15  # elements below which waking another thread costs more than it brings


def bind_group(
    ctx: Any, instruction: Instruction, outs: Sequence[Any], arrays: Callable[[Tensor], Any]
) -> Callable[[], Any]:
    """The call that computes a group on whole arrays (see `Device.bind_group`)."""
    nodes = instruction.nodes
    shape = nodes[0].specs[0].sizes
    named = dict(zip(instruction.outs, outs, strict=True))
    operands = {t.key: arrays(t) for t in instruction.reads()}
    rows, tail = _rows(shape, [*operands.values(), *outs])
    whole = {key: _as_rows(a, shape, rows, tail) for key, a in {**operands, **named}.items()}
    per_row = max(1, math.prod(tail))
    step = max(1, PIECE // per_row)
    pieces = -(-rows // step)
    parts = max(1, min(thread_count(), pieces, rows * per_row // MIN_PER_THREAD))
    registers, count = _assign_registers(nodes, set(named))
    spread = _spread_vectors(ctx, whole, operands, min(step, rows), tail) if pieces >= SPREAD_FROM else []
    calls = []
    for part in range(parts):
        scratch = [
            {d: ctx.private_scratch((part, r), (step, *tail), d) for d in {n.specs[0].dtype for n in nodes}}
            for r in range(count)
        ]
        mine: list[Callable[[], Any]] = []
        for piece in range(pieces * part // parts, pieces * (part + 1) // parts):
            lo, hi = piece * step, min(rows, (piece + 1) * step)
            mine += _bind_piece(ctx, nodes, whole, named, registers, scratch, rows, lo, hi)
        calls.append(mine)
    if parts == 1:
        return partial(_run_all, [*spread, *calls[0]])
    together = partial(parallel_for, partial(_run_parts, calls), parts)
    return partial(_run_all, [*spread, together]) if spread else together


def _spread_vectors(
    ctx: Any, whole: dict[Any, Any], operands: Iterable[Any], rows: int, tail: tuple[int, ...]
) -> list[Callable[[], Any]]:
    """Put operands that all rows share into `whole` repeated for each row of a piece; the calls that do so in a run.

    NumPy's inner loops are then as long as a piece, where broadcasting a bias would run a short one for each row.
    """
    calls: list[Callable[[], Any]] = []
    for key in operands:
        vector = whole[key]
        if vector.shape == (1, *tail) and tail and rows > 1:
            tile = ctx.private_scratch(("spread", len(calls)), (rows, *tail), str(vector.dtype))
            calls.append(partial(ctx.xp.copyto, tile, vector))
            whole[key] = _Spread(tile)
    return calls


class _Spread(NamedTuple):
    """An operand that all rows share, repeated for the rows of a piece."""

    tile: Any


def _run_all(calls: list[Callable[[], Any]]) -> None:
    for call in calls:
        call()


def _run_parts(calls: list[list[Callable[[], Any]]], lo: int, hi: int) -> None:
    for part in range(lo, hi):
        for call in calls[part]:
            call()


def _rows(shape: tuple[int, ...], arrays: list[Any]) -> tuple[int, tuple[int, ...]]:
    """How to cut: the number of rows and the shape of one row.

    Leading axes are joined into rows as far as every array allows it: full arrays must be contiguous, and
    broadcast ones must be constant along all joined axes.
    """
    kept = 0  # trailing axes that some array broadcasts over in its own way
    for a in arrays:
        if a.shape == shape and a.flags.c_contiguous:
            continue
        if a.size == 1:
            continue
        own = a.shape
        while own and own[0] == 1:
            own = own[1:]
        if a.shape == shape or len(own) == len(shape):
            return shape[0], tuple(shape[1:])
        kept = max(kept, len(own))
    split = len(shape) - kept
    return math.prod(shape[:split]), tuple(shape[split:])


def _as_rows(a: Any, shape: tuple[int, ...], rows: int, tail: tuple[int, ...]) -> Any:
    if a.shape == shape:
        return a if (shape[:1] == (rows,) and shape[1:] == tail) else a.reshape((rows, *tail))
    if a.size == 1:
        return a.reshape(())
    missing = 1 + len(tail) - a.ndim
    return a.reshape(a.shape[-(1 + len(tail)) :]) if missing < 0 else a.reshape((1,) * missing + a.shape)


def _assign_registers(nodes: Sequence[Node], external: set[Any]) -> tuple[dict[Node, int], int]:
    """A register for each inner value; one is free again after the last read of its value."""
    last: dict[Node, int] = {}
    for i, node in enumerate(nodes):
        for t in node.inputs:
            last[t.node] = i
    free: list[int] = []
    count = 0
    registers: dict[Node, int] = {}
    for i, node in enumerate(nodes):
        reusable = {
            t.node for p, t in enumerate(node.inputs) if p in node.op.inplace and t.dtype == node.specs[0].dtype
        }
        dying = {t.node for t in node.inputs if t.node in registers and last[t.node] == i}
        late = {n for n in dying if n not in reusable or _read_otherwise(node, n)}
        free += [registers[n] for n in dying - late]
        if (node, 0) not in external:
            if not free:
                free.append(count)
                count += 1
            registers[node] = free.pop()
        free += [registers[n] for n in late]
    return registers, count


def _read_otherwise(node: Node, source: Node) -> bool:
    """Whether `node` also reads `source` at a place that must not be overwritten."""
    return any(t.node is source and p not in node.op.inplace for p, t in enumerate(node.inputs))


def _bind_piece(
    ctx: Any,
    nodes: Sequence[Node],
    whole: dict[Any, Any],
    named: dict[Any, Any],
    registers: dict[Node, int],
    scratch: list[dict[str, Any]],
    rows: int,
    lo: int,
    hi: int,
) -> list[Callable[[], Any]]:
    def piece_of(key: Any) -> Any:
        node = key[0]
        if key not in whole:
            return scratch[registers[node]][node.specs[0].dtype][: hi - lo]
        a = whole[key]
        if isinstance(a, _Spread):
            return a.tile[: hi - lo]
        return a[lo:hi] if a.ndim and a.shape[0] == rows and rows != 1 else a

    return [ctx.bind_op(n.op, [piece_of((n, 0))], [piece_of(t.key) for t in n.inputs], n.attrs) for n in nodes]
