"""A GPU on paper: plans are bound to it as to a real one, libraries included, and nothing is computed.

    KCORE_BACKEND=cupy KCORE_CUPY_EMULATE=paper

Kernels are not compiled, memory is asked for and never touched, values are whatever lies there. It is for counting
what a plan would do on a GPU (`kcore_backends_cupy.costs`), models that fit no emulated memory among them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kcore_backends_cupy.emulation.arrays import ndarray
from kcore_backends_cupy.launch import Launch


def put_on_paper(module: Any) -> Any:
    """The stand-in for the module `cupy`, without kernels and memory."""
    module.RawModule, module.empty = _Module, _empty
    return module


class _Module:
    def __init__(self, **_: Any):
        pass

    def get_function(self, name: str) -> Any:
        return _nothing


def _nothing(*_: Any) -> None:
    """A kernel that is not there."""


def _empty(shape: Any, dtype: Any = float, order: str = "C") -> ndarray:
    """Memory that the system gives at the first touch, aligned as a GPU's."""
    dims = (shape,) if isinstance(shape, int) else tuple(shape)
    nbytes = int(np.prod(dims, dtype=np.int64)) * np.dtype(dtype).itemsize
    memory = np.empty(nbytes + 256, np.uint8)
    start = -memory.ctypes.data % 256
    return ndarray(memory[start : start + nbytes].view(dtype).reshape(dims))


class _Call(Launch):
    """A call of a library."""

    __slots__ = ("kind",)

    def __init__(self, kind: str, arrays: Any):
        self.kind = kind
        super().__init__(_nothing, (), (), arrays)


class Products:
    """cuBLASLt, which takes every product."""

    def product(self, ctx: Any, a: Any, b: Any, d: Any, count: int) -> Launch:
        return _Call("cuBLASLt", (a.array, b.array, d.array))


class Convolutions:
    """cuDNN, which takes every convolution."""

    def call(self, ctx: Any, wanted: Any, arrays: Any) -> Launch:
        return _Call("cuDNN", arrays)
