"""Random numbers: the bits of the NumPy device, made where they are used.

The count of used blocks lies in memory of the device, so that a captured launch goes on from where the last one
stopped. The host keeps a copy, and writes the count only where something else has drawn from the stream in between.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kcore.ops.random import WORDS_PER_BLOCK, RandomStream
from kcore_backends_cupy.launch import Launch, Launches, compile_kernel, each, grid_stride

_SET = """
extern "C" __global__ void set_counter(u64* counter, u64 value) { *counter = value; }
"""
_ADVANCE = """
extern "C" __global__ void advance(u64* counter, u64 blocks) { *counter += blocks; }
"""
_BITS = grid_stride(
    "bits",
    "u64 seed, const u64* counter, u64* out, i64 words",
    """
    u64 block[4];
    k_philox(seed, *counter + i, block);
    for (int k = 0; k < 4; ++k) if (4 * i + k < words) out[4 * i + k] = block[k];""",
)


class _Advance(Launch):
    """The launch that moves a counter on; before it, the host sees to it that the counter is right."""

    __slots__ = ("_blocks", "_counter", "_cupy", "_position", "_stream", "_words")

    def __init__(self, cupy: Any, counter: Any, stream: RandomStream, words: int):
        self._cupy, self._counter, self._stream, self._words = cupy, counter, stream, words
        self._blocks = -(-words // WORDS_PER_BLOCK)
        self._position = -1
        super().__init__(compile_kernel(cupy, _ADVANCE, "advance"), (1,), (1,), [counter, np.uint64(self._blocks)])

    def before(self) -> None:
        start = self._stream.take(self._words)
        if start != self._position:
            set_counter = compile_kernel(self._cupy, _SET, "set_counter")
            set_counter((1,), (1,), (self._counter, np.uint64(start % 2**64)))
        self._position = start + self._blocks


class Draw:
    """Launches that draw from a stream, and then move its counter on."""

    def __init__(self, ctx: Any, stream: RandomStream, words: int):
        self._cupy = ctx.xp
        self._seed = np.uint64(stream.seed % 2**64)
        self._words = words
        self._counter = ctx.device.empty((1,), "uint64")
        self._advance = _Advance(ctx.xp, self._counter, stream, words)

    def bits(self, out: Any) -> Launches:
        """Fill `out` (uint64) with the words."""
        args = [self._seed, self._counter, out, np.int64(self._words)]
        blocks = -(-self._words // WORDS_PER_BLOCK)
        return Launches([each(self._cupy, _BITS, "bits", blocks, args), self._advance])

    def per_block(self, source: str, name: str, args: list[Any]) -> Launches:
        """A kernel that makes the elements of block `i` itself."""
        blocks = -(-self._words // WORDS_PER_BLOCK)
        launch = each(self._cupy, source, name, blocks, [self._seed, self._counter, *args])
        return Launches([launch, self._advance])


def fresh_bits(ctx: Any, stream: RandomStream, words: int) -> Any:
    """The next words of a stream, in memory of their own."""
    out = ctx.device.empty((max(words, 1),), "uint64")
    Draw(ctx, stream, words).bits(out)()
    return out[:words]
