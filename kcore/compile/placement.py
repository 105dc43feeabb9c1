"""Parts of a graph on devices of their own: values are brought to where they are read.

A node runs on the device in whose scope (`kcore.utils.device_scope`) it was built; its gradient runs there, too. Here
each value that is read elsewhere gets a `transfer`, once for each device that reads it, and the nodes get an order in
which devices compute at the same time: what others wait for is sent first, their work is handed to them before the
plan's own device gets its own, and results are fetched last.
"""

from __future__ import annotations

from kcore.compile.specialize import Graph
from kcore.graph import Node, Tensor, get_op
from kcore.graph.node import make_node

Key = tuple[Node, int]


def place_of(node: Node) -> int | None:
    """The number of the device on which a node runs; None for the device that runs the plan."""
    if node.op.name == "transfer":
        return node.attrs["to"]
    return node.origin.place if node.origin is not None else None


def is_placed(graph: Graph) -> bool:
    """Whether any node has a device of its own."""
    return any(place_of(node) is not None for node in graph.nodes())


def placed(graph: Graph) -> Graph:
    """The graph with its transfers; inputs and outputs are on the device that runs the plan."""
    memo: dict[Key, Tensor] = {}

    def brought(t: Tensor, to: int | None) -> Tensor:
        t = memo.get(t.key, t)
        source = place_of(t.node)
        if source == to or t.node.op.name == "constant":
            return t
        return Tensor(make_node(get_op("transfer"), (t,), {"to": to, "source": source}, t.node.origin))

    for node in graph.nodes():
        inputs = tuple(brought(t, place_of(node)) for t in node.inputs)
        if any(new.key != old.key for new, old in zip(inputs, node.inputs, strict=True)):
            made = make_node(node.op, inputs, node.attrs, node.origin)
            memo.update(((node, i), Tensor(made, i)) for i in range(len(node.specs)))
    outputs = [brought(t, None) for t in graph.outputs]
    updates = [(v, brought(value, place_of(v.node))) for v, value in graph.updates]
    result = Graph(graph.inputs, outputs, updates, graph.rank)
    result.rank = _order(result)
    return result


def _order(graph: Graph) -> dict[Node, int]:
    """A rank for each node, in three classes after each fetching of results: what is sent, others' work, own work."""
    nodes = _topological(graph.nodes())
    fetched: dict[Node, int] = {}  # how many fetches of results lie before a node
    for node in nodes:
        before = max((fetched[t.node] for t in node.inputs), default=0)
        fetched[node] = before + (node.op.name == "transfer" and place_of(node) is None)
    sent: set[Node] = set()  # what transfers to other devices need, of the same stretch between fetches
    for node in nodes:
        if node.op.name == "transfer" and place_of(node) is not None:
            todo = [node]
            while todo:
                each = todo.pop()
                if each not in sent:
                    sent.add(each)
                    todo += [t.node for t in each.inputs if fetched[t.node] == fetched[each]]

    def urgency(node: Node) -> tuple[int, int]:
        return fetched[node], 0 if node in sent else 1 if place_of(node) is not None else 2

    ordered = sorted(nodes, key=urgency)  # which keeps the order within a class
    return {node: i for i, node in enumerate(ordered)}


def _topological(nodes: list[Node]) -> list[Node]:
    """Inputs before readers. Serial numbers alone would not do: rebuilt nodes are found again with old ones."""
    done: dict[Node, None] = {}
    for root in nodes:
        todo = [root]
        while todo:
            node = todo[-1]
            waiting = [t.node for t in node.inputs if t.node not in done]
            if node in done or not waiting:
                done.setdefault(todo.pop())
            else:
                todo += waiting
    return list(done)
