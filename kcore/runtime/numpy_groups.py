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

from kcore.compile.memory import overwritable
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
    named = dict(zip(instruction.outs, outs, strict=True))
    if instruction.head is not None:
        return _bind_after_head(ctx, instruction, named, arrays)
    return _Group(ctx, instruction.nodes, named, {t.key: arrays(t) for t in instruction.reads()}).bind()


class _Group:
    """Elementwise nodes bound to arrays, of which any rows can be computed.

    Attributes:
        rows, tail: the arrays are seen as ``(rows, *tail)``.
        begin: calls to make at the beginning of a run.
    """

    def __init__(self, ctx: Any, nodes: Sequence[Node], named: dict[Any, Any], operands: dict[Any, Any]) -> None:
        shape = nodes[0].specs[0].sizes
        self.ctx, self.nodes, self.named = ctx, nodes, named
        self.rows, self.tail = _rows(shape, [*operands.values(), *named.values()])
        self.whole = {key: _as_rows(a, shape, self.rows, self.tail) for key, a in {**operands, **named}.items()}
        self.step = max(1, PIECE // max(1, math.prod(self.tail)))
        self.registers, self.count = _assign_registers(nodes, set(named))
        self.begin: list[Callable[[], Any]] = []
        if -(-self.rows // self.step) >= SPREAD_FROM:
            self.begin = _spread_vectors(ctx, self.whole, operands, min(self.step, self.rows), self.tail)

    def calls(self, part: int, lo: int, hi: int) -> list[Callable[[], Any]]:
        """The calls that compute the rows ``[lo, hi)``; calls of different parts may be made at the same time."""
        dtypes = {n.specs[0].dtype for n in self.nodes}
        scratch = [
            {d: self.ctx.private_scratch((part, r), (self.step, *self.tail), d) for d in dtypes}
            for r in range(self.count)
        ]
        found: list[Callable[[], Any]] = []
        for first in range(lo, hi, self.step):
            last = min(hi, first + self.step)
            found += _bind_piece(
                self.ctx, self.nodes, self.whole, self.named, self.registers, scratch, self.rows, first, last
            )
        return found

    def bind(self) -> Callable[[], Any]:
        """The call that computes all rows, over threads."""
        pieces, elements = -(-self.rows // self.step), self.rows * math.prod(self.tail)
        parts = max(1, min(thread_count(), pieces, elements // MIN_PER_THREAD))
        bounds = [min(self.rows, pieces * part // parts * self.step) for part in range(parts + 1)]
        calls = [self.calls(part, *bounds[part : part + 2]) for part in range(parts)]
        if parts == 1:
            return partial(_run_all, [*self.begin, *calls[0]])
        together = partial(parallel_for, partial(_run_parts, calls), parts)
        return partial(_run_all, [*self.begin, together]) if self.begin else together


def _bind_after_head(
    ctx: Any, instruction: Instruction, named: dict[Any, Any], arrays: Callable[[Tensor], Any]
) -> Callable[[], Any]:
    """The call that computes a group with a head: its kernel finishes what it has computed while that is in the cache.

    The head's result is computed in memory of one of the group's results where none of its readers minds.
    """
    head = instruction.head
    assert head is not None
    key, nodes = (head, 0), tuple(n for n in instruction.nodes if n is not head)
    rest = Instruction(nodes, tuple(out for out in instruction.outs if out != key), fused=True, shape=instruction.shape)
    value = named.pop(key, None)
    if value is None:
        homes = [out for out in rest.outs if out[0].specs[0] == head.specs[0]]
        home = next((out for out in homes if overwritable(rest, out, key, lambda root: root)), None)
        value = ctx.scratch(head.specs[0].sizes, head.specs[0].dtype) if home is None else named[home]
    operands = {t.key: value if t.key == key else arrays(t) for t in rest.reads()}
    group = _Group(ctx, nodes, named, operands)
    channels, unit = head.specs[0].sizes[-1], math.prod(group.tail)

    def finish(worker: int, lo: int, hi: int) -> list[Callable[[], Any]]:
        return group.calls(worker, lo * channels // unit, hi * channels // unit)

    ins = [arrays(t) for t in head.inputs]
    if channels % unit:  # a row of the group is more than a position
        return partial(_run_all, [ctx.bind_op(head.op, [value], ins, head.attrs), group.bind()])
    call, taken = ctx.bind_head(head, value, ins, finish)
    return partial(_run_all, [*group.begin, call] if taken else [call, group.bind()])


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
