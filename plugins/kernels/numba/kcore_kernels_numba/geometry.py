"""What lies under a sliding window, as tables for compiled loops.

A *walk* goes from one *target* over the *sources* that it meets, each with a tap of the window. Forward, the targets
are the window's positions and the sources are inputs; backward it is the other way round. Along each axis, target
number ``i`` meets ``count`` sources, ``first + j * step``, with the taps ``tap + j * tap_step``: padding is never met.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import Any

import numpy as np

from kcore.runtime import parallel
from kcore.runtime.windows import Window

Array = Any


@dataclass(frozen=True)
class Axis:
    """The walks along one axis.

    Attributes:
        table: for each target the first source, its tap, and how many sources there are; ``(targets, 3)``, int64.
        step: from source to source.
        tap_step: from tap to tap.
    """

    table: Array
    step: int
    tap_step: int


def forward(window: Window, inputs: tuple[int, ...], positions: tuple[int, ...]) -> list[Axis]:
    """From positions of the window to inputs, along (depth, rows, columns)."""
    axes = []
    for axis, (size, stride, before, dilation) in enumerate(_by_axis(window)):
        source = _grid(positions[axis], stride, -before) + np.arange(size) * dilation
        axes.append(Axis(_table(source, inputs[axis]), dilation, 1))
    return axes


def backward(window: Window, inputs: tuple[int, ...], positions: tuple[int, ...]) -> list[Axis]:
    """From inputs to positions of the window: ``input = position * stride + tap * dilation - before``."""
    axes = []
    for axis, (size, stride, before, dilation) in enumerate(_by_axis(window)):
        source, rest = np.divmod(_grid(inputs[axis], 1, before) - np.arange(size) * dilation, stride)
        common = gcd(stride, dilation)
        axes.append(
            Axis(_table(np.where(rest == 0, source, -1), positions[axis]), -(dilation // common), stride // common)
        )
    return axes


def by_tap(window: Window, inputs: tuple[int, ...], positions: tuple[int, ...]) -> list[Array]:
    """For each tap along an axis, its first position over an input, that input, and how many there are."""
    tables = []
    for axis, (size, stride, before, dilation) in enumerate(_by_axis(window)):
        source = _grid(size, dilation, -before) + np.arange(positions[axis]) * stride
        table = _table(source, inputs[axis])
        tables.append(np.ascontiguousarray(table[:, [1, 0, 2]]))
    return tables


def _by_axis(window: Window) -> Any:
    return zip(window.size, window.stride, window.before, window.dilation, strict=True)


def _grid(count: int, step: int, start: int) -> Array:
    return (np.arange(count) * step + start)[:, None]


def _table(source: Array, length: int) -> Array:
    """From the source of each target at each tap, of which those in ``[0, length)`` exist."""
    met = (source >= 0) & (source < length)
    tap = met.argmax(1)
    first = np.take_along_axis(source, tap[:, None], 1)[:, 0]
    return np.ascontiguousarray(np.stack([first, tap, met.sum(1)], 1), "int64")


WORTH_A_PART = 1 << 18
"""Numbers that are combined from which on work is cut: they take a core some 20 microseconds."""

PARTS = 4  # for each thread, so that one that is held up keeps no other waiting


def cut(lines: int, work: float, most: int = PARTS) -> list[int]:
    """Bounds of the parts into which `lines` are cut, at most `most` for each thread."""
    threads = parallel.thread_count()
    parts = int(max(1, min(lines, work // WORTH_A_PART, most * threads if threads > 1 else 1)))
    return [lines * part // parts for part in range(parts + 1)]
