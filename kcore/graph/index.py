"""``x[...]`` on tensors: integers, slices, ``None`` and ``...``, as NumPy's basic indexing."""

from __future__ import annotations

import operator
from typing import Any

from kcore.errors import ShapeError
from kcore.graph.node import apply
from kcore.graph.spec import Shape, Spec
from kcore.graph.tensor import Tensor

# An item of the attribute: ("int", i), ("slice", start, stop, step) or ("new",) for a new axis.
Item = tuple[Any, ...]


def index(x: Tensor, item: Any) -> Tensor:
    """``x[item]`` as a node of the operation ``slice``; a tensor or a list of ints gathers along axis 0.

    Raises:
        ShapeError: too many indices, or one out of range.
    """
    parts = item if isinstance(item, tuple) else (item,)
    if len(parts) == 1 and (isinstance(item, (Tensor, list)) or hasattr(item, "dtype")) and not _is_int(item):
        return apply("gather", x, item)
    items = normalize(x.spec, parts)
    if all(i == ("slice", None, None, None) for i in items):
        return x
    return apply("slice", x, items=items)


def _is_int(value: Any) -> bool:
    try:
        operator.index(value)
    except TypeError:
        return False
    return not isinstance(value, bool)


def normalize(x: Spec, parts: tuple[Any, ...]) -> tuple[Item, ...]:
    """Spell an index out: one item for each axis of `x`, plus new axes."""
    used = sum(1 for p in parts if p is not None and p is not Ellipsis)
    if used > x.ndim:
        raise ShapeError(f"too many indices: {used} for a tensor of {x.ndim} dimensions, {x}")
    if sum(1 for p in parts if p is Ellipsis) > 1:
        raise ShapeError("an index can hold one '...' only")
    if not any(p is Ellipsis for p in parts):
        parts = (*parts, Ellipsis)
    items: list[Item] = []
    for part in parts:
        if part is Ellipsis:
            items += [("slice", None, None, None)] * (x.ndim - used)
        elif part is None:
            items.append(("new",))
        else:
            items.append(_item(part))
    return tuple(items)


def _item(part: Any) -> Item:
    if isinstance(part, slice):
        bounds = [None if b is None else _int_of(b, part) for b in (part.start, part.stop, part.step)]
        if bounds[2] == 0:
            raise ShapeError("a slice step cannot be 0")
        return ("slice", *bounds)
    return ("int", _int_of(part, part))


def require_inside(x: Spec, items: tuple[Item, ...]) -> None:
    """Refuse an integer that is out of range for its axis of `x`."""
    axis = 0
    for kind, *rest in items:
        dim = None if kind == "new" else x.shape[axis]
        if kind == "int" and dim is not None and not -dim <= rest[0] < dim:
            empty = ", which is empty" if dim == 0 else ""
            raise ShapeError(f"index {rest[0]} is out of range for axis {axis} of {x}{empty}")
        axis += kind != "new"


def _int_of(value: Any, part: Any) -> int:
    from kcore.graph.static import static_int

    known = static_int(value)
    if known is None or isinstance(value, bool):
        raise ShapeError(
            f"cannot index a tensor with {part!r}: expected ints, slices of ints, None and '...'; "
            "use K.gather for indices held in a tensor"
        )
    return known


def indexed_shape(shape: Shape, items: tuple[Item, ...]) -> Shape:
    """The shape of ``x[items]``."""
    dims: list[int | None] = []
    axes = iter(shape)
    for kind, *rest in items:
        if kind == "new":
            dims.append(1)
            continue
        dim = next(axes)
        if kind == "slice":
            dims.append(_slice_length(dim, *rest))
    return tuple(dims)


def _slice_length(dim: int | None, start: int | None, stop: int | None, step: int | None) -> int | None:
    return None if dim is None else len(range(*slice(start, stop, step).indices(dim)))


def to_numpy_index(items: tuple[Item, ...]) -> tuple[Any, ...]:
    """The index as arrays take it."""
    return tuple(None if i[0] == "new" else i[1] if i[0] == "int" else slice(*i[1:]) for i in items)
