"""Joining and repeating tensors: concatenation, stacking, tiling, repetition, padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcore import dtypes
from kcore.errors import ShapeError
from kcore.graph import Node, Op, Spec, Tensor, apply, as_tensors, decode_shape, dim_of, encode_shape, register
from kcore.ops.common import as_tensor, merge_dims, normalize_axis, refill
from kcore.ops.creation import full_like
from kcore.ops.movement import reshape

Grads = Sequence["Tensor | None"]


@register
class Concat(Op):
    """Tensors one after the other along `axis`."""

    name = "concat"

    def infer(self, *xs: Spec, axis: int) -> Spec:  # type: ignore[override]
        dims = merge_dims(self.name, xs, axis)
        lengths = [x.shape[axis] for x in xs]
        dims[axis] = None if None in lengths else sum(lengths)  # type: ignore[arg-type]
        return Spec(tuple(dims), dtypes.promote(*(x.dtype for x in xs)))

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        return [apply("concat_part", g, *node.inputs, axis=node.attrs["axis"], part=i) for i in range(len(node.inputs))]

    def kernel(self, xp: Any, out: Any, *xs: Any, axis: int) -> None:  # type: ignore[override]
        xp.concatenate(xs, axis=axis, out=out, casting="unsafe")

    def simplify(self, node: Node) -> Tensor | None:
        axis = node.attrs["axis"]
        kept = [x for x in node.inputs if x.shape[axis] != 0]
        if len(kept) == 1 and kept[0].dtype == node.specs[0].dtype:
            return kept[0]
        return None


@register
class ConcatPart(Op):
    """The part of a concatenation that came from input number `part`: its gradient.

    Becomes a slice when the plan is made and the lengths are known.
    """

    name = "concat_part"
    zero_in = (0,)

    def infer(self, g: Spec, *xs: Spec, axis: int, part: int) -> Spec:  # type: ignore[override]
        return Spec(xs[part].shape, g.dtype)

    def vjp(self, node: Node, gg: Tensor) -> Grads:  # type: ignore[override]
        xs, part = node.inputs[1:], node.attrs["part"]
        zeros = [full_like(x, 0, gg.dtype) for x in xs]
        whole = [gg if i == part else zero for i, zero in enumerate(zeros)]
        return [apply("concat", *whole, axis=node.attrs["axis"]), *[None] * len(xs)]

    def kernel(self, xp: Any, out: Any, g: Any, *xs: Any, axis: int, part: int) -> None:  # type: ignore[override]
        out[...] = g[_between(xs, axis, part)]

    def simplify(self, node: Node) -> Tensor | None:
        g, *xs = node.inputs
        index = _between(xs, node.attrs["axis"], node.attrs["part"])
        return g[index]


def _between(xs: Sequence[Any], axis: int, part: int) -> tuple[slice, ...]:
    start = sum(x.shape[axis] for x in xs[:part])
    return (slice(None),) * axis + (slice(start, start + xs[part].shape[axis]),)


@register
class Stack(Op):
    """Tensors of one shape side by side along a new `axis`."""

    name = "stack"

    def infer(self, *xs: Spec, axis: int) -> Spec:  # type: ignore[override]
        dims = merge_dims(self.name, xs)
        dims.insert(axis, len(xs))
        return Spec(tuple(dims), dtypes.promote(*(x.dtype for x in xs)))

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        before = (slice(None),) * node.attrs["axis"]
        return [g[(*before, i)] for i in range(len(node.inputs))]

    def kernel(self, xp: Any, out: Any, *xs: Any, axis: int) -> None:  # type: ignore[override]
        before = (slice(None),) * axis
        for i, x in enumerate(xs):
            out[(*before, i)] = x


@register
class Tile(Op):
    """The whole tensor `reps[i]` times along axis i. Repetitions may be tensors."""

    name = "tile"
    dims = "reps"
    zero_in = (0,)

    def infer(self, x: Spec, *extra: Spec, reps: tuple[int, ...]) -> Spec:  # type: ignore[override]
        if len(reps) != x.ndim or -1 in reps:
            raise ShapeError(f"tile: {reps} must give one number for each of the {x.ndim} dimensions of {x}", op="tile")
        dims = zip(x.shape, decode_shape(reps), strict=True)
        return Spec(tuple(None if d is None or r is None else d * r for d, r in dims), x.dtype)

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        x, *extra = node.inputs
        reps = [r if r >= 0 else extra[-2 - r] for r in node.attrs["reps"]]
        shape = [d for i, r in enumerate(reps) for d in (r, dim_of(x, i))]
        total = apply("sum", reshape(g, shape), axes=tuple(range(0, 2 * x.ndim, 2)), keepdims=False)
        return [total, *[None] * len(extra)]

    def kernel(self, xp: Any, out: Any, x: Any, *extra: Any, reps: tuple[int, ...]) -> None:  # type: ignore[override]
        blocks = out.reshape([d for r, n in zip(reps, x.shape, strict=True) for d in (r, n)])
        blocks[...] = x.reshape([d for n in x.shape for d in (1, n)])

    def simplify(self, node: Node) -> Tensor | None:
        return node.inputs[0] if all(r == 1 for r in node.attrs["reps"]) else refill(node)


@register
class Repeat(Op):
    """Each element `reps[i]` times in a row along axis i: up-sampling by the nearest neighbour."""

    name = "repeat"
    zero_in = (0,)

    def infer(self, x: Spec, *, reps: tuple[int, ...]) -> Spec:  # type: ignore[override]
        return Spec(tuple(None if d is None else d * r for d, r in zip(x.shape, reps, strict=True)), x.dtype)

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        (x,), reps = node.inputs, node.attrs["reps"]
        shape: list[Any] = []
        axes = []
        for i, r in enumerate(reps):
            shape.append(dim_of(x, i))
            if r != 1:
                axes.append(len(shape))
                shape.append(r)
        return [apply("sum", reshape(g, shape), axes=tuple(axes), keepdims=False)]

    def kernel(self, xp: Any, out: Any, x: Any, *, reps: tuple[int, ...]) -> None:  # type: ignore[override]
        blocks = out.reshape([d for n, r in zip(x.shape, reps, strict=True) for d in (n, r)])
        blocks[...] = x.reshape([d for n in x.shape for d in (n, 1)])

    def simplify(self, node: Node) -> Tensor | None:
        return node.inputs[0] if all(r == 1 for r in node.attrs["reps"]) else refill(node)


@register
class Pad(Op):
    """The tensor with ``padding[i] = (before, after)`` elements of one `value` added along axis i."""

    name = "pad"

    def infer(self, x: Spec, *, padding: tuple[tuple[int, int], ...], value: float) -> Spec:  # type: ignore[override]
        if len(padding) != x.ndim or any(p < 0 for pair in padding for p in pair):
            raise ShapeError(f"pad: {padding} must give two numbers >= 0 for each dimension of {x}", op=self.name)
        dims = zip(x.shape, padding, strict=True)
        return Spec(tuple(None if d is None else d + sum(p) for d, p in dims), x.dtype)

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        return [g[_inside(node.attrs["padding"])]]

    def kernel(self, xp: Any, out: Any, x: Any, *, padding: tuple[tuple[int, int], ...], value: float) -> None:  # type: ignore[override]
        for axis, (before, after) in enumerate(padding):
            line = (slice(None),) * axis
            if before:
                out[(*line, slice(before))] = value
            if after:
                out[(*line, slice(out.shape[axis] - after, None))] = value
        out[_inside(padding)] = x

    def simplify(self, node: Node) -> Tensor | None:
        return node.inputs[0] if all(p == (0, 0) for p in node.attrs["padding"]) else None


def _inside(padding: Sequence[tuple[int, int]]) -> tuple[slice, ...]:
    return tuple(slice(before or None, -after or None) for before, after in padding)


# -- functions --------------------------------------------------------------------------------------------


def _same_dtype(xs: Sequence[Any]) -> list[Tensor]:
    tensors = as_tensors(xs)
    dtype = dtypes.promote(*(t.dtype for t in tensors))
    return [t if t.dtype == dtype else apply("cast", t, dtype=dtype) for t in tensors]


def concat(xs: Sequence[Any], axis: int = -1) -> Tensor:
    """The tensors one after the other along `axis`.

    Raises:
        ShapeError: there are none, or their other dimensions differ.
    """
    if not xs:
        raise ShapeError("cannot concatenate no tensors", op="concat")
    tensors = _same_dtype(xs)
    return apply("concat", *tensors, axis=normalize_axis("concat", axis, tensors[0].ndim))


def stack(xs: Sequence[Any], axis: int = 0) -> Tensor:
    """The tensors, of one shape, side by side along a new `axis`."""
    if not xs:
        raise ShapeError("cannot stack no tensors", op="stack")
    tensors = _same_dtype(xs)
    return apply("stack", *tensors, axis=normalize_axis("stack", axis, tensors[0].ndim + 1))


def tile(x: Any, reps: Any) -> Tensor:
    """`x` as a whole `reps[i]` times along axis i (ints or scalar tensors)."""
    encoded, extra = encode_shape(reps)
    return apply("tile", as_tensor(x), *extra, reps=encoded)


def repeat(x: Any, reps: Sequence[int]) -> Tensor:
    """Each element of `x` `reps[i]` times in a row along axis i."""
    x = as_tensor(x)
    if len(reps) != x.ndim or any(r < 1 for r in reps):
        raise ShapeError(f"repeat: {tuple(reps)} must give a number >= 1 for each dimension of {x.spec}", op="repeat")
    return apply("repeat", x, reps=tuple(int(r) for r in reps))


def pad(x: Any, padding: Sequence[Sequence[int]], value: float = 0.0) -> Tensor:
    """`x` with ``padding[i] = (before, after)`` elements of one value added along axis i."""
    pairs = tuple((int(before), int(after)) for before, after in padding)
    return apply("pad", as_tensor(x), padding=pairs, value=value)
