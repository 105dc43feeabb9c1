"""How many threads NumPy's BLAS uses, and a block in which it uses one.

NumPy's wheels carry OpenBLAS; its two functions for the number of threads are found through the extension module
that links to it. Another BLAS is reached through ``threadpoolctl`` where that is installed; else it is left alone,
which costs speed and nothing else.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import threading
from collections.abc import Callable, Iterator

from numpy.linalg import _umath_linalg

# Of NumPy's own wheels, of builds with 64-bit indices, and of distributions.
_OPENBLAS_NAMES = ("scipy_openblas_{}64_", "scipy_openblas_{}", "openblas_{}64_", "openblas_{}")

_lock = threading.Lock()
_depth = 0
_threads_before = 1


@functools.cache
def _controls() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """``(get, set)`` of the number of BLAS threads, or None where it cannot be controlled."""
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(_umath_linalg.__file__)
        for name in _OPENBLAS_NAMES:
            get = getattr(library, name.format("get_num_threads"), None)
            set_ = getattr(library, name.format("set_num_threads"), None)
            if get is not None and set_ is not None:
                get.restype, get.argtypes = ctypes.c_int, []
                set_.restype, set_.argtypes = None, [ctypes.c_int]
                return get, set_
    return _threadpoolctl_controls()


def _threadpoolctl_controls() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return None
    libraries = ThreadpoolController().select(user_api="blas").lib_controllers
    if not libraries:
        return None

    def set_threads(count: int) -> None:
        for library in libraries:
            library.set_num_threads(count)

    return libraries[0].get_num_threads, set_threads


def get_threads() -> int | None:
    """The number of threads that BLAS uses now, or None if it cannot be asked."""
    controls = _controls()
    return None if controls is None else controls[0]()


def set_threads(count: int) -> None:
    """Let BLAS use ``count`` threads, where it can be told."""
    controls = _controls()
    if controls is not None:
        controls[1](count)


@contextlib.contextmanager
def single_thread() -> Iterator[None]:
    """While any thread of the process is inside such a block, BLAS uses one thread."""
    global _depth, _threads_before
    controls = _controls()
    if controls is None:
        yield
        return
    get, set_ = controls
    with _lock:
        _depth += 1
        if _depth == 1:
            _threads_before = get()
            if _threads_before != 1:
                set_(1)
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0 and _threads_before != 1:
                set_(_threads_before)
