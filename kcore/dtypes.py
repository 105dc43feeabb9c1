"""Names of element types and the rules by which they combine.

A dtype is a string such as ``"float32"`` everywhere in kcore. Unlike NumPy's rules, an integer
operand never widens a float one: float32 and int64 give float32, as users of the API expect.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kcore.errors import DTypeError

FLOATS = ("float16", "float32", "float64")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
ALL = ("bool", *INTEGERS, *FLOATS)

_KNOWN = {np.dtype(name): name for name in ALL}
_NAMES = dict.fromkeys(ALL) | {"float": "float32", "int": "int32", "double": "float64", "half": "float16"}
ITEMSIZE = {name: np.dtype(name).itemsize for name in ALL}


def canonical(dtype: Any) -> str:
    """The name of ``dtype`` (a string, a NumPy dtype or scalar type, ``bool``).

    Raises:
        DTypeError: kcore has no such element type.
    """
    if type(dtype) is str and dtype in _NAMES:
        return _NAMES[dtype] or dtype
    try:
        return _KNOWN[np.dtype(dtype)]
    except (TypeError, KeyError):
        raise DTypeError(f"{dtype!r} is not an element type of kcore; it has {', '.join(ALL)}") from None


def is_float(dtype: str) -> bool:
    """Whether ``dtype`` is one of the floating types."""
    return dtype in FLOATS


def is_integer(dtype: str) -> bool:
    """Whether ``dtype`` is a signed or unsigned integer type (bool is not)."""
    return dtype in INTEGERS


def limits(dtype: str) -> tuple[float | int, float | int]:
    """The least and the greatest value of ``dtype``: infinities of floating types, False and True of bool."""
    if dtype == "bool":
        return False, True
    if is_float(dtype):
        return -math.inf, math.inf
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)


def promote(*dtypes: str) -> str:
    """The dtype in which operands of ``dtypes`` meet: the widest float if there is one, else NumPy's choice."""
    first = dtypes[0]
    if all(d == first for d in dtypes):
        return first
    floats = [d for d in dtypes if d in FLOATS]
    if floats:
        return max(floats, key=FLOATS.index)
    joined = np.result_type(*dtypes)
    return _KNOWN.get(joined, "float32")  # int64 with uint64 has no common integer type


def of_scalar(value: Any, like: str | None, floatx: str) -> str:
    """The dtype that a Python scalar takes beside an operand of dtype ``like`` (None: it stands alone)."""
    if isinstance(value, bool):
        return like or "bool"
    if isinstance(value, int):
        if like is None or like == "bool":
            return "int32" if -(2**31) <= value < 2**31 else "int64"
        return like
    return like if like is not None and is_float(like) else floatx
