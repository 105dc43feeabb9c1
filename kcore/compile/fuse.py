"""Grouping of elementwise operations: the second stage of a plan.

Neighbouring elementwise operations on large tensors of one shape become one instruction, which a device computes
piece by piece: on a CPU in pieces that stay in the cache, spread over threads; on a GPU as one kernel. Values that
only the group reads never reach main memory. On small tensors a group would gain nothing, and none is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from kcore.compile.plan import Instruction, Key
from kcore.graph import Node, Spec, Tensor

MIN_ELEMENTS = 1 << 14
MAX_OPEN = 16


class _Group:
    """A group under construction; it ends when something outside it reads one of its values."""

    def __init__(self, spec: Spec):
        self.shape = spec.shape
        self.nodes: list[Node] = []


def schedule(
    nodes: Sequence[Node],
    outputs: Iterable[Tensor],
    skip: Iterable[str],
    fuse_from: int = MIN_ELEMENTS,
    most_open: int = MAX_OPEN,
) -> list[Instruction]:
    """The instructions that compute `nodes`, in order.

    Args:
        nodes: inputs before readers.
        outputs: values that are read after the last instruction.
        skip: names of operations that need no instruction (values that are there already).
        fuse_from: elements from which elementwise operations are grouped.
        most_open: how many groups may grow side by side.
    """
    skipped = set(skip)
    position = {node: i for i, node in enumerate(nodes)}
    readers: dict[Key, list[Node]] = {}
    for node in nodes:
        for t in node.inputs:
            readers.setdefault(t.key, []).append(node)
    kept = {t.key for t in outputs}
    result: list[Instruction] = []
    open_groups: list[_Group] = []
    group_of: dict[Node, _Group] = {}

    def close(group: _Group) -> None:
        open_groups.remove(group)
        group.nodes.sort(key=position.__getitem__)
        result.append(_instruction(group.nodes, readers, kept))
        for node in group.nodes:
            group_of.pop(node, None)

    for node in nodes:
        if node.op.name in skipped:
            continue
        sources = {id(g): g for t in node.inputs if (g := group_of.get(t.node)) is not None}
        if not _groupable(node, fuse_from):
            for group in sources.values():
                close(group)
            outs = [(node, i) for i in range(len(node.specs))]
            if node.op.optional_outputs:
                outs = [key for key in outs if key in kept or key in readers]
            result.append(Instruction((node,), tuple(outs)))
            continue
        shape = node.specs[0].shape
        for group in sources.values():
            if group.shape != shape:
                close(group)
        same = [g for g in sources.values() if g.shape == shape]
        home = same[0] if same else _new_group(node, open_groups, most_open, close)
        for group in same[1:]:  # no open group waits for another, so two of them can become one
            open_groups.remove(group)
            home.nodes += group.nodes
            group_of.update(dict.fromkeys(group.nodes, home))
        home.nodes.append(node)
        group_of[node] = home
    while open_groups:
        close(open_groups[0])
    return result


def _new_group(node: Node, open_groups: list[_Group], most_open: int, close: Callable[[_Group], None]) -> _Group:
    if len(open_groups) >= most_open:
        close(open_groups[0])
    group = _Group(node.specs[0])
    open_groups.append(group)
    return group


def _groupable(node: Node, fuse_from: int) -> bool:
    return node.op.elementwise and len(node.specs) == 1 and node.specs[0].size >= fuse_from


def _instruction(nodes: list[Node], readers: dict[Key, list[Node]], kept: set[Key]) -> Instruction:
    own = set(nodes)
    outs = tuple(
        (n, 0) for n in nodes if (n, 0) in kept or any(reader not in own for reader in readers.get((n, 0), ()))
    )
    return Instruction(tuple(nodes), outs, fused=True)
