"""The stand-in's module: functions of NumPy under CuPy's names and keywords, kernels, streams and graphs."""

from __future__ import annotations

import types
from typing import Any

import numpy as np

from kcore_backends_cupy.availability import checking
from kcore_backends_cupy.emulation import streams
from kcore_backends_cupy.emulation.arrays import api, call, ndarray
from kcore_backends_cupy.emulation.compiler import Mode
from kcore_backends_cupy.emulation.kernels import RawModule

MEMORY = 1 << 30  # bytes of an emulated GPU, all of them always free


class _Function:
    """A function of CuPy: keywords that it does not have are refused."""

    def __init__(self, name: str, function: Any, keywords: list[str] | None, methods: bool):
        self.__name__ = name
        self._function, self._keywords, self._methods = function, keywords, methods

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        unknown = [] if self._keywords is None else [k for k in kwargs if k not in self._keywords]
        if unknown and "kwargs" not in (self._keywords or ()):
            raise TypeError(f"cupy.{self.__name__} got an unexpected keyword argument {unknown[0]!r}")
        if self.__name__ in ("asarray", "array"):
            streams.touch()
            source = args[0]._a if isinstance(args[0], ndarray) else args[0]
            made = np.array(source, **kwargs)
            return args[0] if isinstance(args[0], ndarray) and made.dtype == args[0].dtype else ndarray(made)
        if self.__name__ == "empty":
            return _empty(*args, **kwargs)
        return call(self._function, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if not self._methods or name not in api()["ufunc_methods"]:
            raise AttributeError(f"cupy.{self.__name__} has no attribute {name!r}")
        method = getattr(self._function, name)
        return lambda *args, **kwargs: call(method, args, kwargs)


def _empty(shape: Any, dtype: Any = float, order: str = "C") -> ndarray:
    """Memory aligned as a GPU's, filled with what nobody would take for a result."""
    streams.touch()
    dims = (shape,) if isinstance(shape, int) else tuple(shape)
    nbytes = int(np.prod(dims, dtype=np.int64)) * np.dtype(dtype).itemsize
    memory = np.full(nbytes + 256, 0xFF, np.uint8)
    start = -memory.ctypes.data % 256
    return ndarray(memory[start : start + nbytes].view(dtype).reshape(dims))


class OutOfMemoryError(MemoryError):
    """As CuPy's."""


def make_cupy(on_paper: bool = False) -> Any:
    """The stand-in for the module `cupy`; `on_paper`, to bind plans only."""
    Mode.checked = checking()
    module: Any = types.ModuleType("emulated cupy")
    module.ndarray, module.RawModule = ndarray, RawModule
    ufuncs = set(api()["ufuncs"])
    for name, keywords in api()["functions"].items():
        function = getattr(np, name, None)
        if function is not None and not hasattr(module, name):
            special = isinstance(function, type) and name not in ("asarray", "array", "empty")
            value = function if special else _Function(name, function, keywords, name in ufuncs)
            setattr(module, name, value)
    known = {n: k for n, k in api()["linalg"].items() if hasattr(np.linalg, n)}
    module.linalg = types.SimpleNamespace(
        **{n: _Function(n, getattr(np.linalg, n), k, False) for n, k in known.items()}
    )
    module.inf, module.nan, module.newaxis, module.pi = np.inf, np.nan, None, np.pi
    runtime = types.SimpleNamespace(
        getDeviceCount=streams.device_count,
        CUDARuntimeError=RuntimeError,
        memGetInfo=lambda: (MEMORY, MEMORY),
        deviceCanAccessPeer=lambda device, peerDevice: 1,
        deviceEnablePeerAccess=lambda peerDevice: None,
        memcpyPeerAsync=streams.memcpy_peer_async,
    )
    module.cuda = types.SimpleNamespace(
        Stream=streams.Stream,
        Event=streams.Event,
        Device=streams.Device,
        get_current_stream=streams.current_stream,
        alloc_pinned_memory=bytearray,
        runtime=runtime,
        memory=types.SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
    )
    module.get_default_memory_pool = lambda: types.SimpleNamespace(used_bytes=lambda: 0)
    if on_paper:
        from kcore_backends_cupy.emulation.paper import put_on_paper

        return put_on_paper(module)
    return module
