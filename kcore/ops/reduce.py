"""Reductions along axes: sum, mean, product, extrema, logic, log-sum-exp, and positions of extrema."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

from kcore import dtypes
from kcore.errors import DTypeError, ShapeError
from kcore.graph import Node, Op, Spec, Tensor, apply, dim_of, dims_of, register
from kcore.ops.common import as_tensor, float_of, normalize_axes, normalize_axis
from kcore.ops.elementwise import cast, equal, square
from kcore.ops.movement import broadcast_to, expand_dims, reshape, transpose

Axes = tuple[int, ...]
Grads = Sequence["Tensor | None"]


class Reduction(Op):
    """A reduction over `axes`, which are removed from the shape, or kept with length 1."""

    function: ClassVar[str] = ""  # of the array module
    accumulates: ClassVar[bool] = False  # whether the function takes the dtype in which to accumulate

    def infer(self, x: Spec, *, axes: Axes, keepdims: bool) -> Spec:  # type: ignore[override]
        return Spec(reduced_shape(x, axes, keepdims), self.dtype(x))

    def dtype(self, x: Spec) -> str:
        """The dtype of the result."""
        return x.dtype

    def bind(self, ctx: Any, outs: Sequence[Any], ins: Sequence[Any], attrs: dict[str, Any]) -> Callable[[], Any]:
        return self._reduction(ctx.xp, outs[0], ins[0], **attrs)

    def kernel(self, xp: Any, out: Any, x: Any, *, axes: Axes, keepdims: bool) -> None:  # type: ignore[override]
        self._reduction(xp, out, x, axes, keepdims)()

    def _reduction(self, xp: Any, out: Any, x: Any, axes: Axes, keepdims: bool) -> Callable[[], Any]:
        # Half precision is summed in single precision: 4096 ones added one by one would stay below 4096.
        dtype = "float32" if out.dtype == "float16" else out.dtype
        options = {"dtype": dtype} if self.accumulates else {}
        return partial(getattr(xp, self.function), x, axis=axes, out=out, keepdims=keepdims, **options)

    def cost(self, ins: Sequence[Spec], outs: Sequence[Spec], attrs: dict[str, Any]) -> int:
        return ins[0].size

    def simplify(self, node: Node) -> Tensor | None:
        """Nothing to reduce: a reshape."""
        x, out = node.inputs[0], node.specs[0]
        if x.dtype != out.dtype or not out.known or any(x.shape[a] != 1 for a in node.attrs["axes"]):
            return None
        return x if x.shape == out.shape else apply("reshape", x, shape=out.shape)


def reduced_shape(x: Spec, axes: Axes, keepdims: bool) -> tuple[int | None, ...]:
    """The shape of `x` with `axes` removed, or of length 1."""
    if keepdims:
        return tuple(1 if i in axes else d for i, d in enumerate(x.shape))
    return tuple(d for i, d in enumerate(x.shape) if i not in axes)


def spread(g: Tensor, x: Tensor, axes: Axes, keepdims: bool) -> Tensor:
    """A reduced tensor, with its axes back and repeated along them, in the shape of `x`."""
    return broadcast_to(keep(g, axes, keepdims), dims_of(x))


def keep(y: Tensor, axes: Axes, keepdims: bool) -> Tensor:
    """A reduced tensor with its reduced axes back, of length 1."""
    return y if keepdims or not axes else expand_dims(y, axes)


def count(x: Tensor, axes: Axes) -> Any:
    """How many elements of `x` each element of its reduction comes from: a number, or a float scalar tensor."""
    total: Any = 1
    for axis in axes:
        total = total * dim_of(x, axis)
    return cast(total, float_of(x.dtype)) if isinstance(total, Tensor) else total


@register
class Sum(Reduction):
    """The sum of elements; of bool elements, their number (int32)."""

    name = "sum"
    function = "sum"
    accumulates = True
    zero_in = (0,)

    def dtype(self, x: Spec) -> str:
        return "int32" if x.dtype == "bool" else x.dtype

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        return [spread(g, node.inputs[0], **node.attrs)]


@register
class Mean(Reduction):
    """The mean of elements; of integers, truncated towards zero (as TensorFlow does); of bool, in `floatx`."""

    name = "mean"
    zero_in = (0,)

    def dtype(self, x: Spec) -> str:
        return float_of(x.dtype) if x.dtype == "bool" else x.dtype

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        (x,) = node.inputs
        axes: Axes = node.attrs["axes"]
        return [spread(g / count(x, axes), x, **node.attrs)]

    def _reduction(self, xp: Any, out: Any, x: Any, axes: Axes, keepdims: bool) -> Callable[[], Any]:
        n = x.size // max(out.size, 1)
        if out.dtype.kind != "f" or out.dtype == "float16":
            return partial(self._exact, xp, out, x, axes, keepdims, n)
        factor = out.dtype.type(1 / n if n else float("nan"))

        def run() -> None:
            xp.sum(x, axis=axes, dtype=out.dtype, out=out, keepdims=keepdims)
            xp.multiply(out, factor, out=out)

        return run

    def _exact(self, xp: Any, out: Any, x: Any, axes: Axes, keepdims: bool, n: int) -> None:
        """Half precision, whose sum may not fit, and integers, whose mean of nothing is 0."""
        total = xp.sum(x, axis=axes, dtype="float32" if out.dtype == "float16" else "float64", keepdims=keepdims)
        out[...] = total / n if out.dtype.kind == "f" else xp.trunc(total / max(n, 1))


@register
class Prod(Reduction):
    """The product of elements."""

    name = "prod"
    function = "prod"
    accumulates = True

    def dtype(self, x: Spec) -> str:
        return "int32" if x.dtype == "bool" else x.dtype

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        # The product of all others, which has no division by elements that may be 0: the product of those
        # before times the product of those after.
        (x,) = node.inputs
        axes: Axes = node.attrs["axes"]
        kept = tuple(i for i in range(x.ndim) if i not in axes)
        order = (*kept, *axes)
        moved = transpose(x, order)
        rows = reshape(moved, (*(dim_of(x, i) for i in kept), -1))
        before = apply("cumprod", rows, axis=len(kept), reverse=False, exclusive=True)
        after = apply("cumprod", rows, axis=len(kept), reverse=True, exclusive=True)
        others = reshape(before * after, dims_of(moved))
        inverse = tuple(order.index(i) for i in range(x.ndim))
        return [transpose(others, inverse) * keep(g, axes, node.attrs["keepdims"])]


class _Extremum(Reduction):
    """The largest or smallest element; elements that share the place share its gradient equally.

    Of no elements: the least or greatest value of the dtype, with which nothing changes the result.
    """

    of_nothing: ClassVar[int]  # which limit of the dtype is the result where there is no element

    def _reduction(self, xp: Any, out: Any, x: Any, axes: Axes, keepdims: bool) -> Callable[[], Any]:
        if not x.size:
            return partial(out.fill, dtypes.limits(str(x.dtype))[self.of_nothing])
        return super()._reduction(xp, out, x, axes, keepdims)

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        (x,), (y,) = node.inputs, node.outputs
        axes, keepdims = node.attrs["axes"], node.attrs["keepdims"]
        chosen = cast(equal(x, keep(y, axes, keepdims)), x.dtype)
        shares = chosen / reduce_sum(chosen, axes, keepdims=True)
        return [keep(g, axes, keepdims) * shares]


@register
class Max(_Extremum):
    """The largest element."""

    name = "max"
    function = "max"
    of_nothing = 0


@register
class Min(_Extremum):
    """The smallest element."""

    name = "min"
    function = "min"
    of_nothing = 1


class _Logical(Reduction):
    differentiable = False

    def dtype(self, x: Spec) -> str:
        return "bool"

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        return [None]


@register
class All(_Logical):
    """Whether all elements are true (not zero)."""

    name = "all"
    function = "all"


@register
class Any_(_Logical):
    """Whether any element is true (not zero)."""

    name = "any"
    function = "any"


@register
class LogSumExp(Reduction):
    """``log(sum(exp(x)))``, with the maximum taken out so that nothing overflows."""

    name = "logsumexp"

    def infer(self, x: Spec, *, axes: Axes, keepdims: bool) -> Spec:  # type: ignore[override]
        if not dtypes.is_float(x.dtype):
            raise DTypeError(f"logsumexp needs floating-point input, got {x}", op=self.name)
        return super().infer(x, axes=axes, keepdims=keepdims)

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        (x,), (y,) = node.inputs, node.outputs
        axes, keepdims = node.attrs["axes"], node.attrs["keepdims"]
        return [keep(g, axes, keepdims) * apply("exp", x - keep(y, axes, keepdims))]

    def bind(self, ctx: Any, outs: Sequence[Any], ins: Sequence[Any], attrs: dict[str, Any]) -> Callable[[], Any]:
        return partial(self.kernel, ctx.xp, outs[0], ins[0], **attrs, scratch=ctx.scratch(ins[0].shape, ins[0].dtype))

    def kernel(  # type: ignore[override]
        self, xp: Any, out: Any, x: Any, *, axes: Axes, keepdims: bool, scratch: Any = None
    ) -> None:
        if not x.size:
            out.fill(-math.inf)
            return
        top = xp.max(x, axis=axes, keepdims=True)
        top = xp.where(xp.isfinite(top), top, xp.zeros_like(top))  # all -inf: the result is -inf, not nan
        scratch = xp.subtract(x, top, out=scratch)
        xp.exp(scratch, out=scratch)
        xp.sum(scratch, axis=axes, out=out, keepdims=keepdims)
        xp.log(out, out=out)
        xp.add(out, top.reshape(out.shape), out=out)


class _Position(Op):
    """The position of an extremum along one axis, the first of several; int64."""

    differentiable = False

    def infer(self, x: Spec, *, axis: int) -> Spec:  # type: ignore[override]
        if x.shape[axis] == 0:
            raise ShapeError(f"{self.name} of no elements: axis {axis} of {x} is empty", op=self.name)
        return Spec(reduced_shape(x, (axis,), False), "int64")

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        return [None]

    def kernel(self, xp: Any, out: Any, x: Any, *, axis: int) -> None:  # type: ignore[override]
        getattr(xp, self.name)(x, axis=axis, out=out)


@register
class ArgMax(_Position):
    """The position of the largest element."""

    name = "argmax"


@register
class ArgMin(_Position):
    """The position of the smallest element."""

    name = "argmin"


# -- functions --------------------------------------------------------------------------------------------


def _reduce(name: str, x: Any, axis: Any, keepdims: bool) -> Tensor:
    x = as_tensor(x)
    return apply(name, x, axes=normalize_axes(name, axis, x.ndim), keepdims=bool(keepdims))


def reduce_sum(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The sum over `axis` (None: all; an int, or several)."""
    return _reduce("sum", x, axis, keepdims)


