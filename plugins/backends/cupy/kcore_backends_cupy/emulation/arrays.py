"""Arrays of the stand-in: NumPy's inside, CuPy's rules outside."""

from __future__ import annotations

import json
import operator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np


@lru_cache(maxsize=1)
def api() -> dict[str, Any]:
    """What CuPy offers (written by tests/make_api.py)."""
    return json.loads(Path(__file__).with_name("api.json").read_text(encoding="utf-8"))


class Capturing:
    """Whether a graph is being captured: then nothing but launches of kernels may happen."""

    calls: list[Any] | None = None


def touch() -> None:
    """Called by every operation on arrays."""
    if Capturing.calls is not None:
        raise RuntimeError("cudaErrorStreamCaptureUnsupported: an operation that cannot be captured")


class _Pointer:
    def __init__(self, ptr: int):
        self.ptr = ptr


class ndarray:
    """An array of the stand-in; `_a` is the NumPy array behind it."""

    __slots__ = ("__weakref__", "_a")
    __hash__ = None  # type: ignore[assignment]
    __array_ufunc__ = None

    def __init__(self, a: np.ndarray):
        self._a = a

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`")

    @property
    def data(self) -> _Pointer:
        return _Pointer(self._a.ctypes.data)

    def get(self, out: np.ndarray | None = None) -> np.ndarray:
        touch()
        if out is None:
            return self._a.copy()
        out[...] = self._a
        return out

    def set(self, value: np.ndarray) -> None:
        touch()
        assert isinstance(value, np.ndarray) and value.dtype == self._a.dtype and value.shape == self._a.shape
        self._a[...] = value

    def __getattr__(self, name: str) -> Any:
        if name not in api()["ndarray"]:
            raise AttributeError(f"cupy.ndarray has no attribute {name!r}")
        value = getattr(self._a, name)
        if callable(value):
            return lambda *args, **kwargs: call(value, args, kwargs)
        return wrap(value)

    def __getitem__(self, key: Any) -> Any:
        index = unwrap_index(key)
        found = self._a[index]
        if not isinstance(found, np.ndarray):  # CuPy's element is a view, not a number
            found = self._a[(*index, ...) if isinstance(index, tuple) else (index, ...)]
        return ndarray(found)

    def __setitem__(self, key: Any, value: Any) -> None:
        touch()
        if isinstance(value, np.ndarray) and value.ndim:
            raise TypeError("Unsupported type <class 'numpy.ndarray'>")
        self._a[unwrap_index(key)] = unwrap(value)

    def __len__(self) -> int:
        return len(self._a)

    def __bool__(self) -> bool:
        touch()
        return bool(self._a)

    def __int__(self) -> int:
        touch()
        return int(self._a)

    def __index__(self) -> int:
        touch()
        return operator.index(self._a)

    def __float__(self) -> float:
        touch()
        return float(self._a)

    def __format__(self, spec: str) -> str:
        return format(self._a, spec)

    def __repr__(self) -> str:
        return repr(self._a)

    __str__ = __repr__


def _operator(name: str, reflected: bool = False) -> Any:
    function = getattr(operator, name)

    def method(self: ndarray, *others: Any) -> Any:
        return call(function, (*others, self) if reflected else (self, *others), {})

    return method


def _in_place(name: str) -> Any:
    function = getattr(operator, name)

    def method(self: ndarray, other: Any) -> ndarray:
        touch()
        function(self._a, unwrap(other))
        return self

    return method


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor", "lshift",
              "rshift"):  # fmt: skip
    setattr(ndarray, f"__{_name}__", _operator(f"__{_name}__"))
    setattr(ndarray, f"__r{_name}__", _operator(f"__{_name}__", reflected=True))
    setattr(ndarray, f"__i{_name}__", _in_place(f"__i{_name}__"))
for _name in ("eq", "ne", "lt", "le", "gt", "ge", "neg", "invert", "abs", "pos"):
    setattr(ndarray, f"__{_name}__", _operator(f"__{_name}__"))


def unwrap(value: Any) -> Any:
    """The NumPy side of an argument; arrays of the host are refused, as CuPy refuses them."""
    if isinstance(value, ndarray):
        return value._a
    if isinstance(value, np.ndarray):
        raise TypeError("Unsupported type <class 'numpy.ndarray'>")
    if isinstance(value, (list, tuple)):
        return type(value)(unwrap(v) for v in value)
    return value


def unwrap_index(key: Any) -> Any:
    """An index: arrays of the host are allowed there."""
    if isinstance(key, tuple):
        return tuple(unwrap_index(k) for k in key)
    return key._a if isinstance(key, ndarray) else key


def wrap(value: Any) -> Any:
    """A result: arrays and NumPy scalars (of 0 dimensions in CuPy) as arrays of the stand-in."""
    if isinstance(value, np.ndarray):
        return ndarray(value)
    if isinstance(value, np.generic):
        return ndarray(np.array(value))
    if isinstance(value, (list, tuple)) and any(isinstance(v, (np.ndarray, np.generic)) for v in value):
        return [wrap(v) for v in value] if isinstance(value, list) else tuple(wrap(v) for v in value)
    return value


def call(function: Any, args: Any, kwargs: Any) -> Any:
    """A NumPy function on arrays of the stand-in."""
    touch()
    with np.errstate(all="ignore"):  # a GPU never warns
        result = function(*unwrap(tuple(args)), **{k: unwrap(v) for k, v in kwargs.items()})
    out = kwargs.get("out")
    return out if isinstance(out, ndarray) else wrap(result)
