"""The geometry of sliding windows, for the kernels of every device.

One, two and three spatial dimensions are all treated as three, ``(depth, rows, columns)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import gcd
from typing import Any

from kcore.shapes import explicit_padding

Triple = tuple[int, int, int]


@dataclass(frozen=True)
class Window:
    """A window in three spatial dimensions; ``before`` is the padding in front, which may be negative (a crop)."""

    size: Triple
    stride: Triple
    before: Triple
    dilation: Triple

    @property
    def taps(self) -> int:
        """Number of elements of the window."""
        return self.size[0] * self.size[1] * self.size[2]

    def reach(self, axis: int, positions: int) -> int:
        """How many input elements ``positions`` neighbouring windows cover along ``axis``."""
        return (positions - 1) * self.stride[axis] + (self.size[axis] - 1) * self.dilation[axis] + 1

    def offsets(self) -> list[Triple]:
        """The index of every tap, in memory order."""
        depth, rows, columns = self.size
        return list(product(range(depth), range(rows), range(columns)))


def as_three(values: tuple[int, ...], fill: int) -> Triple:
    """Spatial values of one to three dimensions as ``(depth, rows, columns)``: steps of a sequence are rows."""
    return {1: (fill, *values, fill), 2: (fill, *values), 3: tuple(values)}[len(values)]  # type: ignore[return-value]


def attrs_window(attrs: Any, spatial: Any, size: Any) -> Window:
    """The window of an op's attributes over an input with the sizes ``spatial``."""
    strides, dilation = attrs["strides"], attrs.get("dilation", (1,) * len(size))
    padding = explicit_padding(attrs["padding"], tuple(spatial), tuple(size), strides, dilation)
    assert not isinstance(padding, str)
    before = tuple(pair[0] for pair in padding)
    return Window(as_three(tuple(size), 1), as_three(strides, 1), as_three(before, 0), as_three(dilation, 1))


def expand(x: Any) -> Any:
    """``(batch, *spatial, channels)`` as a view with three spatial dimensions."""
    if x.ndim == 5:
        return x
    return x[:, None] if x.ndim == 4 else x[:, None, :, None]


def expand_kernel(w: Any) -> Any:
    """``(*size, inputs, outputs)`` as a view with three spatial dimensions."""
    if w.ndim == 5:
        return w
    return w[None] if w.ndim == 4 else w[None, :, None]


@dataclass(frozen=True)
class Phase:
    """The inputs ``residue + stride * j`` as windows of stride 1 over the outputs (see :func:`input_phases`)."""

    inputs: tuple[slice, ...]  # of the input's batch and spatial axes
    taps: tuple[slice, slice, slice]  # of the kernel, to be read backwards
    window: Window


def input_phases(window: Window, lengths: tuple[int, ...]) -> list[Phase]:
    """The road back from outputs to inputs without scattering: one convolution of stride 1 for each phase.

    Input ``i`` meets output ``o`` at tap ``t`` when ``i = o * stride + t * dilation - before``. For the inputs
    ``i = r + stride * j`` that leaves the taps ``t = t0 + m * step`` with ``step = stride / gcd(stride, dilation)``,
    at ``o = j + q - m * spread`` with ``q = (r + before - t0 * dilation) / stride`` and
    ``spread = dilation / gcd(stride, dilation)``. Phases without a tap are left out, their inputs have no
    window; and those without an input, as ``lengths`` (depth, rows, columns) tells.
    """
    phases = []
    for residues in product(*map(range, window.stride)):
        if any(residue >= length for residue, length in zip(residues, lengths, strict=True)):
            continue
        axes = [_phase_axis(window, axis, residue) for axis, residue in enumerate(residues)]
        if any(axis is None for axis in axes):
            continue
        taps, size, before, spread = zip(*axes, strict=True)  # type: ignore[arg-type]
        inputs = tuple(slice(r, None, s) for r, s in zip(residues, window.stride, strict=True))
        phases.append(Phase((slice(None), *inputs), taps, Window(size, (1, 1, 1), before, spread)))
    return phases


def _phase_axis(window: Window, axis: int, residue: int) -> tuple[slice, int, int, int] | None:
    stride, dilation, size = window.stride[axis], window.dilation[axis], window.size[axis]
    target = residue + window.before[axis]
    common = gcd(stride, dilation)
    step, spread = stride // common, dilation // common
    first = next((t for t in range(min(size, step)) if (target - t * dilation) % stride == 0), None)
    if first is None:
        return None
    count = len(range(first, size, step))
    return slice(first, None, step), count, (count - 1) * spread - (target - first * dilation) // stride, spread
