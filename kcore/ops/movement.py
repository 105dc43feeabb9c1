"""Operations that move elements or reinterpret shapes: mostly views of the same memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kcore.errors import ShapeError
from kcore.graph import Node, Op, Spec, Tensor, apply, decode_shape, dims_of, encode_shape, register
from kcore.ops.common import as_tensor, normalize_axes, normalize_axis, refill

Grads = Sequence["Tensor | None"]
Shape = tuple[int, ...]


@register
class Reshape(Op):
    """The same elements in another shape; one dimension may be -1. Dimensions may be tensors."""

    name = "reshape"
    view = "contiguous"
    dims = "shape"
    zero_in = (0,)

    def infer(self, x: Spec, *extra: Spec, shape: Shape) -> Spec:  # type: ignore[override]
        if shape.count(-1) > 1:
            raise ShapeError(f"reshape: only one dimension of {shape} can be -1", op=self.name)
        known = decode_shape(shape)
        if not x.known:
            return Spec(_single_unknown(x, shape, known), x.dtype)
        fixed = math.prod(d for d in known if d is not None)
        unknown = known.count(None)
        fits = x.size == fixed if not unknown else (x.size % fixed == 0 if fixed else x.size == 0)
        if not fits or (unknown and not fixed and -1 in shape):
            raise ShapeError(
                f"cannot reshape {x} of {x.size} elements to {_show(shape)}",
                shapes=(x.shape, known),
                op=self.name,
            )
        if unknown == 1 and fixed:
            known = tuple(x.size // fixed if d is None else d for d in known)
        return Spec(known, x.dtype)

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        return [reshape_like(g, node.inputs[0]), *[None] * (len(node.inputs) - 1)]

    def as_view(self, xp: Any, x: Any, *, shape: Shape) -> Any:  # type: ignore[override]
        return x.reshape(shape)

    def kernel(self, xp: Any, out: Any, x: Any, *extra: Any, shape: Shape) -> None:  # type: ignore[override]
        out.reshape(x.shape)[...] = x  # `out` has no gaps, so it can be seen in the shape of `x`

    def simplify(self, node: Node) -> Tensor | None:
        (x,) = node.inputs
        if x.spec == node.specs[0]:
            return x
        if x.node.op.name in ("reshape", "expand_dims", "squeeze"):
            return apply("reshape", x.node.inputs[0], shape=node.specs[0].shape)
        return refill(node)


def _single_unknown(x: Spec, shape: Shape, known: tuple[int | None, ...]) -> tuple[int | None, ...]:
    """Dimensions that follow although a dimension of `x` is unknown: where it is kept as it is."""
    if -1 not in shape or x.shape.count(None) != 1 or any(d < -1 for d in shape):
        return known
    # (None, 6) to (-1, 2): the product of the known dimensions must be divisible.
    rest, fixed = math.prod(d for d in x.shape if d is not None), math.prod(d for d in known if d is not None)
    if rest and fixed and rest % fixed and fixed % rest:
        raise ShapeError(f"cannot reshape {x} to {_show(shape)}", shapes=(x.shape, known), op="reshape")
    return known


def _show(shape: Shape) -> str:
    return "(" + ", ".join("?" if d < -1 else str(d) for d in shape) + ")"


@register
class Transpose(Op):
    """The axes in another order: axis i of the result is axis ``perm[i]`` of the input."""

    name = "transpose"
    view = True
    zero_in = (0,)

    def infer(self, x: Spec, *, perm: Shape) -> Spec:  # type: ignore[override]
        if sorted(perm) != list(range(x.ndim)):
            raise ShapeError(f"transpose: {perm} does not name each axis of {x} once", op=self.name)
        return Spec(tuple(x.shape[p] for p in perm), x.dtype)

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        perm = node.attrs["perm"]
        return [transpose(g, tuple(perm.index(i) for i in range(len(perm))))]

    def as_view(self, xp: Any, x: Any, *, perm: Shape) -> Any:  # type: ignore[override]
        return x.transpose(perm)

    def kernel(self, xp: Any, out: Any, x: Any, *, perm: Shape) -> None:  # type: ignore[override]
        out[...] = x.transpose(perm)

    def simplify(self, node: Node) -> Tensor | None:
        (x,), perm = node.inputs, node.attrs["perm"]
        if perm == tuple(range(len(perm))):
            return x
        if x.node.op.name == "transpose":
            inner = x.node.attrs["perm"]
            return transpose(x.node.inputs[0], tuple(inner[p] for p in perm))
        moving = [p for p in perm if x.shape[p] != 1]
        if moving == sorted(moving) and _is_dense(x):  # only axes of length 1 move
            return apply("reshape", x, shape=node.specs[0].shape)
        return refill(node)


@register
class ExpandDims(Op):
    """New axes of length 1, at the positions `axes` of the result."""

    name = "expand_dims"
    view = True
    zero_in = (0,)

    def infer(self, x: Spec, *, axes: Shape) -> Spec:  # type: ignore[override]
        dims: list[int | None] = list(x.shape)
        for axis in axes:
            dims.insert(axis, 1)
        return Spec(tuple(dims), x.dtype)

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        return [apply("squeeze", g, axes=node.attrs["axes"])]

    def as_view(self, xp: Any, x: Any, *, axes: Shape) -> Any:  # type: ignore[override]
        return xp.expand_dims(x, axes)

    def kernel(self, xp: Any, out: Any, x: Any, *, axes: Shape) -> None:  # type: ignore[override]
        out[...] = xp.expand_dims(x, axes)

    def simplify(self, node: Node) -> Tensor | None:
        return apply("reshape", node.inputs[0], shape=node.specs[0].shape) if _is_dense(node.inputs[0]) else None


@register
class Squeeze(Op):
    """The input without its `axes`, which have length 1."""

    name = "squeeze"
    view = True
    zero_in = (0,)

    def infer(self, x: Spec, *, axes: Shape) -> Spec:  # type: ignore[override]
        for axis in axes:
            if x.shape[axis] not in (1, None):
                raise ShapeError(f"squeeze: axis {axis} of {x} has length {x.shape[axis]}, not 1", op=self.name)
        return Spec(tuple(d for i, d in enumerate(x.shape) if i not in axes), x.dtype)

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        return [apply("expand_dims", g, axes=node.attrs["axes"])]

    def as_view(self, xp: Any, x: Any, *, axes: Shape) -> Any:  # type: ignore[override]
        return xp.squeeze(x, axes)

    def kernel(self, xp: Any, out: Any, x: Any, *, axes: Shape) -> None:  # type: ignore[override]
        out[...] = xp.squeeze(x, axes)

    def simplify(self, node: Node) -> Tensor | None:
        return apply("reshape", node.inputs[0], shape=node.specs[0].shape) if _is_dense(node.inputs[0]) else None


def _is_dense(x: Tensor) -> bool:
    """Whether `x` is no view with gaps: then a reshape of it is free, and reshapes merge."""
    return not x.node.op.view or x.node.op.view == "contiguous"


@register
class BroadcastTo(Op):
    """The input repeated along axes of length 1, and along new leading axes. Dimensions may be tensors."""

    name = "broadcast_to"
    view = True
    dims = "shape"
    zero_in = (0,)

    def infer(self, x: Spec, *extra: Spec, shape: Shape) -> Spec:  # type: ignore[override]
        target = Spec(decode_shape(shape), x.dtype)
        lead = target.ndim - x.ndim
        pairs = zip(x.shape, target.shape[lead:])
        if lead < 0 or any(d not in (1, None, t) and t is not None for d, t in pairs):
            raise ShapeError(f"cannot broadcast {x} to {_show(shape)}", shapes=(x.shape, target.shape), op=self.name)
        return target

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        return [apply("sum_to", g, node.inputs[0]), *[None] * (len(node.inputs) - 1)]

    def as_view(self, xp: Any, x: Any, *, shape: Shape) -> Any:  # type: ignore[override]
        return xp.broadcast_to(x, shape)

    def kernel(self, xp: Any, out: Any, x: Any, *extra: Any, shape: Shape) -> None:  # type: ignore[override]
        out[...] = x

    def simplify(self, node: Node) -> Tensor | None:
        (x,) = node.inputs
        if x.spec == node.specs[0]:
            return x
        if x.node.op.name == "broadcast_to":
            return apply("broadcast_to", x.node.inputs[0], shape=node.specs[0].shape)
        return refill(node)


@register
class SumTo(Op):
    """The reverse of broadcasting: `g` summed over the axes along which `x` was repeated.

    Disappears when the plan is made: then shapes tell which axes these are, mostly none.
    """

    name = "sum_to"
    zero_in = (0,)

    def infer(self, g: Spec, x: Spec) -> Spec:  # type: ignore[override]
        return Spec(x.shape, g.dtype)

    def vjp(self, node: Node, gg: Tensor) -> Grads:  # type: ignore[override]
        return [broadcast_to(gg, dims_of(node.inputs[0])), None]

    def kernel(self, xp: Any, out: Any, g: Any, x: Any) -> None:  # type: ignore[override]
        lead = g.ndim - x.ndim
        axes = _repeated_axes(g.shape, x.shape)
        xp.sum(g, axis=axes, keepdims=True, out=out.reshape((1,) * lead + out.shape))

    def simplify(self, node: Node) -> Tensor | None:
        g, x = node.inputs
        if g.shape == x.shape:
            return g
        axes = _repeated_axes(g.shape, x.shape)
        lead = g.ndim - x.ndim
        total = apply("sum", g, axes=axes, keepdims=axes != tuple(range(lead))) if axes else g
        return total if total.shape == x.shape else apply("reshape", total, shape=x.shape)


def _repeated_axes(full: Sequence[int | None], part: Sequence[int | None]) -> Shape:
    lead = len(full) - len(part)
    return tuple(i for i, n in enumerate(full) if i < lead or (part[i - lead] == 1 and n != 1))


@register
class Reverse(Op):
    """The order of elements along `axes` turned round."""

    name = "reverse"
    view = True
    zero_in = (0,)

    def infer(self, x: Spec, *, axes: Shape) -> Spec:  # type: ignore[override]
        return x

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        return [apply("reverse", g, axes=node.attrs["axes"])]

    def as_view(self, xp: Any, x: Any, *, axes: Shape) -> Any:  # type: ignore[override]
        return xp.flip(x, axes)

    def kernel(self, xp: Any, out: Any, x: Any, *, axes: Shape) -> None:  # type: ignore[override]
        out[...] = xp.flip(x, axes)

    def simplify(self, node: Node) -> Tensor | None:
        inner = node.inputs[0].node
        if inner.op.name == "reverse" and inner.attrs["axes"] == node.attrs["axes"]:
            return inner.inputs[0]
        return refill(node)


# -- functions --------------------------------------------------------------------------------------------


def reshape(x: Any, shape: Any) -> Tensor:
    """`x` in another shape: ints, at most one -1 (or None), scalar tensors; or a 1-D tensor."""
    encoded, extra = encode_shape(shape)
    return apply("reshape", as_tensor(x), *extra, shape=encoded)


def reshape_like(x: Tensor, like: Tensor) -> Tensor:
    """`x` in the shape of `like`, which has as many elements."""
    if like.shape.count(None) == 1 and 0 not in like.shape:
        return apply("reshape", x, shape=tuple(-1 if d is None else d for d in like.shape))
    return reshape(x, dims_of(like))


def flatten(x: Any) -> Tensor:
    """All elements of `x` in one dimension."""
    return reshape(x, (-1,))


def transpose(x: Any, perm: Sequence[int] | None = None) -> Tensor:
    """`x` with its axes in the order `perm` (default: reversed)."""
    x = as_tensor(x)
    order = range(x.ndim - 1, -1, -1) if perm is None else perm
    if len(order) != x.ndim:
        raise ShapeError(f"transpose: {tuple(order)} does not name each axis of {x.spec} once", op="transpose")
    axes = tuple(normalize_axis("transpose", p, x.ndim) for p in order)
    return x if axes == tuple(range(x.ndim)) else apply("transpose", x, perm=axes)


def expand_dims(x: Any, axis: int | Sequence[int] = -1) -> Tensor:
    """`x` with new axes of length 1 at the position(s) `axis` of the result."""
    x = as_tensor(x)
    added = 1 if isinstance(axis, int) else len(axis)
    return apply("expand_dims", x, axes=normalize_axes("expand_dims", axis, x.ndim + added))


def squeeze(x: Any, axis: int | Sequence[int]) -> Tensor:
    """`x` without the axis (or axes) `axis`, of length 1."""
    x = as_tensor(x)
    return apply("squeeze", x, axes=normalize_axes("squeeze", axis, x.ndim))


def broadcast_to(x: Any, shape: Any) -> Tensor:
    """`x` repeated to `shape`."""
    x = as_tensor(x)
    encoded, extra = encode_shape(shape)
    return x if encoded == x.shape else apply("broadcast_to", x, *extra, shape=encoded)


def reverse(x: Any, axes: int | Sequence[int]) -> Tensor:
    """`x` with the order of elements along `axes` turned round."""
    x = as_tensor(x)
    return apply("reverse", x, axes=normalize_axes("reverse", axes, x.ndim))