def reduce_mean(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The mean over `axis`."""
    return _reduce("mean", x, axis, keepdims)


def reduce_prod(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The product over `axis`."""
    return _reduce("prod", x, axis, keepdims)


def reduce_max(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The largest element along `axis`."""
    return _reduce("max", x, axis, keepdims)


def reduce_min(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The smallest element along `axis`."""
    return _reduce("min", x, axis, keepdims)


def reduce_any(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Whether any element along `axis` is true."""
    return _reduce("any", x, axis, keepdims)


def reduce_all(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Whether all elements along `axis` are true."""
    return _reduce("all", x, axis, keepdims)


def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """``log(sum(exp(x)))`` along `axis`, without overflow."""
    return _reduce("logsumexp", x, axis, keepdims)


def variance(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The (biased) variance along `axis`: the mean of squared distances from the mean."""
    x = _floating(x)
    return reduce_mean(square(x - reduce_mean(x, axis, keepdims=True)), axis, keepdims)


def _floating(x: Any) -> Tensor:
    x = as_tensor(x)
    return cast(x, float_of(x.dtype))


def argmax(x: Any, axis: int = -1) -> Tensor:
    """The position of the largest element along `axis`; int64."""
    x = as_tensor(x)
    return apply("argmax", x, axis=normalize_axis("argmax", axis, x.ndim))


def argmin(x: Any, axis: int = -1) -> Tensor:
    """The position of the smallest element along `axis`; int64."""
    x = as_tensor(x)
    return apply("argmin", x, axis=normalize_axis("argmin", axis, x.ndim))
