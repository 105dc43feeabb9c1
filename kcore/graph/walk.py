"""Walks over the graph; iterative, so that a model a thousand layers deep is no problem."""

from __future__ import annotations

from collections.abc import Iterable, Set

from kcore.graph.node import Node
from kcore.graph.tensor import Tensor


def nodes_of(outputs: Iterable[Tensor], stop: Set[tuple[Node, int]] = frozenset()) -> list[Node]:
    """The nodes that `outputs` depend on, inputs before readers.

    Args:
        outputs: where the walk starts.
        stop: keys of tensors whose inputs are not followed (they are given from outside).
    """
    seen: set[Node] = set()
    todo = [t.node for t in outputs if t.key not in stop]
    while todo:
        node = todo.pop()
        if node in seen:
            continue
        seen.add(node)
        todo.extend(t.node for t in node.inputs if t.node not in seen and t.key not in stop)
    return sorted(seen, key=lambda n: n.serial)


def depends_on(outputs: Iterable[Tensor], sources: Iterable[Tensor]) -> set[Node]:
    """The nodes on the way from `sources` to `outputs`, the nodes of `sources` included."""
    marked = {t.node for t in sources}
    for node in nodes_of(outputs):
        if node not in marked and any(t.node in marked for t in node.inputs):
            marked.add(node)
    return marked
