"""The two forms of most elementwise operations: one NumPy ufunc of one, or of two, inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

from kcore import dtypes
from kcore.graph import Node, Op, Spec, Tensor, apply
from kcore.ops.common import broadcast_shapes, float_of, same_spec


class Elementwise(Op):
    """An elementwise operation that one ufunc computes.

    Attributes:
        ufunc: name of the ufunc in the array module.
        in_output_dtype: whether operands are converted to the dtype of the output first (arithmetic), or
            compared as they are.
    """

    elementwise = True
    inplace: ClassVar[tuple[int, ...]] = (0,)
    ufunc: ClassVar[str] = ""
    in_output_dtype: ClassVar[bool] = True

    def _options(self, out: Any, ins: Sequence[Any]) -> dict[str, Any]:
        # The loop of the output's dtype: NumPy would compute float32 with int32 in float64.
        if self.in_output_dtype and any(x.dtype != out.dtype for x in ins):
            return {"dtype": out.dtype, "casting": "unsafe"}
        return {}

    def kernel(self, xp: Any, out: Any, *ins: Any, **attrs: Any) -> None:
        getattr(xp, self.ufunc)(*ins, out=out, **self._options(out, ins))

    def bind(self, ctx: Any, outs: Sequence[Any], ins: Sequence[Any], attrs: dict[str, Any]) -> Callable[[], Any]:
        return partial(getattr(ctx.xp, self.ufunc), *ins, out=outs[0], **self._options(outs[0], ins))


class Unary(Elementwise):
    """A ufunc of one input that keeps shape and dtype."""

    def infer(self, x: Spec) -> Spec:  # type: ignore[override]
        return x


class UnaryFloat(Unary):
    """A ufunc of one input with a floating result (of dtype `floatx` for integers)."""

    def infer(self, x: Spec) -> Spec:  # type: ignore[override]
        return x if dtypes.is_float(x.dtype) else Spec(x.shape, float_of(x.dtype))


class Binary(Elementwise):
    """A ufunc of two inputs that are broadcast, with a result of the dtype in which they meet."""

    inplace = (0, 1)

    def infer(self, a: Spec, b: Spec) -> Spec:  # type: ignore[override]
        return Spec(broadcast_shapes(self.name, a, b), dtypes.promote(a.dtype, b.dtype))

    def simplify(self, node: Node) -> Tensor | None:
        return drop_broadcasts(node)


class Comparison(Binary):
    """A comparison of two inputs, with a bool result."""

    in_output_dtype = False
    differentiable = False

    def infer(self, a: Spec, b: Spec) -> Spec:  # type: ignore[override]
        return Spec(broadcast_shapes(self.name, a, b), "bool")

    def vjp(self, node: Node, *grads: Tensor | None) -> Sequence[Tensor | None]:
        return [None, None]


def drop_broadcasts(node: Node) -> Tensor | None:
    """Read the input of a ``broadcast_to`` directly where the result has the same shape all the same."""
    inputs = list(node.inputs)
    for i, x in enumerate(inputs):
        if x.node.op.name != "broadcast_to":
            continue
        inputs[i] = x.node.inputs[0]
        if node.op.infer(*(t.spec for t in inputs), **node.attrs) != node.specs[0]:
            inputs[i] = x
    if all(a is b for a, b in zip(inputs, node.inputs, strict=True)):
        return None
    return apply(node.op, *inputs, **node.attrs)


def if_same(x: Tensor, node: Node) -> Tensor | None:
    """`x` if it can stand for the output of `node`, else None."""
    return x if same_spec(x, node.specs[0]) else None
