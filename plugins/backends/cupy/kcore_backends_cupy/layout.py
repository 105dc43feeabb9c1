"""How arrays lie in memory: broadcast operands seen with as few axes as possible."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

Strides = tuple[int, ...]
Span = tuple[int, int]


class Dense:
    """An array that exists in no memory: of this shape, without gaps."""

    itemsize = 1

    def __init__(self, shape: Sequence[int]):
        self.shape = tuple(shape)
        self.ndim = len(self.shape)
        self.strides = tuple(math.prod(self.shape[i + 1 :]) for i in range(self.ndim))


def element_strides(array: Any, shape: Sequence[int]) -> Strides:
    """Strides, in elements, of `array` broadcast to `shape`: 0 along axes in which it is repeated."""
    lead = len(shape) - array.ndim
    own = [s // array.itemsize for s in array.strides]
    return tuple(0 if i < lead or array.shape[i - lead] == 1 else own[i - lead] for i in range(len(shape)))


def collapse(shape: Sequence[int], strides: Sequence[Strides]) -> tuple[list[int], list[list[int]]]:
    """Join axes that every operand steps through evenly.

    Args:
        shape: what all operands are broadcast to.
        strides: of each operand, in elements.

    Returns:
        the joined shape (at least one axis), and the strides of each operand in it.
    """
    dims: list[int] = []
    steps: list[list[int]] = [[] for _ in strides]
    for axis, size in enumerate(shape):
        if size == 1:
            continue
        if dims and all(s[-1] == full[axis] * size for s, full in zip(steps, strides)):
            dims[-1] *= size
            for s, full in zip(steps, strides):
                s[-1] = full[axis]
        else:
            dims.append(size)
            for s, full in zip(steps, strides):
                s.append(full[axis])
    if not dims:
        return [math.prod(shape)], [[0] for _ in strides]
    return dims, steps


def span(array: Any) -> Span:
    """The addresses of the first byte of an array and of the one after its last."""
    start = end = int(array.data.ptr)
    for size, stride in zip(array.shape, array.strides, strict=True):
        if not size:
            return start, start
        reach = (size - 1) * stride
        start, end = (start + reach, end) if reach < 0 else (start, end + reach)
    return start, end + array.itemsize
