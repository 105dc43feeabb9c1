"""What is known of a value before it is computed: its shape and its dtype."""

from __future__ import annotations

import math
from typing import NamedTuple, cast

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
    def sizes(self) -> tuple[int, ...]:
        """The shape, in plans, where every dimension is known."""
        return cast(tuple[int, ...], self.shape)

    @property
    def size(self) -> int:
        """Number of elements; every dimension must be known."""
        return math.prod(self.sizes)

    @property
    def nbytes(self) -> int:
        """Bytes of memory; every dimension must be known."""
        return self.size * ITEMSIZE[self.dtype]

    def __str__(self) -> str:
        return f"{self.dtype}({', '.join('?' if d is None else str(d) for d in self.shape)})"


def may_equal(a: Shape, b: Shape) -> bool:
    """Whether two shapes may turn out to be the same: of one rank, and equal wherever both dimensions are known."""
    return len(a) == len(b) and all(p is None or q is None or p == q for p, q in zip(a, b, strict=True))
