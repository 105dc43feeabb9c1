"""Operations that make tensors from a shape: filled, counting, identity."""

from __future__ import annotations

from typing import Any

from kcore.errors import ShapeError
from kcore.graph import Op, Spec, Tensor, apply, decode_shape, dims_of, encode_shape, register
from kcore.graph.constant import constant_value


@register
class Full(Op):
    """A tensor of one value. Dimensions may be tensors (`kcore.graph.dims`)."""

    name = "full"
    dims = "shape"

    def infer(self, *extra: Spec, shape: tuple[int, ...], value: float, dtype: str) -> Spec:  # type: ignore[override]
        return Spec(decode_shape(shape), dtype)

    def vjp(self, node: Any, *grads: Any) -> list[None]:
        return [None] * len(node.inputs)

    def kernel(self, xp: Any, out: Any, *extra: Any, shape: Any, value: float, dtype: str) -> None:  # type: ignore[override]
        out[...] = value


def full(shape: Any, value: float, dtype: str) -> Tensor:
    """A tensor of `shape` (ints or scalar tensors) filled with the number `value`."""
    dims, extra = encode_shape(shape)
    if -1 in dims:
        raise ShapeError(f"shape {shape!r} must be complete: an unknown dimension cannot be filled in")
    return apply("full", *extra, shape=dims, value=value, dtype=dtype)


def full_like(x: Tensor, value: float, dtype: str | None = None) -> Tensor:
    """A tensor of the shape (known or not) and by default the dtype of `x`, filled with `value`."""
    return full(dims_of(x), value, dtype or x.dtype)


def fill_value(x: Tensor) -> float | int | bool | None:
    """The number that fills `x`, if it is known to be filled with one, else None."""
    if x.node.op.name == "full":
        return x.node.attrs["value"]
    array = constant_value(x)
    if array is not None and array.size and (array.size == 1 or (array == array.flat[0]).all()):
        return array.flat[0].item()
    return None


@register
class Arange(Op):
    """``start, start + step, ...`` below `stop`; `stop` may be a scalar tensor (attribute None)."""

    name = "arange"
    differentiable = False

    def infer(self, *stop_tensor: Spec, start: int, stop: int | None, step: int, dtype: str) -> Spec:  # type: ignore[override]
        if stop is None:
            return Spec((None,), dtype)
        count = -(-(stop - start) // step)
        return Spec((max(0, int(count)),), dtype)

    def vjp(self, node: Any, *grads: Any) -> list[None]:
        return [None] * len(node.inputs)

    def kernel(self, xp: Any, out: Any, *stop_tensor: Any, start: Any, stop: Any, step: Any, dtype: str) -> None:  # type: ignore[override]
        out[...] = xp.arange(out.shape[0]) * step + start

    def simplify(self, node: Any) -> Tensor | None:
        value = constant_value(node.inputs[0]) if node.inputs else None
        return None if value is None else apply("arange", **{**node.attrs, "stop": value.item()})


@register
class Eye(Op):
    """The identity matrix, of `rows` by `columns`."""

    name = "eye"

    def infer(self, *, rows: int, columns: int, dtype: str) -> Spec:  # type: ignore[override]
        return Spec((rows, columns), dtype)

    def kernel(self, xp: Any, out: Any, *, rows: int, columns: int, dtype: str) -> None:  # type: ignore[override]
        out[...] = 0
        n = min(rows, columns)
        out[xp.arange(n), xp.arange(n)] = 1
