"""What many operations share: broadcasting, axes, gradients of broadcasts, values known in advance."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from numbers import Real
from typing import Any

from kcore import config
from kcore.dtypes import is_float
from kcore.errors import ArgumentError, DTypeError, GraphError, ShapeError
from kcore.graph import Node, Shape, Spec, Tensor, apply, constant
from kcore.ops.creation import fill_value


def as_tensor(value: Any, dtype: str | None = None) -> Tensor:
    """`value` itself if it is a tensor, else a constant (of `dtype` if given)."""
    return value if isinstance(value, Tensor) else constant(value, dtype=dtype)


def no_python_bool(function: str, x: Any) -> None:
    """Refuse what ``a == b`` of two tensors gives, which compares them as objects."""
    if isinstance(x, bool):
        raise GraphError(
            f"{function} got the Python value {x}, no tensor. If it comes from `a == b` or `a != b`: with two tensors "
            "these say whether both are one. Use K.equal(a, b) or K.not_equal(a, b) to compare their elements."
        )


def float_of(dtype: str) -> str:
    """`dtype` if it is floating, else `floatx`: the result of a transcendental function."""
    return dtype if is_float(dtype) else config.floatx()


def require_float(op: str, *specs: Spec) -> None:
    """Refuse inputs that are not floating."""
    for spec in specs:
        if not is_float(spec.dtype):
            raise DTypeError(f"{op} needs floating-point input, got {spec}; use K.cast(x, K.floatx())", op=op)


def require_integer(op: str, spec: Spec) -> None:
    """Refuse an input that holds no integers."""
    if is_float(spec.dtype) or spec.dtype == "bool":
        raise DTypeError(f"{op} needs integer indices, got {spec}; use K.cast(x, 'int32')", op=op)


def number(function: str, name: str, value: Any, whole: bool = False) -> float | int:
    """An argument that should be a number; an array of no dimensions is one.

    Raises:
        ValueError: it is none, or it is not whole though it should be.
    """
    given = value.item() if getattr(value, "size", 0) == 1 and hasattr(value, "item") else value
    if not isinstance(given, Real) or (whole and given % 1 != 0):
        what = "a whole number" if whole else "a number"
        raise ArgumentError(f"{function}: {name} must be {what}, got {value!r}")
    return given  # type: ignore[return-value]


# -- shapes -----------------------------------------------------------------------------------------------


def broadcast_shapes(op: str, *specs: Spec) -> Shape:
    """The shape to which `specs` broadcast.

    Raises:
        ShapeError: they do not; the message holds every shape.
    """
    first = specs[0].shape
    if all(s.shape == first for s in specs):
        return first
    ndim = max(s.ndim for s in specs)
    dims: list[int | None] = []
    for axis in range(-ndim, 0):
        known = {s.shape[axis] for s in specs if s.ndim >= -axis}
        sizes = {n for n in known if n is not None and n != 1}
        if len(sizes) > 1:
            shapes = " and ".join(str(s) for s in specs)
            raise ShapeError(
                f"{op}: {shapes} do not broadcast: {' and '.join(map(str, sorted(sizes)))} at axis {axis}",
                shapes=tuple(s.shape for s in specs),
                op=op,
            )
        dims.append(sizes.pop() if sizes else None if None in known else 1)
    return tuple(dims)


def normalize_axis(op: str, axis: Any, ndim: int) -> int:
    """`axis` as an int in ``[0, ndim)``.

    Raises:
        ShapeError: it is no integer, or out of range.
    """
    try:
        index = operator.index(axis)
    except TypeError:
        raise ShapeError(f"{op}: an axis must be an int, got {axis!r}", op=op) from None
    if not -ndim <= index < ndim:
        raise ShapeError(f"{op}: axis {axis} is out of range for {ndim} dimensions", op=op)
    return index % ndim


def normalize_axes(op: str, axis: Any, ndim: int) -> tuple[int, ...]:
    """`axis` (None for all, an int, or several) as a sorted tuple of distinct ints in ``[0, ndim)``."""
    if axis is None:
        return tuple(range(ndim))
    given = tuple(axis) if isinstance(axis, Iterable) else (axis,)
    axes = sorted(normalize_axis(op, a, ndim) for a in given)
    if len(set(axes)) != len(axes):
        raise ShapeError(f"{op}: axis {axis} names an axis twice", op=op)
    return tuple(axes)


def merge_dims(op: str, specs: Iterable[Spec], axis: int | None = None) -> list[int | None]:
    """The common shape of `specs`, each dimension as well known as any of them knows it.

    Args:
        axis: a dimension in which they may differ.

    Raises:
        ShapeError: they differ elsewhere.
    """
    specs = tuple(specs)
    if len({s.ndim for s in specs}) != 1:
        raise ShapeError(f"{op}: ranks differ: {', '.join(map(str, specs))}", shapes=tuple(s.shape for s in specs))
    dims: list[int | None] = []
    for i, column in enumerate(zip(*(s.shape for s in specs), strict=True)):
        known = set(column) - {None}
        if len(known) > 1 and i != axis:
            raise ShapeError(
                f"{op}: {', '.join(map(str, specs))} differ in dimension {i}"
                + ("" if axis is None else f"; only dimension {axis} may differ"),
                shapes=tuple(s.shape for s in specs),
                op=op,
            )
        dims.append(known.pop() if len(known) == 1 else None)
    return dims


# -- gradients --------------------------------------------------------------------------------------------


def unbroadcast(g: Tensor, x: Tensor, *others: Tensor) -> Tensor | None:
    """The gradient of `x` from that of a result to which `x` and `others` were broadcast.

    Sums over the axes along which `x` was repeated. Where shapes do not tell yet whether it was, the node
    ``sum_to`` decides when the plan is made. None if `x` is not floating.
    """
    if not is_float(x.dtype):
        return None
    if g.dtype != x.dtype:
        g = apply("cast", g, dtype=x.dtype)
    lead = g.ndim - x.ndim
    keep: list[int] = []
    for axis, dim in enumerate(x.shape, start=lead):
        if dim == 1 and g.shape[axis] != 1:
            keep.append(axis)
        elif dim is None and not all(_is_one(other, axis - g.ndim) for other in others):
            return sum_to(g, x)
    if keep:
        g = apply("sum", g, axes=tuple(keep), keepdims=True)
    return apply("sum", g, axes=tuple(range(lead)), keepdims=False) if lead else g


def _is_one(x: Tensor, axis: int) -> bool:
    """Whether dimension `axis` (counted from the end) of `x` is 1, or not there."""
    return x.ndim < -axis or x.shape[axis] == 1


def sum_to(g: Tensor, x: Tensor) -> Tensor:
    """Sum `g` over the axes along which `x` was broadcast to the shape of `g`."""
    return apply("sum_to", g, x)


# -- rewriting ----------------------------------------------------------------------------------------------


def same_spec(x: Tensor, spec: Spec) -> bool:
    """Whether `x` has exactly this shape and dtype, so that it can stand for a value of that spec."""
    return x.spec == spec and spec.known


def refill(node: Node) -> Tensor | None:
    """For an operation that only moves elements: ``full`` of the output's shape if input 0 has one value only."""
    value = fill_value(node.inputs[0])
    (spec,) = node.specs
    if value is None or not spec.known:
        return None
    return apply("full", shape=spec.shape, value=value, dtype=spec.dtype)
