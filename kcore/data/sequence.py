"""`Sequence`: a data set that is read batch by batch, by index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class Sequence:
    """Base of data sets that can give any of their batches.

    Knowing its length, and reading a batch by its index, makes it possible to use each batch once an
    epoch, in a known order, however many workers read. Manual, section 20.3.

    A subclass defines `__getitem__` (one whole batch: ``(x, y)`` or ``(x, y, sample_weight)``, or ``x``
    alone to predict) and `__len__` (the number of batches), and may define `on_epoch_end`.

    Example:
        >>> import numpy as np
        >>> class Squares(Sequence):
        ...     def __len__(self):
        ...         return 3
        ...     def __getitem__(self, index):
        ...         x = np.arange(4.0) + 4 * index
        ...         return x, x**2
        >>> len(Squares())
        3
    """

    def __getitem__(self, index: int) -> Any:
        """The batch at position `index`, ``0 <= index < len(self)``."""
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(self, index)")

    def __len__(self) -> int:
        """The number of batches."""
        raise NotImplementedError(f"{type(self).__name__} must define __len__(self)")

    def on_epoch_end(self) -> None:
        """Called when all batches were used; may change the data set."""

    def __iter__(self) -> Iterator[Any]:
        """All batches in order, again and again without end."""
        while True:
            for index in range(len(self)):
                yield self[index]
