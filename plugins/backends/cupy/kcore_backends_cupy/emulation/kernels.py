"""Kernels of the stand-in: what CUDA refuses at a launch is refused, and what it would take for something else too."""

from __future__ import annotations

import ctypes
import math
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from kcore_backends_cupy.emulation import arrays, streams
from kcore_backends_cupy.emulation.arrays import ndarray, taken
from kcore_backends_cupy.emulation.compiler import Library, Mode, compile_source
from kcore_backends_cupy.layout import Span, span
from kcore_backends_cupy.prelude import C_TYPES

#: Of all GPUs since 2012.
MOST_BLOCKS = (2**31 - 1, 65535, 65535)
MOST_THREADS = (1024, 1024, 64)
SHARED = 48 << 10  # bytes that a block has without asking for more

_DTYPES = {memory: dtype for dtype, (memory, _) in C_TYPES.items()} | {"i64": "int64", "u64": "uint64", "u32": "uint32"}


class RawModule:
    """Source compiled by g++."""

    def __init__(self, *, code: str, options: tuple[str, ...] = ()):
        if not isinstance(options, tuple):
            raise TypeError(f"Argument 'options' has incorrect type (expected tuple, got {type(options).__name__})")
        self._library = compile_source(code, Mode.checked)
        if self._library.shared_bytes > SHARED:
            raise RuntimeError(f"uses too much shared data (0x{self._library.shared_bytes:x} bytes, 0xc000 max)")

    def get_function(self, name: str) -> _Kernel:
        if name not in self._library.entries:
            raise RuntimeError("CUDA_ERROR_NOT_FOUND: named symbol not found")
        return _Kernel(self._library, name)


class _Kernel:
    def __init__(self, library: Library, name: str):
        self._library, self._name, self._entry = library, name, library.entries[name]
        self._dtypes = [_dtype(p, library.typedefs) for p in self._entry.parameters]

    def __call__(self, grid: Any, block: Any, args: Any, *, shared_mem: int = 0) -> None:
        _check_sizes(grid, block, self._entry.bound)
        arrays.check_device(args)
        values = self._values(args)
        spans = _reach(self._name, args) if self._library.checked else []
        grid, block = ((*size, *[1] * (3 - len(size))) for size in (grid, block))
        memory = [weakref.ref(_memory(a._a)) for a in args if isinstance(a, ndarray)]

        def run() -> None:
            if any(ref() is None for ref in memory):
                raise RuntimeError(f"kernel {self._name} was launched by a graph that outlived its arrays")
            self._library.run(self._name, grid, block, values, spans)

        streams.launch(run)

    def _values(self, args: Sequence[Any]) -> list[Any]:
        """Arguments as their bytes; those of another type than the kernel's parameters are refused."""
        if len(args) != len(self._dtypes):
            raise RuntimeError(f"kernel {self._name} has {len(self._dtypes)} parameters, and got {len(args)} arguments")
        values: list[Any] = []
        for parameter, (pointer, dtype), value in zip(self._entry.parameters, self._dtypes, args, strict=True):
            if pointer and isinstance(value, ndarray) and value.dtype == dtype:
                values.append(ctypes.c_void_p(value._a.ctypes.data))
            elif not pointer and isinstance(value, np.generic) and value.dtype == dtype:
                values.append((ctypes.c_char * value.itemsize).from_buffer_copy(value.tobytes()))
            else:
                given = f"{type(value).__name__} of {getattr(value, 'dtype', 'no dtype')}"
                raise TypeError(f"the parameter {parameter!r} of kernel {self._name} was given a {given}")
        return values


def _memory(a: np.ndarray) -> np.ndarray:
    """The array that owns the memory of a view."""
    while isinstance(a.base, np.ndarray):
        a = a.base
    return a


def _dtype(parameter: str, typedefs: dict[str, str]) -> tuple[bool, str]:
    """Whether a parameter is a pointer, and the dtype of what it is or points to."""
    ctype = parameter.rsplit(" ", 1)[0].removeprefix("const ")
    name = ctype.removesuffix("*")
    return ctype.endswith("*"), _DTYPES[typedefs.get(name, name)]


def _check_sizes(grid: Sequence[int], block: Sequence[int], bound: int) -> None:
    """What CUDA refuses as an invalid value, or runs with other sizes than were meant."""
    if not isinstance(grid, tuple) or not isinstance(block, tuple):
        raise TypeError(f"Expected tuple, got grid {grid!r} and block {block!r}")
    fit = all(0 < n <= most for n, most in (*zip(grid, MOST_BLOCKS), *zip(block, MOST_THREADS)))
    if not fit or len(grid) > 3 or len(block) > 3 or math.prod(block) > min(bound, 1024):
        raise RuntimeError(f"CUDA_ERROR_INVALID_VALUE: grid {grid}, block {block}, at most {bound} threads")


def _reach(name: str, args: Sequence[Any]) -> list[Span]:
    """What a launch may touch: its arrays, and those in the table of a merged one."""
    found = [span(a) for a in args if isinstance(a, ndarray)]
    if name.endswith("_merged"):
        for address in {int(v) for v in args[0]._a.flat}:
            found += [span(a) for a in taken(address)]
    return found
