"""Choosing elements: slices, gathering by index, one-hot vectors, membership in the top k."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcore import config, dtypes
from kcore.errors import ShapeError
from kcore.graph import Node, Op, Spec, Tensor, apply, decode_shape, dims_of, encode_shape, may_equal, register
from kcore.graph.index import indexed_shape, require_inside, to_numpy_index
from kcore.ops.common import as_tensor, refill, require_integer

Grads = Sequence["Tensor | None"]
Items = tuple[tuple[Any, ...], ...]


@register
class Slice(Op):
    """``x[items]`` with integers, slices and new axes (`kcore.graph.index`)."""

    name = "slice"
    view = True
    zero_in = (0,)

    def infer(self, x: Spec, *, items: Items) -> Spec:  # type: ignore[override]
        require_inside(x, items)  # again: sizes may have been unknown when the index was written
        return Spec(indexed_shape(x.shape, items), x.dtype)

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        shape, extra = encode_shape(dims_of(node.inputs[0]))
        return [apply("slice_grad", g, *extra, shape=shape, items=node.attrs["items"])]

    def as_view(self, xp: Any, x: Any, *, items: Items) -> Any:  # type: ignore[override]
        return x[(*to_numpy_index(items), ...)]  # the ellipsis keeps a single element an array

    def kernel(self, xp: Any, out: Any, x: Any, *, items: Items) -> None:  # type: ignore[override]
        out[...] = x[to_numpy_index(items)]

    def simplify(self, node: Node) -> Tensor | None:
        (x,), items = node.inputs, node.attrs["items"]
        if x.spec == node.specs[0] and all(i[0] == "slice" and i[3] in (None, 1) for i in items):
            return x
        return refill(node)


@register
class SliceGrad(Op):
    """Zeros of `shape`, with `g` where ``x[items]`` was read."""

    name = "slice_grad"
    dims = "shape"
    zero_in = (0,)

    def infer(self, g: Spec, *extra: Spec, shape: tuple[int, ...], items: Items) -> Spec:  # type: ignore[override]
        return Spec(decode_shape(shape), g.dtype)

    def vjp(self, node: Node, gg: Tensor) -> Grads:  # type: ignore[override]
        return [apply("slice", gg, items=node.attrs["items"]), *[None] * (len(node.inputs) - 1)]

    def kernel(self, xp: Any, out: Any, g: Any, *extra: Any, shape: Any, items: Items) -> None:  # type: ignore[override]
        out[...] = 0
        out[(*to_numpy_index(items), ...)] = g


@register
class Gather(Op):
    """Rows of `x` (along axis 0) by index; negative indices count from the end, as in NumPy."""

    name = "gather"

    def infer(self, x: Spec, indices: Spec) -> Spec:  # type: ignore[override]
        if x.ndim == 0:
            raise ShapeError(f"gather needs a tensor with at least one dimension, got {x}", op=self.name)
        require_integer(self.name, indices)
        return Spec(indices.shape + x.shape[1:], x.dtype)

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        x, indices = node.inputs
        if not dtypes.is_float(x.dtype):
            return [None, None]
        shape, extra = encode_shape(dims_of(x))
        return [apply("gather_grad", g, indices, *extra, shape=shape), None]

    def kernel(self, xp: Any, out: Any, x: Any, indices: Any) -> None:  # type: ignore[override]
        xp.take(x, indices, axis=0, out=out)


@register
class GatherGrad(Op):
    """Zeros of `shape`, to which each row of `g` is added at its index: the gradient of ``gather``."""

    name = "gather_grad"
    dims = "shape"
    zero_in = (0,)

    def infer(self, g: Spec, indices: Spec, *extra: Spec, shape: tuple[int, ...]) -> Spec:  # type: ignore[override]
        return Spec(decode_shape(shape), g.dtype)

    def vjp(self, node: Node, gg: Tensor) -> Grads:  # type: ignore[override]
        return [apply("gather", gg, node.inputs[1]), *[None] * (len(node.inputs) - 1)]

    def kernel(self, xp: Any, out: Any, g: Any, indices: Any, *extra: Any, shape: Any) -> None:  # type: ignore[override]
        out[...] = 0
        xp.add.at(out, indices, g)


@register
class ScatterAdd(Op):
    """`x`, to which each row of `g` is added at its index: ``x + gather_grad(g, indices)`` without the zeros.

    Nothing builds it but the rewrites of `kcore.ops.rows`. In place it touches only the rows that are named.
    """

    name = "scatter_add"
    inplace = (0,)

    def infer(self, x: Spec, g: Spec, indices: Spec) -> Spec:  # type: ignore[override]
        require_integer(self.name, indices)
        if g.ndim != indices.ndim + x.ndim - 1 or g.dtype != x.dtype:
            raise ShapeError(
                f"scatter_add: rows {g} at indices {indices} do not fit {x}", shapes=(x.shape, g.shape), op=self.name
            )
        return x

    def vjp(self, node: Node, gg: Tensor) -> Grads:  # type: ignore[override]
        return [gg, apply("gather", gg, node.inputs[2]), None]

    def kernel(self, xp: Any, out: Any, x: Any, g: Any, indices: Any) -> None:  # type: ignore[override]
        out[...] = x
        xp.add.at(out, indices, g)

    def cost(self, ins: Sequence[Spec], outs: Sequence[Spec], attrs: dict[str, Any]) -> int:
        return ins[1].size


@register
class OneHot(Op):
    """A vector of `classes` elements for each index: 1 at the index, 0 elsewhere (and for indices out of range)."""

    name = "one_hot"
    differentiable = False

    def infer(self, indices: Spec, *, classes: int, dtype: str) -> Spec:  # type: ignore[override]
        require_integer(self.name, indices)
        if classes < 0:
            raise ShapeError(f"one_hot of {indices} needs a number of classes >= 0, got {classes}", op=self.name)
        return Spec((*indices.shape, classes), dtype)

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        return [None]

    def kernel(self, xp: Any, out: Any, indices: Any, *, classes: int, dtype: str) -> None:  # type: ignore[override]
        xp.equal(indices[..., None], xp.arange(classes, dtype=indices.dtype), out=out, casting="unsafe")


@register
class Pick(Op):
    """``x[..., index]`` for each row: one element of the last axis, chosen by an index of its own."""

    name = "pick"

    def infer(self, x: Spec, indices: Spec) -> Spec:  # type: ignore[override]
        require_integer(self.name, indices)
        lead = x.shape[:-1]
        if not may_equal(lead, indices.shape):
            raise ShapeError(
                f"pick: indices {indices} must have the shape of {x} without its last axis",
                shapes=(x.shape, indices.shape),
                op=self.name,
            )
        return Spec(tuple(b if a is None else a for a, b in zip(lead, indices.shape, strict=True)), x.dtype)

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        x, indices = node.inputs
        return [apply("pick_grad", g, indices, x), None]

    def kernel(self, xp: Any, out: Any, x: Any, indices: Any) -> None:  # type: ignore[override]
        out[...] = xp.take_along_axis(x, indices[..., None], axis=-1)[..., 0]


@register
class PickGrad(Op):
    """Zeros of the shape of `x`, with `g` at the chosen elements: the gradient of ``pick``."""

    name = "pick_grad"
    zero_in = (0,)

    def infer(self, g: Spec, indices: Spec, x: Spec) -> Spec:  # type: ignore[override]
        return Spec(x.shape, g.dtype)

    def vjp(self, node: Node, gg: Tensor) -> Grads:  # type: ignore[override]
        return [apply("pick", gg, node.inputs[1]), None, None]

    def kernel(self, xp: Any, out: Any, g: Any, indices: Any, x: Any) -> None:  # type: ignore[override]
        chosen = indices[..., None] == xp.arange(x.shape[-1], dtype=indices.dtype)
        xp.multiply(chosen, g[..., None], out=out)


@register
class InTopK(Op):
    """Whether fewer than `k` classes have a larger prediction than the target class (ties count as inside)."""

    name = "in_top_k"
    differentiable = False

    def infer(self, predictions: Spec, targets: Spec, *, k: int) -> Spec:  # type: ignore[override]
        require_integer(self.name, targets)
        if predictions.ndim != 2 or targets.ndim != 1:
            raise ShapeError(
                f"in_top_k needs predictions (batch, classes) and targets (batch,), got {predictions} and {targets}",
                shapes=(predictions.shape, targets.shape),
                op=self.name,
            )
        batch, other = predictions.shape[0], targets.shape[0]
        if None not in (batch, other) and batch != other:
            raise ShapeError(f"in_top_k: {predictions} and {targets} differ in batch size", op=self.name)
        return Spec((other if batch is None else batch,), "bool")

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        return [None, None]

    def kernel(self, xp: Any, out: Any, predictions: Any, targets: Any, *, k: int) -> None:  # type: ignore[override]
        n = predictions.shape[1]
        inside = (targets >= 0) & (targets < n)
        chosen = xp.take_along_axis(predictions, xp.where(inside, targets, 0)[:, None], axis=1)
        larger = xp.sum(predictions > chosen, axis=1)
        xp.logical_and((larger < k) & inside, xp.isfinite(chosen[:, 0]), out=out)


# -- functions --------------------------------------------------------------------------------------------


def gather(x: Any, indices: Any) -> Tensor:
    """Rows of `x` (along axis 0) at `indices` (integers of any shape)."""
    return apply("gather", as_tensor(x), as_tensor(indices))


def one_hot(indices: Any, classes: int, dtype: str | None = None) -> Tensor:
    """A vector with a 1 at the index, for each of `indices`, in a new last axis of length `classes`."""
    return apply("one_hot", as_tensor(indices), classes=int(classes), dtype=dtype or config.floatx())


def pick(x: Any, indices: Any) -> Tensor:
    """One element of the last axis of `x` for each of `indices`."""
    return apply("pick", x, indices)


def in_top_k(predictions: Any, targets: Any, k: int) -> Tensor:
    """Whether each target is among the `k` largest predictions of its row; bool."""
    return apply("in_top_k", predictions, targets, k=int(k))
