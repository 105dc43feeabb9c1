"""Grouping of elementwise operations: the second stage of a plan.

Neighbouring elementwise operations on large tensors of one shape become one instruction, which a device computes
piece by piece: on a CPU in pieces that stay in the cache, spread over threads; on a GPU as one kernel. Values that
only the group reads never reach main memory. On small tensors a group would gain nothing, and none is made. On devices
that ask for it, reductions of rows join in (`kcore.compile.rows`), or an operation of another kind is the head of a
group: a convolution, with the bias and the activation that follow it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from kcore.compile import rows
from kcore.compile.plan import Instruction, Key
from kcore.graph import Node, Shape, Tensor

MIN_ELEMENTS = 1 << 14
MAX_OPEN = 16


class _Group:
    """A group under construction; it ends when something outside it reads one of its values."""

    def __init__(self, shape: Shape, on: int | None):
        self.shape = shape  # of its elements
        self.on = on  # the number of its device
        self.nodes: list[Node] = []
        self.head: Node | None = None


def schedule(
    nodes: Sequence[Node],
    outputs: Iterable[Tensor],
    skip: Iterable[str],
    fuse_from: int = MIN_ELEMENTS,
    most_open: int = MAX_OPEN,
    longest_row: int = 0,
    place_of: Callable[[Node], int | None] = lambda node: None,
    heads: Collection[str] = (),
) -> list[Instruction]:
    """The instructions that compute `nodes`, in order.

    Args:
        nodes: inputs before readers.
        outputs: values that are read after the last instruction.
        skip: names of operations that need no instruction (values that are there already).
        fuse_from: elements from which elementwise operations are grouped.
        most_open: how many groups may grow side by side.
        longest_row: columns up to which operations on rows join groups; 0 for none.
        place_of: gives the number of the device on which a node runs.
        heads: names of operations that may be heads of groups.
    """
    skipped = set(skip)
    wanted = [node for node in nodes if node.op.name not in skipped]
    return _Schedule(nodes, outputs, fuse_from, most_open, longest_row, place_of, heads).run(wanted)


class _Schedule:
    def __init__(
        self,
        nodes: Sequence[Node],
        outputs: Iterable[Tensor],
        fuse_from: int,
        most_open: int,
        longest_row: int,
        place_of: Callable[[Node], int | None],
        heads: Collection[str],
    ):
        self.place_of, self.heads = place_of, heads
        self.fuse_from, self.most_open, self.longest_row = fuse_from, most_open, longest_row
        self.position = {node: i for i, node in enumerate(nodes)}
        self.readers: dict[Key, list[Node]] = {}
        for node in nodes:
            for t in node.inputs:
                self.readers.setdefault(t.key, []).append(node)
        self.kept = {t.key for t in outputs}
        self.open: list[_Group] = []
        self.group_of: dict[Node, _Group] = {}
        self.waiting: dict[Node, None] = {}
        self.result: list[Instruction] = []

    def run(self, nodes: Sequence[Node]) -> list[Instruction]:
        for node in nodes:
            if node.op.name == "transfer":  # its device may wait there: what was begun is handed out before
                self._end_all()
            if self._reads_waiting(node) and not self._can_wait(node):
                self._place_waiting()
            self._place_or_wait([node])
        self._end_all()
        return self.result

    def _end_all(self) -> None:
        self._place_waiting()
        while self.open:
            self._close(self.open[0])

    # -- what may come later ---------------------------------------------------------------------------
    def _reads_waiting(self, node: Node) -> bool:
        return any(t.node in self.waiting for t in node.inputs)

    def _can_wait(self, node: Node) -> bool:
        """Whether a node would end a group of rows, and may as well come later: what follows may still join."""
        if not self.longest_row or not (node.op.view or self._elements(node)):
            return False
        return self._reads_waiting(node) or not all(self._joins(group, node) for group in self._sources(node))

    def _place_or_wait(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            if self._can_wait(node):
                self.waiting[node] = None
            else:
                self._place(node)

    def _place_waiting(self) -> None:
        while self.waiting:
            first, *others = self.waiting
            self.waiting.clear()
            self._place(first)
            self._place_or_wait(others)

    # -- groups ----------------------------------------------------------------------------------------
    def _sources(self, node: Node) -> list[_Group]:
        """The open groups of whose values a node reads."""
        return list({id(g): g for t in node.inputs if (g := self.group_of.get(t.node)) is not None}.values())

    def _elements(self, node: Node) -> Shape | None:
        """The shape of the elements of a group that `node` may begin; None if it is computed by itself."""
        if len(node.specs) != 1:
            return None
        if node.op.elementwise or node.op.name in self.heads:
            return node.specs[0].shape if node.specs[0].size >= self.fuse_from else None
        return rows.elements_of(node, self.longest_row) if self.longest_row else None

    def _joins(self, group: _Group, node: Node) -> bool:
        if group.on != self.place_of(node):
            return False
        columns = group.shape[-1] if group.shape else None
        if columns is None or not 1 < columns <= self.longest_row:
            return node.op.elementwise and node.specs[0].shape == group.shape
        return rows.takes(group.shape, node, [t for t in node.inputs if self.group_of.get(t.node) is group])

    def _place(self, node: Node) -> None:
        shape, sources = self._elements(node), self._sources(node)
        if shape is None and self.longest_row and len(sources) == 1:
            (group,) = sources
            if rows.ends(group.shape, group.nodes, node):
                group.nodes.append(node)
                self._close(group)
                return
        homes = [] if shape is None else [group for group in sources if self._joins(group, node)]
        homes = [group for group in homes if group.shape == homes[0].shape]
        for group in [group for group in homes if group.head is not None][:-1]:  # a group has one head
            homes.remove(group)
        for group in sources:
            if group not in homes:
                self._close(group)
        if shape is None:
            self.result.append(self._single(node))
            return
        home = homes[0] if homes else self._new_group(shape, self.place_of(node))
        for group in homes[1:]:  # no open group waits for another, so two of them can become one
            self.open.remove(group)
            home.nodes += group.nodes
            home.head = home.head or group.head
            self.group_of.update(dict.fromkeys(group.nodes, home))
        home.nodes.append(node)
        if node.op.name in self.heads:
            home.head = node
        self.group_of[node] = home

    def _new_group(self, shape: Shape, on: int | None) -> _Group:
        if len(self.open) >= self.most_open:
            self._close(self.open[0])
        group = _Group(shape, on)
        self.open.append(group)
        return group

    def _close(self, group: _Group) -> None:
        self.open.remove(group)
        group.nodes.sort(key=self.position.__getitem__)
        self.result.append(self._instruction(group))
        for node in group.nodes:
            self.group_of.pop(node, None)

    # -- instructions ----------------------------------------------------------------------------------
    def _single(self, node: Node) -> Instruction:
        outs = [(node, i) for i in range(len(node.specs))]
        if node.op.optional_outputs:
            outs = [key for key in outs if key in self.kept or key in self.readers]
        return Instruction((node,), tuple(outs), on=self.place_of(node))

    def _instruction(self, group: _Group) -> Instruction:
        nodes = group.nodes
        if len(nodes) == 1 and not nodes[0].op.elementwise:
            return self._single(nodes[0])
        own = set(nodes)
        keys = [(n, i) for n in nodes for i in range(len(n.specs))]
        outs = tuple(
            key for key in keys
            if len(key[0].specs) > 1 or key in self.kept or any(r not in own for r in self.readers.get(key, ()))
        )  # fmt: skip
        return Instruction(tuple(nodes), outs, fused=True, shape=group.shape, on=group.on, head=group.head)
