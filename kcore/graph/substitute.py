"""The same computation on other inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kcore.graph.node import Node, make_node
from kcore.graph.tensor import Tensor
from kcore.graph.walk import nodes_of


def substitute(outputs: Sequence[Tensor], replaced: Mapping[tuple[Node, int], Tensor]) -> list[Tensor]:
    """`outputs` with some of the tensors that they depend on replaced.

    Nodes that depend on none of them are kept as they are.

    Args:
        outputs: tensors.
        replaced: the replacement of each value, by key.
    """
    memo: dict[tuple[Node, int], Tensor] = dict(replaced)
    for node in nodes_of(outputs, stop=set(memo)):
        if not any(t.key in memo for t in node.inputs):
            continue
        inputs = tuple(memo.get(t.key, t) for t in node.inputs)
        new = make_node(node.op, inputs, node.attrs, node.origin)
        for i in range(len(node.specs)):
            memo.setdefault((node, i), Tensor(new, i))
    return [memo.get(t.key, t) for t in outputs]
