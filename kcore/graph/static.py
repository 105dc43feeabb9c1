"""Values that are known while the graph is built: small integers, mostly taken from shapes."""

from __future__ import annotations

import math
import operator
from typing import Any

from kcore.graph.constant import constant_value
from kcore.graph.tensor import Tensor

_ARITHMETIC = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "floor_divide": operator.floordiv,
}


def static_int(value: Any) -> int | None:
    """`value` as an int, if it is one or a scalar tensor whose value is known already; else None."""
    if isinstance(value, Tensor):
        known = static_value(value)
        return known if isinstance(known, int) else None
    try:
        return operator.index(value)
    except TypeError:
        return None


def static_value(tensor: Tensor) -> int | tuple[int | None, ...] | None:
    """The value of an integer scalar or vector as far as shapes tell it.

    Returns:
        an int for a scalar, a tuple (None where unknown) for a vector, None where nothing is known.
    """
    node = tensor.node
    name = node.op.name
    array = constant_value(tensor)
    if array is not None:
        if array.dtype.kind not in "iu" or array.ndim > 1 or array.size > 64:
            return None
        return int(array) if array.ndim == 0 else tuple(int(v) for v in array)
    if name == "full" and tensor.ndim == 0 and isinstance(node.attrs["value"], int):
        return node.attrs["value"]  # what a 0 becomes where known zeros spread: the number of samples, of none
    if name == "shape":
        return node.inputs[0].shape
    if name in ("cast", "identity"):
        return static_value(node.inputs[0])
    if name == "slice":
        return _static_slice(node)
    if name in _ARITHMETIC and tensor.ndim == 0:
        a, b = (static_value(t) for t in node.inputs)
        if isinstance(a, int) and isinstance(b, int) and not (name == "floor_divide" and b == 0):
            return _ARITHMETIC[name](a, b)
        return None
    if name == "prod" and tensor.ndim == 0:
        values = static_value(node.inputs[0])
        if isinstance(values, tuple) and None not in values:
            return math.prod(v for v in values if v is not None)
    return None


def _static_slice(node: Any) -> int | tuple[int | None, ...] | None:
    values = static_value(node.inputs[0])
    items = node.attrs["items"]
    if not isinstance(values, tuple) or len(items) != 1:
        return None
    kind, *rest = items[0]
    if kind == "int":
        return values[rest[0]]
    return values[slice(*rest)] if kind == "slice" else None
