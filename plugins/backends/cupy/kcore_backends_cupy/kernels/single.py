"""Elementwise operations outside of groups: where a graph is computed node by node, or its shapes are not fused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kcore.graph import get_op, placeholder
from kcore.graph.node import make_node
from kcore_backends_cupy.elementwise import bind_nodes


def elementwise(ctx: Any, outs: Any, ins: Any, attrs: Any, name: str) -> Callable[[], Any]:
    """A group of one node."""
    tensors = [placeholder(a.shape, str(a.dtype), f"operand_{i}") for i, a in enumerate(ins)]
    by_key = {t.key: a for t, a in zip(tensors, ins, strict=True)}
    node = make_node(get_op(name), tuple(tensors), attrs, None)
    return bind_nodes(ctx.xp, [node], {(node, 0): outs[0]}, lambda t: by_key[t.key])
