"""Constants and placeholders: where values enter the graph."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kcore import dtypes
from kcore.errors import DTypeError, ShapeError
from kcore.graph.op import Op, get_op, register
from kcore.graph.spec import Shape, Spec
from kcore.graph.tensor import Tensor

_SMALL = 512  # bytes up to which equal constants are recognized by their content


class ConstantValue:
    """An array as an attribute of a node: read-only, and hashable by content where it is small."""

    __slots__ = ("_key", "array")

    def __init__(self, array: np.ndarray):
        self.array = array
        self.array.flags.writeable = False
        small = array.nbytes <= _SMALL
        self._key = (array.dtype.str, array.shape, array.tobytes()) if small else id(self)

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ConstantValue) and self._key == other._key

    def __lt__(self, other: object) -> bool:  # attributes are sorted by name; never reached for equal names
        return NotImplemented

    def __repr__(self) -> str:
        return f"ConstantValue({self.array!r})" if self.array.size < 8 else f"ConstantValue({self.array.shape})"


@register
class ConstantOp(Op):
    """A value that is known when the graph is built."""

    name = "constant"

    def infer(self, *, value: ConstantValue) -> Spec:  # type: ignore[override]
        return Spec(value.array.shape, dtypes.canonical(value.array.dtype))

    def kernel(self, xp: Any, out: Any, *, value: ConstantValue) -> None:  # type: ignore[override]
        out[...] = xp.asarray(value.array)


@register
class PlaceholderOp(Op):
    """A value that the caller gives."""

    name = "placeholder"
    pure = False

    def infer(self, *, shape: Shape, dtype: str, name: str, sparse: bool = False) -> Spec:  # type: ignore[override]
        return Spec(shape, dtype)


def constant(
    value: Any, dtype: str | None = None, shape: tuple[int, ...] | None = None, like: str | None = None
) -> Tensor:
    """A tensor of fixed value.

    Args:
        value: a number, a nested sequence, or an array; it is copied.
        dtype: its element type; by default that of an array, `floatx` for Python floats, int32 for ints.
        shape: a shape to fill with a scalar or to give to the elements.
        like: the dtype of what stands beside it, for where `dtype` is not given. A number takes it, and so does an
            array as far as it can hold it: floats take a floating dtype, and integers an integer one that is wide
            enough.

    Raises:
        DTypeError: the value is not numeric.
    """
    from kcore.graph.node import make_node

    if dtype is None:
        dtype = _dtype_of(value, like)
    try:
        array = np.array(value, dtype=dtypes.canonical(dtype))
    except (TypeError, ValueError) as error:
        raise DTypeError(f"cannot make a {dtype} tensor of {value!r}: {error}") from None
    if shape is not None:
        if array.ndim and array.size != math.prod(shape):
            raise ShapeError(f"cannot give the shape {tuple(shape)} to the {array.size} elements of {value!r:.200}")
        array = np.full(shape, array) if array.ndim == 0 else array.reshape(shape)
    return Tensor(make_node(get_op("constant"), (), {"value": ConstantValue(array)}, origin=None))


def _dtype_of(value: Any, like: str | None) -> str:
    from kcore import config

    if hasattr(value, "dtype"):
        return _beside(np.asarray(value), dtypes.canonical(value.dtype), like, config.floatx())
    if isinstance(value, (bool, int, float)):
        return dtypes.of_scalar(value, like, config.floatx())
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise DTypeError(f"cannot make a tensor of {value!r:.80}: {error}") from None
    if array.dtype == object or array.dtype.kind not in "biuf":
        hint = ". For a size that is not known yet there is K.shape(x)[i]" if value is None else ""
        raise DTypeError(f"expected a number, an array or a tensor, got {type(value).__name__}: {value!r:.80}{hint}")
    kind = {"b": True, "f": 1.0}.get(array.dtype.kind, 0)
    return dtypes.of_scalar(kind, like, config.floatx()) if array.dtype.kind != "i" else like or _int_for(array)


def _beside(array: np.ndarray, own: str, like: str | None, floatx: str) -> str:
    """The dtype that an array of dtype `own` takes beside an operand of dtype `like`."""
    if like is None:
        return own
    if dtypes.is_float(own):
        return dtypes.of_scalar(1.0, like, floatx)
    if dtypes.is_integer(own) and dtypes.is_integer(like):
        least, most = dtypes.limits(like)
        return like if array.size == 0 or (array.min() >= least and array.max() <= most) else own
    return own


def _int_for(array: np.ndarray) -> str:
    fits = array.size == 0 or (array.min() >= -(2**31) and array.max() < 2**31)
    return "int32" if fits else "int64"


def constant_value(tensor: Tensor) -> np.ndarray | None:
    """The (read-only) array of a constant tensor, else None."""
    value = tensor.node.attrs.get("value") if tensor.node.op.name == "constant" else None
    return None if value is None else value.array


def placeholder(shape: Shape, dtype: str, name: str, sparse: bool = False) -> Tensor:
    """A tensor whose value is given at each call of a function."""
    from kcore.graph.node import make_node

    attrs = {"shape": tuple(shape), "dtype": dtypes.canonical(dtype), "name": name, "sparse": sparse}
    return Tensor(make_node(get_op("placeholder"), (), attrs))
