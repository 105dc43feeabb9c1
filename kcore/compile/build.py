"""The stages of compilation, one after the other."""

from __future__ import annotations

from collections.abc import Collection

from kcore.compile.fuse import MAX_OPEN, MIN_ELEMENTS, schedule
from kcore.compile.memory import ROOT_KINDS, MemoryPlan
from kcore.compile.placement import is_placed, place_of, placed
from kcore.compile.plan import Plan
from kcore.compile.specialize import Graph
from kcore.graph import Node


def compile_plan(
    graph: Graph,
    fuse_from: int = MIN_ELEMENTS,
    most_open: int = MAX_OPEN,
    longest_row: int = 0,
    several_devices: bool = False,
    heads: Collection[str] = (),
) -> Plan:
    """The plan of a graph whose shapes are all known; the numbers and `heads` are those of `schedule`.

    Nodes go to the devices in whose scopes they were made if there are `several_devices`.
    """
    where = nowhere
    if several_devices and is_placed(graph):
        graph, where = placed(graph), place_of
    kept = [*graph.outputs, *(value for _, value in graph.updates)]
    instructions = schedule(graph.nodes(), kept, ROOT_KINDS, fuse_from, most_open, longest_row, where, heads)
    memory = MemoryPlan(instructions, graph.outputs, graph.updates, where)
    updated = {variable.key for variable, _ in graph.updates}
    copies = []
    for i, (variable, value) in enumerate(graph.updates):
        if i in memory.in_variables:
            continue
        # A new value that is read from another updated variable must be saved before that one changes.
        staged = memory.root.get(value.key, value.key) in updated
        copies.append((variable, value, staged))
    arenas: dict[int | None, int] = {on: size for on, size in memory.arenas.items() if on is not None}
    return Plan(
        graph.inputs, graph.outputs, memory.instructions, memory.places, memory.arenas[None], copies, memory.direct,
        arenas,
    )  # fmt: skip


def nowhere(node: Node) -> None:
    """The place of every node where there is one device."""
