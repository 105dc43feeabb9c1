"""Code for some neighbouring channels in vector registers: what pooling and depthwise convolution are made of.

It is made in LLVM's vector types, since numba has none in Python; LLVM translates them to whatever vectors the
processor has. Channels are taken some vectors at a time, then one by one; the last vector ends with the last channel,
and so covers some channels again that are done. There must be as many channels as a vector has lanes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import llvmlite.binding as llvm
import llvmlite.ir as ir
from numba.core import cgutils

BYTES = 64 if llvm.get_host_cpu_features().get("avx512f") else 32
"""Bytes of a vector."""

WIDTHS = (4, 2)
"""Vectors that are taken together where there are so many: the fewer, the more turns of the loops around them."""

WORD, NUMBER, BYTE = ir.IntType(64), ir.IntType(32), ir.IntType(8)

Values = list[Any]  # one for each vector


class Vectors:
    """Makes code that works on `count` vectors of neighbouring channels, of the floating type `single`."""

    def __init__(self, builder: ir.IRBuilder, single: Any, count: int, at: Any) -> None:
        self.builder, self.single, self.count, self.at = builder, single, count, at
        self.item = item_of(single)
        self.lanes = BYTES // self.item

    def type(self, single: Any) -> ir.VectorType:
        return ir.VectorType(single, self.lanes)

    def each(self, make: Callable[[int], Any]) -> Values:
        return [make(number) for number in range(self.count)]

    def variables(self, single: Any) -> Values:
        """Memory for values, which LLVM moves into registers."""
        return self.each(lambda _: cgutils.alloca_once(self.builder, self.type(single)))

    def get(self, variables: Values) -> Values:
        return [self.builder.load(v) for v in variables]

    def set(self, variables: Values, values: Values) -> None:
        for variable, value in zip(variables, values, strict=True):
            self.builder.store(value, variable)

    def fill(self, variables: Values, number: float) -> None:
        """Set all lanes to a constant."""
        kind = variables[0].type.pointee
        self.set(variables, self.each(lambda _: ir.Constant(kind, [number] * self.lanes)))

    def load(self, base: Any, single: Any = None) -> Values:
        """The values at the address `base` of channel 0."""
        kind = single or self.single
        return self.each(lambda i: self._aligned(self.builder.load(self._place(base, i, kind)), kind))

    def store(self, values: Values, base: Any, single: Any = None) -> None:
        kind = single or self.single
        for i, value in enumerate(values):
            self._aligned(self.builder.store(value, self._place(base, i, kind)), kind)

    def _place(self, base: Any, number: int, single: Any) -> Any:
        builder = self.builder
        channel = builder.add(self.at, ir.Constant(WORD, number * self.lanes))
        address = builder.add(base, builder.mul(channel, ir.Constant(WORD, item_of(single))))
        return builder.inttoptr(address, self.type(single).as_pointer())

    def _aligned(self, access: Any, single: Any) -> Any:
        access.align = item_of(single)
        return access

    def spread(self, value: Any) -> Any:
        """A vector with `value` in all lanes."""
        kind = self.type(value.type)
        undefined = ir.Constant(kind, ir.Undefined)
        first = self.builder.insert_element(undefined, value, ir.Constant(NUMBER, 0))
        return self.builder.shuffle_vector(first, undefined, ir.Constant(self.type(NUMBER), [0] * self.lanes))


def item_of(single: Any) -> int:
    """Bytes of a number."""
    return single.width // 8 if isinstance(single, ir.IntType) else {"float": 4, "double": 8}[str(single)]


def over_channels(
    builder: ir.IRBuilder, single: Any, channels: Any, widths: Sequence[int], code: Callable[[Vectors, Any], None]
) -> None:
    """Make loops over all channels. ``code(vectors, done)`` makes their body; `done`, an integer, is the number of
    leading lanes that an earlier vector has done already."""
    lanes = BYTES // item_of(single)

    def word(value: int) -> ir.Constant:
        return ir.Constant(WORD, value)

    start: Any = word(0)
    for width in widths:
        length = word(width * lanes)
        count = builder.udiv(builder.sub(channels, start), length)
        with steps(builder, count, (start, length)) as (_, (at,)):
            code(Vectors(builder, single, width, at), word(0))
        start = builder.add(start, builder.mul(count, length))
    last, length = builder.sub(channels, word(lanes)), word(lanes)
    left = builder.add(builder.sub(channels, start), word(lanes - 1))
    with steps(builder, builder.udiv(left, length), (start, length)) as (_, (wanted,)):
        at = builder.select(builder.icmp_unsigned("<", wanted, last), wanted, last)
        code(Vectors(builder, single, 1, at), builder.sub(wanted, at))


@contextmanager
def steps(builder: ir.IRBuilder, count: Any, *moves: tuple[Any, Any]) -> Iterator[tuple[Any, Sequence[Any]]]:
    """Make a loop; gives its index and, for each pair (start, step), ``start + index * step``."""
    with cgutils.for_range(builder, count) as loop:
        yield loop.index, [builder.add(start, builder.mul(loop.index, step)) for start, step in moves]
