"""Where the arrays of golden cases lie: one pool of drawn numbers, one long vector of computed ones.

Inputs and weights are slices of the pool, so that a file holds few random numbers although thousands are used.
The pool's 8192 numbers are odd multiples of 1/4096: none is zero and no two in a slice are equal, so that neither
a maximum nor a rectifier stands on its kink, and each is exact in float16 up to scaling and in every wider type.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

POOL = 8192
Ref = list[Any]


class ArrayStore:
    """Hands out drawn arrays and takes computed ones; both become references that JSON can hold."""

    def __init__(self, seed: str) -> None:
        order = np.random.RandomState(zlib.crc32(seed.encode()) % 2**32).permutation(POOL)
        self.pool = (2 * order - (POOL - 1)).astype(np.int16)
        self._computed: list[np.ndarray] = []
        self._length = 0
        self._cursor = 0

    def start(self, name: str) -> None:
        """Begin a case: what it draws depends on its name alone, so that new cases leave old ones as they are."""
        self._cursor = zlib.crc32(name.encode()) % POOL

    def draw(self, shape: Sequence[int], scale: float = 1.0, shift: float = 0.0) -> tuple[Ref, np.ndarray]:
        """An array of distinct numbers in (shift - 2 * scale, shift + 2 * scale), float64."""
        size = int(np.prod(shape))
        if size > POOL:
            raise ValueError(f"an array of shape {tuple(shape)} has more than {POOL} elements: use a smaller one")
        ref = ["drawn", self._cursor, [int(n) for n in shape], scale, shift]
        taken = self.pool.take(range(self._cursor, self._cursor + size), mode="wrap")
        self._cursor = (self._cursor + size) % POOL
        return ref, (taken / 4096.0 * scale + shift).reshape(shape)

    def keep(self, array: np.ndarray) -> Ref:
        """Store a computed array, as float32."""
        flat = np.asarray(array, np.float32).ravel()
        if not np.isfinite(flat).all():
            raise ValueError("a golden value is not finite")
        ref = ["computed", self._length, [int(n) for n in np.shape(array)]]
        self._computed.append(flat)
        self._length += flat.size
        return ref

    def save(self, path: Path) -> None:
        """Write the pool and the computed numbers to one .npz file."""
        computed = np.concatenate(self._computed) if self._computed else np.zeros(0, np.float32)
        np.savez_compressed(path, drawn=self.pool, computed=computed)
