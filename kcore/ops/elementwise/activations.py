"""Activation functions, written so that no intermediate value overflows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from kcore.graph import Node, Op, Spec, Tensor, apply, register
from kcore.ops.elementwise.base import Unary, UnaryFloat
from kcore.ops.elementwise.logical import cast
from kcore.ops.elementwise.unary import clip

Grads = Sequence["Tensor | None"]


class _Activation(UnaryFloat):
    """A function whose kernel takes more than one ufunc."""

    def bind(self, ctx: Any, outs: Sequence[Any], ins: Sequence[Any], attrs: dict[str, Any]) -> Callable[[], Any]:
        return partial(self.kernel, ctx.xp, outs[0], ins[0], **attrs)


@register
class Relu(Unary):
    """``max(x, 0)``, with gradient 0 at 0."""

    name = "relu"

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        return [apply("relu_grad", node.outputs[0], g)]

    def kernel(self, xp: Any, out: Any, x: Any) -> None:  # type: ignore[override]
        xp.maximum(x, out.dtype.type(0), out=out)

    def bind(self, ctx: Any, outs: Sequence[Any], ins: Sequence[Any], attrs: dict[str, Any]) -> Callable[[], Any]:
        return partial(ctx.xp.maximum, ins[0], outs[0].dtype.type(0), out=outs[0])

    def simplify(self, node: Node) -> Tensor | None:
        return node.inputs[0] if node.inputs[0].node.op.name in ("relu", "sigmoid", "abs", "exp", "softmax") else None


@register
class ReluGrad(Op):
    """``g`` where the rectified ``y`` is positive, else 0: the gradient of ``relu``."""

    name = "relu_grad"
    elementwise = True
    inplace = (0,)
    zero_in = (1,)

    def infer(self, y: Spec, g: Spec) -> Spec:  # type: ignore[override]
        return g

    def vjp(self, node: Node, gg: Tensor) -> Grads:  # type: ignore[override]
        return [None, apply("relu_grad", node.inputs[0], gg)]

    def kernel(self, xp: Any, out: Any, y: Any, g: Any) -> None:  # type: ignore[override]
        xp.multiply(g, y > 0, out=out)


@register
class LeakyRelu(_Activation):
    """``x`` where positive, else ``alpha * x``; the gradient at 0 is `alpha`."""

    name = "leaky_relu"
    inplace = ()

    def infer(self, x: Any, *, alpha: float) -> Any:  # type: ignore[override]
        return super().infer(x)

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        (x,) = node.inputs
        alpha = node.attrs["alpha"]
        return [g * (cast(x > 0, x.dtype) * (1 - alpha) + alpha)]

    def kernel(self, xp: Any, out: Any, x: Any, *, alpha: float) -> None:  # type: ignore[override]
        xp.multiply(x, out.dtype.type(alpha), out=out)
        (xp.maximum if alpha <= 1 else xp.minimum)(x, out, out=out)


@register
class Elu(_Activation):
    """``x`` where positive, else ``alpha * (e ** x - 1)`` (Clevert et al. 2015, https://arxiv.org/abs/1511.07289)."""

    name = "elu"
    inplace = ()

    def infer(self, x: Any, *, alpha: float) -> Any:  # type: ignore[override]
        return super().infer(x)

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        # The derivative is 1 where x > 0, else alpha * e ** x = y + alpha.
        (y,) = node.outputs
        alpha = node.attrs["alpha"]
        return [g * (cast(node.inputs[0] > 0, y.dtype) * (1 - alpha) + (apply("minimum", y, 0) + alpha))]

    def kernel(self, xp: Any, out: Any, x: Any, *, alpha: float) -> None:  # type: ignore[override]
        zero = out.dtype.type(0)
        xp.minimum(x, zero, out=out)
        xp.expm1(out, out=out)
        if alpha != 1:
            xp.multiply(out, out.dtype.type(alpha), out=out)
        xp.add(out, xp.maximum(x, zero), out=out)


@register
class Softplus(_Activation):
    """``log(1 + e ** x)`` as ``max(x, 0) + log1p(e ** -|x|)``."""

    name = "softplus"
    inplace = ()

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        return [g * apply("sigmoid", node.inputs[0])]

    def kernel(self, xp: Any, out: Any, x: Any) -> None:  # type: ignore[override]
        xp.absolute(x, out=out)
        xp.negative(out, out=out)
        xp.exp(out, out=out)
        xp.log1p(out, out=out)
        xp.add(out, xp.maximum(x, out.dtype.type(0)), out=out)


@register
class Softsign(_Activation):
    """``x / (1 + |x|)``."""

    name = "softsign"
    inplace = ()

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        return [g / apply("square", abs(node.inputs[0]) + 1)]

    def kernel(self, xp: Any, out: Any, x: Any) -> None:  # type: ignore[override]
        xp.absolute(x, out=out)
        xp.add(out, out.dtype.type(1), out=out)
        xp.divide(x, out, out=out)


@register
class Sigmoid(_Activation):
    """``1 / (1 + e ** -x)``."""

    name = "sigmoid"

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        (y,) = node.outputs
        return [g * (y * (1 - y))]

    def kernel(self, xp: Any, out: Any, x: Any) -> None:  # type: ignore[override]
        # Below the bound e ** -x would overflow; the result is the smallest normal number there, in place of 0.
        xp.maximum(x, out.dtype.type(_SIGMOID_BOUND[out.dtype.name]), out=out)
        xp.negative(out, out=out)
        xp.exp(out, out=out)
        xp.add(out, out.dtype.type(1), out=out)
        xp.reciprocal(out, out=out)


_SIGMOID_BOUND = {"float16": -11.0, "float32": -87.0, "float64": -708.0}


@register
class HardSigmoid(_Activation):
    """``0.2 x + 0.5``, clipped to ``[0, 1]``."""

    name = "hard_sigmoid"

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        (x,) = node.inputs
        return [g * (abs(x) <= 2.5) * 0.2]

    def kernel(self, xp: Any, out: Any, x: Any) -> None:  # type: ignore[override]
        xp.multiply(x, out.dtype.type(0.2), out=out)
        xp.add(out, out.dtype.type(0.5), out=out)
        xp.clip(out, out.dtype.type(0), out.dtype.type(1), out=out)


@register
class Tanh(UnaryFloat):
    """The hyperbolic tangent."""

    name = "tanh"
    ufunc = "tanh"

    def vjp(self, node: Node, g: Tensor) -> Grads:  # type: ignore[override]
        return [g * (1 - apply("square", node.outputs[0]))]


# -- functions --------------------------------------------------------------------------------------------


def relu(x: Any, alpha: float = 0.0, max_value: float | None = None) -> Tensor:
    """``max(x, 0)``; with `alpha`, a slope for the negative part; with `max_value`, a ceiling of the positive part."""
    if alpha != 0.0 and (max_value is None or alpha > 0.0):
        y = apply("leaky_relu", x, alpha=float(alpha))
        return y if max_value is None else apply("minimum", y, max_value)
    y = apply("relu", x)
    y = y if max_value is None else clip(y, 0.0, max_value)
    return y if alpha == 0.0 else y - alpha * apply("relu", -x)


def elu(x: Any, alpha: float = 1.0) -> Tensor:
    """The exponential linear unit: ``x`` where positive, else ``alpha * (e ** x - 1)``."""
    return apply("elu", x, alpha=float(alpha))


def sigmoid(x: Any) -> Tensor:
    """``1 / (1 + e ** -x)``."""
    return apply("sigmoid", x)


def softsign(x: Any) -> Tensor:
    """``x / (1 + |x|)``."""
    return apply("softsign", x)


def hard_sigmoid(x: Any) -> Tensor:
    """``0.2 x + 0.5``, clipped to ``[0, 1]``."""
    return apply("hard_sigmoid", x)


def softplus(x: Any) -> Tensor:
    """``log(1 + e ** x)``."""
    return apply("softplus", x)


def tanh(x: Any) -> Tensor:
    """The hyperbolic tangent."""
    return apply("tanh", x)
