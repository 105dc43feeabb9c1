"""How arrays lie in memory: broadcast operands seen with as few axes as possible."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

Strides = tuple[int, ...]


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
