"""Kernels and their launches: source is compiled once, and a launch is a call without arguments."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from kcore_backends_cupy.prelude import PRELUDE

BLOCK = 256  # threads of a block
MAX_BLOCKS = 132 * 16  # blocks of a grid-stride loop: enough to fill the largest GPUs

#: No contraction of products and sums to one instruction: values are those of the NumPy device, and kernels that
#: wait for memory lose nothing.
OPTIONS = ("--std=c++17", "--fmad=false")


@functools.lru_cache(maxsize=4096)
def compile_kernel(cupy: Any, source: str, name: str) -> Any:
    """The function `name` of CUDA source, without the prelude; CuPy keeps what NVRTC made of it on disk."""
    return cupy.RawModule(code=PRELUDE + source, options=OPTIONS).get_function(name)


class Launch:
    """One launch of a kernel with fixed arguments: what a plan on a GPU consists of.

    Launches read and write memory that stays where it is, and wait for nothing, so a row of them can be captured
    and replayed (`kcore_backends_cupy.capture`).

    Args:
        function: the compiled kernel.
        grid, block: numbers of blocks and of threads, in up to three dimensions.
        args: arrays of the device and NumPy scalars.
    """

    __slots__ = ("args", "block", "function", "grid")

    def __init__(self, function: Any, grid: tuple[int, ...], block: tuple[int, ...], args: Sequence[Any]):
        self.function = function
        self.grid = grid
        self.block = block
        self.args = tuple(args)

    def __call__(self) -> None:
        self.function(self.grid, self.block, self.args)

    def before(self) -> None:
        """What the host does before each run, whether the launch is made or replayed."""


class Launches:
    """Several calls in a row, as one."""

    __slots__ = ("calls",)

    def __init__(self, calls: Sequence[Any]):
        self.calls = flat(calls)

    def __call__(self) -> None:
        for call in self.calls:
            if isinstance(call, Launch):
                call.before()
        for call in self.calls:
            call()


def flat(calls: Sequence[Any]) -> list[Any]:
    """Calls with those of `Launches` in their place."""
    found: list[Any] = []
    for call in calls:
        found += call.calls if isinstance(call, Launches) else [call]
    return found


def each(cupy: Any, source: str, name: str, count: int, args: Sequence[Any]) -> Launch:
    """The launch of a grid-stride kernel over `count` elements; `args` come after the count."""
    blocks = max(1, min(MAX_BLOCKS, -(-count // BLOCK)))
    return Launch(compile_kernel(cupy, source, name), (blocks,), (BLOCK,), [np.int64(count), *args])


def grid_stride(name: str, parameters: str, body: str) -> str:
    """The source of a kernel whose `body` computes element `i` of `n`."""
    return f"""
extern "C" __global__ void {name}(i64 n, {parameters}) {{
  for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < n; i += (i64)gridDim.x * blockDim.x) {{
{body}
  }}
}}
"""
