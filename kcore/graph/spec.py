"""What is known of a value before it is computed: its shape and its dtype."""

from __future__ import annotations

from typing import NamedTuple

from kcore.dtypes import ITEMSIZE

Shape = tuple["int | None", ...]


class Spec(NamedTuple):
    """Shape (``None`` where a dimension is unknown) and dtype of a value."""

    shape: Shape
    dtype: str

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def known(self) -> bool:
        """Whether every dimension is known."""
        return None not in self.shape

    @property
    def size(self) -> int:
        """Number of elements; every dimension must be known."""
        total = 1
        for dim in self.shape:
            total *= dim  # type: ignore[operator]
        return total

    @property
    def nbytes(self) -> int:
        """Bytes of memory; every dimension must be known."""
        return self.size * ITEMSIZE[self.dtype]

    def __str__(self) -> str:
        return f"{self.dtype}({', '.join('?' if d is None else str(d) for d in self.shape)})"
