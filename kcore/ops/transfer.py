"""The operation that takes a value from one device to another; plans have it where parts of a model are placed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kcore.graph import Node, Op, Spec, Tensor, apply, register


@register
class Transfer(Op):
    """A copy on device number `to` of a value of device number `source` (None: the device that runs the plan)."""

    name = "transfer"

    def infer(self, x: Spec, *, to: int | None, source: int | None) -> Spec:  # type: ignore[override]
        return x

    def vjp(self, node: Node, g: Tensor | None) -> Sequence[Tensor | None]:  # type: ignore[override]
        return [apply("transfer", g, to=node.attrs["source"], source=node.attrs["to"])]

    def kernel(self, xp: Any, out: Any, x: Any, *, to: Any, source: Any) -> None:  # type: ignore[override]
        out[...] = x

    def bind(self, ctx: Any, outs: Sequence[Any], ins: Sequence[Any], attrs: dict[str, Any]) -> Callable[[], Any]:
        if attrs["to"] == attrs["source"]:
            return super().bind(ctx, outs, ins, attrs)
        return ctx.device.receive(ctx.home.at(attrs["source"]), outs[0], ins[0])
