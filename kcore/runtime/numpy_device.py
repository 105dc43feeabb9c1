"""The NumPy device: the default, which needs nothing but NumPy."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kcore.compile.plan import Instruction
from kcore.ops.random import WORDS_PER_BLOCK, RandomStream
from kcore.runtime.device import Device
from kcore.runtime.numpy_groups import bind_group
from kcore.runtime.parallel import limit_blas
from kcore.runtime.staging import Block


class NumpyDevice(Device):
    """Runs plans with NumPy on the host, over threads where arrays are large."""

    name = "numpy"
    xp = np
    heads = frozenset({"conv", "depthwise_conv"})

    def __init__(self) -> None:
        limit_blas()
        self._generators: weakref.WeakKeyDictionary[RandomStream, tuple[np.random.Philox, int]]
        self._generators = weakref.WeakKeyDictionary()

    def to_host(self, array: Any) -> np.ndarray:
        return np.array(array)

    def stager(self, inputs: Block, outputs: Sequence[Any]) -> None:
        return None

    def random_bits(self, stream: RandomStream, words: int) -> np.ndarray:
        start = stream.take(words)
        blocks = -(-words // WORDS_PER_BLOCK)
        generator, position = self._generators.get(stream, (None, -1))
        if generator is None:
            generator = np.random.Philox(key=stream.seed % 2**64, counter=start)
        elif position != start:
            generator = _moved(generator, start)
        bits = generator.random_raw(blocks * WORDS_PER_BLOCK)  # whole blocks, so that none is left half used
        self._generators[stream] = (generator, start + blocks)
        return bits[:words]

    def kernel(self, name: str) -> Callable[..., Callable[[], Any]] | None:
        from kcore.runtime.numpy_kernels import find_kernel

        return find_kernel(name)

    def bind_group(
        self, ctx: Any, instruction: Instruction, outs: Sequence[Any], arrays: Callable[[Any], Any]
    ) -> Callable[[], Any]:
        return bind_group(ctx, instruction, outs, arrays)

    def errstate(self) -> Any:
        return np.errstate(all="ignore")


def _moved(generator: np.random.Philox, block: int) -> np.random.Philox:
    state = generator.state
    state["state"]["counter"] = np.array([block >> shift & 0xFFFFFFFFFFFFFFFF for shift in (0, 64, 128, 192)], "uint64")
    state["buffer_pos"] = WORDS_PER_BLOCK
    state["has_uint32"] = 0
    generator.state = state
    return generator
