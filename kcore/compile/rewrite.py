"""Rewriting a graph node by node."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kcore.compile.specialize import Graph, set_rank
from kcore.graph import Node, Tensor
from kcore.graph.node import make_node

Now = Callable[[Tensor], Tensor]
Rule = Callable[[Node, Now], Sequence[Tensor] | None]


def rewrite(graph: Graph, rule: Rule) -> Graph:
    """The graph in which other tensors stand for what some nodes compute.

    Args:
        graph: of concrete shapes.
        rule: called with each node, inputs before readers, and a function that gives what stands for a tensor by now;
            answers with the tensors for all outputs of the node, or None to leave it as it is. Its tensors come up
            when the node did.
    """
    memo: dict[tuple[Node, int], Tensor] = {}
    rank = dict(graph.rank)

    def now(t: Tensor) -> Tensor:
        return memo.get(t.key, t)

    for node in graph.nodes():
        made = rule(node, now)
        if made is None and any(t.key in memo for t in node.inputs):
            made = make_node(node.op, tuple(now(t) for t in node.inputs), node.attrs, node.origin).outputs
        if made is not None:
            memo.update(((node, i), t) for i, t in enumerate(made))
            set_rank(rank, made, graph.rank.get(node, -1))
    if not memo:
        return graph
    return Graph(graph.inputs, graph.outputs, graph.updates, rank).rewritten([now(t) for t in graph.wanted])
