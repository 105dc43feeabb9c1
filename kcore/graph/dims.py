"""Shapes whose dimensions may be tensors.

Programs write ``K.zeros((K.shape(x)[0], 10))`` or ``K.reshape(x, K.shape(y))``. Such a shape becomes an
attribute of plain integers plus further inputs: a dimension of -1 keeps its usual meaning (to be
inferred), and -2-k stands for input number k behind the operation's own inputs. When the plan is made for
concrete shapes those inputs are constants, and `resolve` writes them into the attribute.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcore.errors import ShapeError
from kcore.graph.constant import constant_value
from kcore.graph.node import apply
from kcore.graph.op import Op, register
from kcore.graph.spec import Shape, Spec
from kcore.graph.static import static_int
from kcore.graph.tensor import Tensor

Encoded = tuple[int, ...]


def encode_shape(shape: Any) -> tuple[Encoded, tuple[Tensor, ...]]:
    """Split a shape into its attribute and the tensors that it refers to.

    Args:
        shape: a sequence of ints, ``None`` or -1 (to be inferred) and integer scalar tensors; or a 1-D integer
            tensor of known length, such as ``K.shape(x)``.

    Raises:
        ShapeError: the shape is none of these.
    """
    if isinstance(shape, Tensor):
        if shape.ndim != 1 or shape.shape[0] is None:
            raise ShapeError(f"a shape given as a tensor must be 1-D of known length, got {shape.spec}")
        shape = [shape[i] for i in range(shape.shape[0])]
    if not isinstance(shape, Sequence):
        shape = tuple(shape) if hasattr(shape, "__iter__") else (shape,)
    dims: list[int] = []
    extra: list[Tensor] = []
    for dim in shape:
        known = static_int(dim)
        if known is None and isinstance(dim, Tensor):
            dims.append(-2 - len(extra))
            extra.append(dim)
        elif known is None:
            if dim is not None:
                raise ShapeError(f"{dim!r} is not a dimension; expected an int, None or an integer tensor")
            dims.append(-1)
        elif known < -1:
            raise ShapeError(f"a dimension cannot be {known} in shape {tuple(shape)!r}")
        else:
            dims.append(known)
    return tuple(dims), tuple(extra)


def decode_shape(encoded: Encoded) -> Shape:
    """The shape as far as it is known: None for what a tensor or inference will tell."""
    return tuple(d if d >= 0 else None for d in encoded)


def resolve(op: Op, inputs: tuple[Tensor, ...], attrs: dict[str, Any]) -> tuple[tuple[Tensor, ...], dict[str, Any]]:
    """Write dimensions that have become constants into the attribute `op.dims` and drop their inputs."""
    assert op.dims is not None
    encoded: Encoded = attrs[op.dims]
    count = sum(d < -1 for d in encoded)
    if not count:
        return inputs, attrs
    own, extra = inputs[:-count], inputs[-count:]
    values = [static_int(t) if t.node.op.name == "full" else constant_value(t) for t in extra]
    if any(v is None for v in values):
        return inputs, attrs
    dims = tuple(d if d >= -1 else int(values[-2 - d]) for d in encoded)  # type: ignore[arg-type]
    return own, {**attrs, op.dims: dims}


@register
class ShapeOf(Op):
    """The shape of a tensor as a 1-D int32 tensor; a constant once shapes are concrete."""

    name = "shape"
    differentiable = False

    def infer(self, x: Spec) -> Spec:  # type: ignore[override]
        return Spec((x.ndim,), "int32")

    def vjp(self, node: Any, *grads: Any) -> list[None]:
        return [None]

    def kernel(self, xp: Any, out: Any, x: Any) -> None:  # type: ignore[override]
        out[...] = xp.asarray(x.shape, dtype="int32")


def shape_of(x: Tensor) -> Tensor:
    """The symbolic shape of `x`: a 1-D int32 tensor."""
    return apply("shape", x)


def dim_of(x: Tensor, axis: int) -> int | Tensor:
    """Dimension `axis` of `x`: an int where it is known, else a scalar tensor."""
    known = x.shape[axis]
    return shape_of(x)[axis % x.ndim] if known is None else known


def dims_of(x: Tensor) -> tuple[int | Tensor, ...]:
    """All dimensions of `x`, ints where known: what a reshape back to the shape of `x` takes."""
    return tuple(dim_of(x, axis) for axis in range(x.ndim))
