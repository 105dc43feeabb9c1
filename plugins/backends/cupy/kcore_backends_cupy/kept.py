"""Data that stay on the GPU: one launch gathers the rows of a batch, of all arrays.

A table in memory of the device has a line for each array: the blocks that work on it, the words of a row, the bytes of
a word, where the data are, and where the batch goes. A block looks up which line is its own, and its place among those
of the line, as in `kcore_backends_cupy.merge`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from kcore.runtime.staging import Kept
from kcore_backends_cupy.launch import BLOCK, MAX_BLOCKS, compile_kernel

SOURCE = """
template <typename T>
__device__ void gather(const u64* line, i64 block, const i64* order, i64 count) {
  const T* data = (const T*)line[3];
  T* out = (T*)line[4];
  i64 words = line[1];
  for (i64 i = block * blockDim.x + threadIdx.x; i < count * words; i += (i64)line[0] * blockDim.x) {
    out[i] = data[order[i / words] * words + i % words];
  }
}
extern "C" __global__ void rows_merged(const u64* table, const u32* owners, const i64* order, i64 start, i64 count) {
  const u64* line = table + 5 * owners[2 * blockIdx.x];
  i64 block = owners[2 * blockIdx.x + 1];
  switch (line[2]) {
    case 8: return gather<u64>(line, block, order + start, count);
    case 4: return gather<u32>(line, block, order + start, count);
    case 2: return gather<unsigned short>(line, block, order + start, count);
    default: return gather<unsigned char>(line, block, order + start, count);
  }
}
"""


class KeptRows(Kept):
    """Rows of arrays of one GPU."""

    def __init__(self, device: Any, arrays: Sequence[Any]):
        super().__init__(device, arrays)
        with device.here():
            self._kernel = compile_kernel(device.xp, SOURCE, "rows_merged")
        self._tables: dict[int, tuple[Any, Any, Any, int]] = {}  # by the identity of the targets, which they hold

    def put_in_order(self, order: np.ndarray | None) -> None:
        super().put_in_order(np.arange(len(self._arrays[0])) if order is None else order)

    def read(self, start: int, stop: int, targets: Sequence[Any]) -> None:
        with self._device.errstate():
            _, table, owners, blocks = self._tables.get(id(targets)) or self._table(targets)
            args = table, owners, self._order, np.int64(start), np.int64(stop - start)
            self._kernel((blocks,), (BLOCK,), args)

    def _table(self, targets: Sequence[Any]) -> tuple[Any, Any, Any, int]:
        lines, owners = [], []
        for number, (data, target) in enumerate(zip(self._arrays, targets, strict=True)):
            width = math.gcd(8, target.itemsize * math.prod(target.shape[1:]))
            words = target.itemsize * math.prod(target.shape[1:]) // width
            blocks = max(1, min(MAX_BLOCKS, -(-words * len(target) // BLOCK)))
            lines.append([blocks, words, width, data.data.ptr, target.data.ptr])
            owners += [(number, block) for block in range(blocks)]
        device = self._device
        made = targets, device.asarray(np.array(lines, "uint64")), device.asarray(np.array(owners, "uint32"))
        self._tables[id(targets)] = found = (*made, len(owners))
        return found
