"""What the tiled product reads and writes: matrices of any strides, and the windows of an image as a matrix that
nobody writes down (an implicit im2col).

Each operand offers code: what is known of an index of its rows, of an index of its columns, and the element where
both meet. So the parts of an address that stay the same are computed once, outside of the loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kcore.runtime.windows import Triple, Window
from kcore_backends_cupy.layout import collapse

Argument = tuple[str, Any]  # the declaration of a kernel's parameter, and its value


@dataclass(frozen=True)
class Axis:
    """An index over several dimensions of an array: lengths and strides, in elements, with as few as possible."""

    lengths: tuple[int, ...]
    strides: tuple[int, ...]

    @classmethod
    def of(cls, array: Any, first: int, last: int) -> Axis:
        """The dimensions `first` to `last` (excluded) of an array."""
        strides = [s // array.itemsize for s in array.strides[first:last]]
        dims, (steps,) = collapse(array.shape[first:last], [tuple(strides)])
        return cls(tuple(dims), tuple(steps))

    @property
    def fastest(self) -> int:
        """The stride of the last dimension."""
        return self.strides[-1]

    def place(self, p: str) -> str:
        """Code that sets `at` from the index `i`; `p` begins the names of the parameters."""
        lines = ["int r = i; i64 at = 0;"]
        for axis in range(len(self.lengths) - 1, 0, -1):
            lines.append(f"at += r % {p}n{axis} * {p}s{axis}; r /= {p}n{axis};")
        return " ".join([*lines, f"at += r * {p}s0;"])

    def arguments(self, p: str) -> list[Argument]:
        """The parameters that `place` reads."""
        found: list[Argument] = [(f"int {p}n{i}", np.int32(n)) for i, n in enumerate(self.lengths) if i]
        return found + [(f"i64 {p}s{i}", np.int64(s)) for i, s in enumerate(self.strides)]


@dataclass(frozen=True)
class Matrix:
    """An operand by strides.

    Args:
        array: the memory.
        kept: the dimensions that the result has, too: rows of the left operand, columns of the right one.
        summed: those over which the product sums.
        batch: strides along the two batch dimensions.
    """

    array: Any
    kept: Axis
    summed: Axis
    batch: tuple[int, int] = (0, 0)
    spot = "i64 at;"

    @property
    def along(self) -> bool:
        """Whether neighbours in the sum are neighbours in memory."""
        return self.summed.fastest == 1 or self.kept.fastest != 1

    def source(self, p: str) -> tuple[str, str, str]:
        """Code that sets `s` for a kept index `i`, that sets it for a summed one, and the element of `o` and `s`."""
        kept, summed = self.kept.place(p + "k"), self.summed.place(p + "t")
        return f"{kept} s.at = at;", f"{summed} s.at = at;", f"k_load({p}, o.at + s.at)"

    def arguments(self, p: str) -> list[Argument]:
        return self.kept.arguments(p + "k") + self.summed.arguments(p + "t")


@dataclass(frozen=True)
class Patches:
    """The windows of an image: a row for each position, a column for each tap and channel; zero outside of the image.

    Args:
        array: ``(batch, depth, rows, columns, channels)``.
        window: its geometry.
        positions: of the window, in depth, rows and columns.
        transposed: whether the product sums over positions, not over taps and channels.
    """

    array: Any
    window: Window
    positions: Triple
    transposed: bool = False
    batch = (0, 0)
    spot = "i64 at; int d, h, w;"

    @property
    def along(self) -> bool:
        return not self.transposed

    def source(self, p: str) -> tuple[str, str, str]:
        where = " + ".join(f"{v} * {p}s{v}" for v in "dhw")
        position = (
            f"int r = i, w = r % {p}pw; r /= {p}pw; int h = r % {p}ph; r /= {p}ph; int d = r % {p}pd; r /= {p}pd; "
            f"d = d * {p}jd - {p}bd; h = h * {p}jh - {p}bh; w = w * {p}jw - {p}bw; "
            f"s.d = d; s.h = h; s.w = w; s.at = r * {p}sn + {where};"
        )
        tap = (
            f"int r = i, z = r % {p}c; r /= {p}c; int w = r % {p}tw; r /= {p}tw; int h = r % {p}th, d = r / {p}th; "
            f"d *= {p}dd; h *= {p}dh; w *= {p}dw; s.d = d; s.h = h; s.w = w; s.at = {where} + z * {p}sc;"
        )
        inside = " && ".join(f"(unsigned)(o.{v} + s.{v}) < (unsigned){p}l{v}" for v in "dhw")
        first, second = (tap, position) if self.transposed else (position, tap)
        return first, second, f"({inside} ? k_load({p}, o.at + s.at) : 0)"

    def arguments(self, p: str) -> list[Argument]:
        found: list[Argument] = [(f"int {p}c", np.int32(self.array.shape[4]))]
        found += geometry(p, self.window, self.array.shape[1:4], self.positions)
        return found + image_strides(p, self.array)


def geometry(p: str, window: Window, lengths: Triple, positions: Triple) -> list[Argument]:
    """A window over an image as parameters, each for depth, rows and columns (d, h, w).

    They are lengths of the image (l), positions of the window (p), taps (t), strides (j), padding before (b) and
    dilation (d).
    """
    rows = {
        "l": lengths,
        "p": positions,
        "t": window.size,
        "j": window.stride,
        "b": window.before,
        "d": window.dilation,
    }
    return [(f"int {p}{name}{v}", np.int32(n)) for name, values in rows.items() for v, n in zip("dhw", values)]


def image_strides(p: str, array: Any) -> list[Argument]:
    """The strides of ``(batch, depth, rows, columns, channels)``, in elements, as parameters."""
    return [(f"i64 {p}s{v}", np.int64(s // array.itemsize)) for v, s in zip("ndhwc", array.strides)]


@dataclass(frozen=True)
class Result:
    """Where the product goes; `rows`, `columns` and `batch` as those of a `Matrix`."""

    array: Any
    rows: Axis
    columns: Axis
    batch: tuple[int, int] = (0, 0)

    def arguments(self, p: str) -> list[Argument]:
        return self.rows.arguments(p + "r") + self.columns.arguments(p + "c")


def flat_axis(length: int, stride: int) -> Axis:
    """An axis of one dimension."""
    return Axis((length,), (stride,))


Operand = Matrix | Patches


def names(arguments: Sequence[Argument]) -> str:
    """Declarations, as a list of parameters goes on."""
    return "".join(f", {declaration}" for declaration, _ in arguments)
