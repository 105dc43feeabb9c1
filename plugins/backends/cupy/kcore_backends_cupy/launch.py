"""Kernels and their launches: source is compiled once, and a launch is a call without arguments."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from kcore_backends_cupy.compilation import load
from kcore_backends_cupy.layout import Span, span
from kcore_backends_cupy.prelude import PRELUDE

BLOCK = 256  # threads of a block
MAX_BLOCKS = 132 * 16  # blocks of a grid-stride loop: enough to fill the largest GPUs


def compile_kernel(cupy: Any, source: str, name: str) -> Any:
    """The function `name` of CUDA source, without the prelude, for the current device."""
    return _compiled(cupy, source, name, cupy.cuda.Device().id)


@functools.lru_cache(maxsize=4096)
def _compiled(cupy: Any, source: str, name: str, device: int) -> Any:
    return load(cupy, PRELUDE + source).get_function(name)


class Launch:
    """One launch of a kernel with fixed arguments: what a plan on a GPU consists of.

    Launches read and write memory that stays where it is, wait for nothing and go to CuPy's current stream (which is
    not the device's while they are captured), so a row of them can be captured and replayed
    (`kcore_backends_cupy.capture`). A subclass may call a library instead, on the same terms.

    Args:
        function: the compiled kernel.
        grid, block: numbers of blocks and of threads, in up to three dimensions.
        args: arrays of the device and NumPy scalars.
    """

    __slots__ = ("args", "block", "function", "grid")

    kind = "kernel"  # or the library's name

    def __init__(self, function: Any, grid: tuple[int, ...], block: tuple[int, ...], args: Sequence[Any]):
        self.function = function
        self.grid = grid
        self.block = block
        self.args = tuple(args)

    def __call__(self) -> None:
        self.function(self.grid, self.block, self.args)

    def arrays(self) -> list[Any]:
        """The arrays that are read or written, working memory of libraries aside."""
        return [a for a in self.args if hasattr(a, "strides") and hasattr(a.data, "ptr")]

    def before(self) -> None:
        """What the host does before each run, whether the launch is made or replayed."""

    def spans(self) -> tuple[list[Span], list[Span]]:
        """The memory that is read and no more, and that which may be written: first byte and the one after the last.

        A launch whose arguments are not all that it touches overrides this."""
        return [], [span(a) for a in self.arrays()]


class Each(Launch):
    """The launch of a grid-stride kernel (`grid_stride`).

    Args:
        source, name: of the kernel.
        function, args: see `Launch`; the first argument is the number of elements.
    """

    __slots__ = ("name", "source", "touched")

    def __init__(self, function: Any, source: str, name: str, args: Sequence[Any]):
        self.source = source
        self.name = name
        self.touched: Sequence[Any] | None = None  # of arrays that it sees a part of, that part
        blocks = max(1, min(MAX_BLOCKS, -(-int(args[0]) // BLOCK)))
        super().__init__(function, (blocks,), (BLOCK,), args)

    def arrays(self) -> list[Any]:
        return super().arrays() if self.touched is None else list(self.touched)

    def spans(self) -> tuple[list[Span], list[Span]]:
        reads: list[Span] = []
        writes: list[Span] = []
        for parameter, value in zip(parameters_of(self.source, self.name), self.args, strict=True):
            if "*" in parameter:
                (reads if parameter.startswith("const ") else writes).append(span(value))
        return reads, writes


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


def each(cupy: Any, source: str, name: str, count: int, args: Sequence[Any]) -> Each:
    """The launch of a grid-stride kernel over `count` elements; `args` come after the count."""
    return Each(compile_kernel(cupy, source, name), source, name, [np.int64(count), *args])


def grid_stride(name: str, parameters: str, body: str) -> str:
    """The source of a kernel whose `body` computes element `i` of `n`."""
    return f"""
{head(name, parameters)}
{body}
  }}
}}
"""


def head(name: str, parameters: str) -> str:
    """What the source of a grid-stride kernel begins with."""
    return f"""extern "C" __global__ void {name}(i64 n, {parameters}) {{
  for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < n; i += (i64)gridDim.x * blockDim.x) {{"""


@functools.lru_cache(maxsize=4096)
def parameters_of(source: str, name: str) -> list[str]:
    """The parameters of a kernel, ``type name`` each."""
    start = source.index(f"void {name}(") + len(f"void {name}(")
    return source[start : source.index(")", start)].split(", ")
