"""Arrays of the stand-in: NumPy's inside, CuPy's rules outside."""

from __future__ import annotations

import json
import operator
import weakref
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from kcore_backends_cupy.emulation.compiler import Mode
from kcore_backends_cupy.emulation.streams import Device, Recorder, Stream, current_device, current_stream, touch


@lru_cache(maxsize=1)
def api() -> dict[str, Any]:
    """What CuPy offers (written by tests/make_api.py)."""
    return json.loads(Path(__file__).with_name("api.json").read_text(encoding="utf-8"))


class _Pointer:
    def __init__(self, ptr: int):
        self.ptr = ptr


_taken: dict[int, list[weakref.ref[ndarray]]] = {}


def taken(address: int) -> list[ndarray]:
    """The arrays that begin at an address, of those whose address somebody asked for."""
    return [a for a in (ref() for ref in _taken.get(address, ())) if a is not None]


class ndarray:
    """An array of the stand-in; `_a` is the NumPy array behind it, `_on` the number of its device."""

    __slots__ = ("__weakref__", "_a", "_on")
    __hash__ = None  # type: ignore[assignment]
    __array_ufunc__ = None

    def __init__(self, a: np.ndarray, on: int | None = None):
        self._a = a
        self._on = current_device() if on is None else on

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`")

    @property
    def data(self) -> _Pointer:
        address = self._a.ctypes.data
        if Mode.checked and not any(a is self for a in taken(address)):
            _taken[address] = [*map(weakref.ref, taken(address)), weakref.ref(self)]
        return _Pointer(address)

    @property
    def device(self) -> Device:
        return Device(self._on)

    def get(
        self, stream: Stream | None = None, order: str = "C", out: np.ndarray | None = None, blocking: bool = True
    ) -> np.ndarray:
        target = np.empty(self._a.shape, self._a.dtype) if out is None else out
        if target.shape != self._a.shape or target.dtype != self._a.dtype:
            raise ValueError("shape and dtype of out must be those of the array")
        _copy_in(stream, lambda: np.copyto(target, self._a), blocking)
        return target

    def set(self, arr: np.ndarray, stream: Stream | None = None) -> None:
        assert isinstance(arr, np.ndarray) and arr.dtype == self._a.dtype and arr.shape == self._a.shape
        _copy_in(stream, lambda: np.copyto(self._a, arr), stream is None)

    def __getattr__(self, name: str) -> Any:
        if name not in api()["ndarray"]:
            raise AttributeError(f"cupy.ndarray has no attribute {name!r}")
        value = getattr(self._a, name)
        if callable(value):
            return lambda *args, **kwargs: call(value, args, kwargs, self._on)
        return wrap(value, self._on)

    def __getitem__(self, key: Any) -> Any:
        index = unwrap_index(key)
        found = self._a[index]
        if not isinstance(found, np.ndarray):  # CuPy's element is a view, not a number
            found = self._a[(*index, ...) if isinstance(index, tuple) else (index, ...)]
        return ndarray(found, self._on)

    def __setitem__(self, key: Any, value: Any) -> None:
        touch()
        check_device((self, value))
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
        check_device((self, other))
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


def wrap(value: Any, on: int | None = None) -> Any:
    """A result: arrays and NumPy scalars (of 0 dimensions in CuPy) as arrays of the stand-in."""
    if isinstance(value, np.ndarray):
        return ndarray(value, on)
    if isinstance(value, np.generic):
        return ndarray(np.array(value), on)
    if isinstance(value, (list, tuple)) and any(isinstance(v, (np.ndarray, np.generic)) for v in value):
        return [wrap(v, on) for v in value] if isinstance(value, list) else tuple(wrap(v, on) for v in value)
    return value


def check_device(values: Any) -> None:
    """Work on the current device takes arrays of that device."""
    for value in values:
        if isinstance(value, ndarray) and value._on != current_device():
            raise ValueError(
                f"Array device must be same as the current device: array device = {value._on} while current = "
                f"{current_device()}"
            )


def _copy_in(stream: Stream | None, copy: Any, blocking: bool) -> None:
    """A copy from or to the host, in a stream; a blocking one waits for its end."""
    if stream is None:
        touch()
        stream = current_stream()
    Recorder.note("copy", stream)
    stream.enqueue(copy)
    if blocking:
        stream.run()


def call(function: Any, args: Any, kwargs: Any, on: int | None = None) -> Any:
    """A NumPy function on arrays of the stand-in; `on` is the device of the array whose method it is."""
    touch()
    check_device(args)
    check_device(kwargs.values())
    with np.errstate(all="ignore"):  # a GPU never warns
        result = function(*unwrap(tuple(args)), **{k: unwrap(v) for k, v in kwargs.items()})
    out = kwargs.get("out")
    return out if isinstance(out, ndarray) else wrap(result, on)
