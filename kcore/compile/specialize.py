"""From a graph with unknown dimensions to one for concrete shapes: the first stage of a plan.

Every needed node is built again on inputs of known shape. On the way the learning phase becomes a constant,
shapes become constants, constant expressions are computed, operations rewrite themselves (`Op.simplify`), and
known zeros spread through linear operations; what nothing needs any more is left behind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kcore.errors import GraphError, KcoreError
from kcore.graph import Node, Op, Spec, Tensor, apply, constant, constant_value, get_op, nodes_of
from kcore.graph.constant import ConstantValue
from kcore.graph.dims import resolve
from kcore.graph.node import make_node
from kcore.ops.creation import fill_value
from kcore.ops.scan import Body
from kcore.origin import Origin, inherit

Key = tuple[Node, int]
Fold = Callable[[Node], Sequence[Any]]

_FOLD_LIMIT = 1 << 16  # elements: larger constants are computed in the plan, not kept beside it


@dataclass
class Graph:
    """A graph of concrete shapes: what a plan is made of.

    Attributes:
        inputs, outputs, updates: as they were asked for.
        rank: when each node came up. Serial numbers alone would not do as order of execution: where the
            program's own graph was concrete already, its nodes are found again and keep their old numbers.
    """

    inputs: list[Tensor]
    outputs: list[Tensor]
    updates: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    rank: dict[Node, int] = field(default_factory=dict)

    @property
    def known(self) -> bool:
        """Whether every shape is known; False where shapes follow from data."""
        return all(s.known for n in self.nodes() for s in n.specs)

    @property
    def wanted(self) -> list[Tensor]:
        """The outputs, and the new values of variables."""
        return [*self.outputs, *(value for _, value in self.updates)]

    def nodes(self) -> list[Node]:
        """The nodes to compute, in order."""
        nodes = nodes_of(self.wanted)
        return sorted(nodes, key=lambda n: (self.rank.get(n, -1), n.serial))

    def rewritten(self, wanted: Sequence[Tensor]) -> Graph:
        """The graph that computes `wanted`, the tensors for the outputs and then for the new values of variables.

        New nodes come up with the last of their inputs.
        """
        count = len(self.outputs)
        updates = [(variable, value) for (variable, _), value in zip(self.updates, wanted[count:], strict=True)]
        rank = dict(self.rank)
        for node in nodes_of(wanted):
            if node not in rank:
                rank[node] = max((rank[t.node] for t in node.inputs), default=-1)
        return Graph(self.inputs, list(wanted[:count]), updates, rank)


def specialize(
    inputs: Sequence[Tensor],
    specs: Sequence[Spec],
    outputs: Sequence[Tensor],
    updates: Sequence[tuple[Tensor, Tensor]],
    phase: bool,
    fold: Fold,
) -> Graph:
    """Build the graph again for concrete inputs.

    Args:
        inputs: the tensors that the caller gives: placeholders, or any others, which are then cut off.
        specs: their shapes and dtypes.
        outputs, updates: what is wanted; an update is a pair of a variable and its new value.
        phase: the learning phase.
        fold: computes the outputs of a node whose inputs are all constants.

    Raises:
        GraphError: a placeholder is needed and not among `inputs`.
    """
    placeholder_op = get_op("placeholder")
    given: list[Tensor] = []
    memo: dict[Key, Tensor] = {}
    for i, (tensor, spec) in enumerate(zip(inputs, specs, strict=True)):
        attrs = {"shape": spec.shape, "dtype": spec.dtype, "name": f"input_{i}", "sparse": False}
        fresh = Tensor(make_node(placeholder_op, (), attrs, tensor.node.origin))
        given.append(fresh)
        memo[tensor.key] = fresh
    wanted = [*outputs, *(value for _, value in updates)]
    nodes = nodes_of(wanted, stop=set(memo))
    widest = widest_scans(nodes)
    rank: dict[Node, int] = {}
    for position, node in enumerate(nodes):
        if all((node, i) in memo for i in range(len(node.specs))):
            continue
        rebuilt = _rebuild(widest.get(node, node), memo, phase, fold, inputs)
        set_rank(rank, rebuilt, position)
        for i in range(len(node.specs)):
            memo.setdefault((node, i), rebuilt[i])
        if node in widest:
            for i, tensor in enumerate(rebuilt):
                memo.setdefault((widest[node], i), tensor)
    return Graph(given, [memo[t.key] for t in outputs], [(v, memo[t.key]) for v, t in updates], rank)


def set_rank(rank: dict[Node, int], tensors: Sequence[Tensor], position: int) -> None:
    """Give `position` to the nodes behind `tensors` that have no rank yet."""
    todo = [t.node for t in tensors]
    while todo:
        node = todo.pop()
        if node not in rank:
            rank[node] = position
            todo.extend(t.node for t in node.inputs)


def _rebuild(
    node: Node, memo: dict[Key, Tensor], phase: bool, fold: Fold, inputs: Sequence[Tensor]
) -> tuple[Tensor, ...]:
    op = node.op
    if op.name == "learning_phase":
        return (constant(phase, dtype="bool"),)
    if op.name in ("constant", "variable"):
        return node.outputs
    if op.name == "placeholder":
        names = ", ".join(t.name for t in inputs) or "none"
        raise GraphError(
            f"the outputs depend on placeholder {node.attrs['name']!r} of shape {node.specs[0].shape}, which is "
            f"not among the inputs of the function ({names}); add it to them"
        )
    new_inputs = tuple(memo[t.key] for t in node.inputs)
    attrs = node.attrs
    if op.name == "scan":
        attrs = {**attrs, "body": concrete_body(attrs["body"], [t.spec for t in new_inputs], phase, fold)}
    return build(op, new_inputs, attrs, node.origin, fold)


def concrete_body(body: Body, specs: Sequence[Spec], phase: bool, fold: Fold) -> Body:
    """The body of a loop for concrete shapes; `specs` are those of the inputs of the loop."""
    constants, carries, sequences = body.split(specs)
    inner = [*constants, *carries, *(Spec(s.shape[1:], s.dtype) for s in sequences)]
    graph = specialize(body.inputs, inner, body.outputs, [], phase, fold)
    return body.like(graph.inputs, graph.outputs)


def widest_scans(nodes: Sequence[Node]) -> dict[Node, Node]:
    """For loops that are computed twice, once with the values that their gradient needs and once without: which
    node stands for which."""
    groups: dict[Any, list[Node]] = {}
    for node in nodes:
        if node.op.name == "scan":
            key = (node.attrs["body"].base, node.attrs["reverse"], tuple(t.key for t in node.inputs))
            groups.setdefault(key, []).append(node)
    result: dict[Node, Node] = {}
    for group in groups.values():
        best = max(group, key=lambda n: len(n.specs))
        known = {t.key for t in best.attrs["body"].outputs}
        for node in group:
            own = node.attrs["body"].outputs
            if node is not best and {t.key for t in own} <= known:
                result[node] = best
    return result


def build(
    op: Op, inputs: tuple[Tensor, ...], attrs: dict[str, Any], origin: Origin | None, fold: Fold
) -> tuple[Tensor, ...]:
    """The outputs of `op` on tensors of concrete shape, in the simplest form known."""
    try:
        if op.dims is not None:
            inputs, attrs = resolve(op, inputs, attrs)
        with inherit(origin):
            return _simplest(make_node(op, inputs, attrs, origin), fold)
    except KcoreError as error:
        if origin is not None and "made at" not in str(error):
            error.args = (f"{error}\n  in operation {op.name!r}, made at {origin.describe()}", *error.args[1:])
            error.line, error.layer = str(origin), origin.layer
        raise


def _simplest(node: Node, fold: Fold) -> tuple[Tensor, ...]:
    if node.op.name == "shape":
        return (constant(node.inputs[0].shape, dtype="int32"),)
    if node.op.zero_in and any(fill_value(node.inputs[i]) == 0 for i in node.op.zero_in):
        zeros = [apply("full", shape=s.shape, value=0, dtype=s.dtype) for s in node.specs if s.known]
        if len(zeros) == len(node.specs):
            return tuple(zeros)
    if _foldable(node):
        return tuple(_as_constant(array) for array in fold(node))
    if len(node.specs) > 1:
        return node.outputs
    tensor = Tensor(node, 0)
    while (simpler := tensor.node.op.simplify(tensor.node) if len(tensor.node.specs) == 1 else None) is not None:
        tensor = simpler
    return (tensor,)


def _foldable(node: Node) -> bool:
    if not node.op.pure or node.op.name in ("constant", "variable", "full"):
        return False
    if node.op.data_dependent or not all(s.known and s.size <= _FOLD_LIMIT for s in node.specs):
        return False
    return all(constant_value(t) is not None or _small_full(t) for t in node.inputs)


def _small_full(t: Tensor) -> bool:
    return t.node.op.name == "full" and t.spec.known and t.spec.size <= _FOLD_LIMIT


def _as_constant(array: Any) -> Tensor:
    return Tensor(make_node(get_op("constant"), (), {"value": ConstantValue(array)}, None))
