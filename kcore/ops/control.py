"""Operations that steer: identity, gradient stop, learning phase, choice, printing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from kcore.dtypes import is_float, promote
from kcore.errors import ShapeError
from kcore.graph import Node, Op, Spec, Tensor, apply, as_tensors, constant_value, may_equal, register
from kcore.ops.common import broadcast_shapes
from kcore.ops.creation import full_like


class _Same(Op):
    """The input itself, as a view of its memory."""

    view = True

    def infer(self, x: Spec) -> Spec:  # type: ignore[override]
        return x

    def as_view(self, xp: Any, x: Any) -> Any:  # type: ignore[override]
        return x

    def kernel(self, xp: Any, out: Any, x: Any) -> None:  # type: ignore[override]
        out[...] = x

    def simplify(self, node: Node) -> Tensor | None:
        return node.inputs[0]


@register
class Identity(_Same):
    """The input itself; each one is a node of its own, as ``K.identity`` promises."""

    name = "identity"
    pure = False

    def vjp(self, node: Node, g: Tensor | None) -> Sequence[Tensor | None]:  # type: ignore[override]
        return [g]


@register
class StopGradient(_Same):
    """The input itself, through which no gradient flows."""

    name = "stop_gradient"
    differentiable = False

    def vjp(self, node: Node, g: Tensor | None) -> Sequence[Tensor | None]:  # type: ignore[override]
        return [None]


@register
class LearningPhase(Op):
    """0 in the test phase, 1 in the training phase; a constant in every plan."""

    name = "learning_phase"

    def infer(self) -> Spec:  # type: ignore[override]
        return Spec((), "bool")


@register
class Select(Op):
    """``a`` where the scalar ``condition`` is true, else ``b``; the other is not computed where the
    condition is known when the plan is made."""

    name = "select"

    def infer(self, condition: Spec, a: Spec, b: Spec) -> Spec:  # type: ignore[override]
        if condition.shape != ():
            raise ShapeError(f"select needs a scalar condition, got {condition}; use where for elements")
        return Spec(_common_shape(a, b), promote(a.dtype, b.dtype))

    def vjp(self, node: Node, g: Tensor | None) -> Sequence[Tensor | None]:  # type: ignore[override]
        assert g is not None
        condition, a, b = node.inputs
        zero = full_like(g, 0)
        return [
            None,
            apply("sum_to", apply("select", condition, g, zero), a),
            apply("sum_to", apply("select", condition, zero, g), b),
        ]

    def kernel(self, xp: Any, out: Any, condition: Any, a: Any, b: Any) -> None:  # type: ignore[override]
        xp.copyto(out, xp.where(condition, a, b))

    def simplify(self, node: Node) -> Tensor | None:
        condition, a, b = node.inputs
        value = constant_value(condition)
        if a.key == b.key:
            chosen = a
        elif value is not None:
            chosen = a if value else b
        else:
            return None
        spec = node.specs[0]
        if chosen.dtype != spec.dtype:
            chosen = apply("cast", chosen, dtype=spec.dtype)
        return chosen if chosen.shape == spec.shape else apply("broadcast_to", chosen, shape=spec.shape)


def _common_shape(a: Spec, b: Spec) -> tuple[int | None, ...]:
    """The shape of either branch: where both know a dimension and differ, they must broadcast."""
    if may_equal(a.shape, b.shape):
        return tuple(p if q is None else q for p, q in zip(a.shape, b.shape, strict=True))
    return broadcast_shapes("select", a, b)


@register
class Print(Op):
    """The input itself; prints its message and value to standard error whenever it is computed."""

    name = "print"
    pure = False

    def infer(self, x: Spec, *, message: str) -> Spec:  # type: ignore[override]
        return x

    def vjp(self, node: Node, g: Tensor | None) -> Sequence[Tensor | None]:  # type: ignore[override]
        return [g]

    def bind(self, ctx: Any, outs: Sequence[Any], ins: Sequence[Any], attrs: dict[str, Any]) -> Callable[[], Any]:
        out, x, message = outs[0], ins[0], attrs["message"]

        def run() -> None:
            out[...] = x
            print(f"{message}{ctx.to_host(x)}", file=sys.stderr, flush=True)

        return run


def select(condition: Tensor, a: Any, b: Any) -> Tensor:
    """``a`` if the scalar `condition` holds, else ``b`` (tensors or numbers)."""
    a, b = _as_pair(a, b)
    return apply("select", condition, a, b)


def _as_pair(a: Any, b: Any) -> tuple[Tensor, Tensor]:
    first, second = as_tensors((a, b))
    if first.dtype != second.dtype and is_float(first.dtype) != is_float(second.dtype):
        joined = promote(first.dtype, second.dtype)
        first, second = (t if t.dtype == joined else apply("cast", t, dtype=joined) for t in (first, second))
    return first, second


def learning_phase() -> Tensor:
    """The learning phase: a bool scalar, false unless a function is given it."""
    return apply("learning_phase")
