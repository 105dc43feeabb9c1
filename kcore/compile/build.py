"""The stages of compilation, one after the other."""

from __future__ import annotations

from kcore.compile.fuse import MAX_OPEN, MIN_ELEMENTS, schedule
from kcore.compile.memory import ROOT_KINDS, MemoryPlan
from kcore.compile.plan import Plan
from kcore.compile.specialize import Graph


def compile_plan(graph: Graph, fuse_from: int = MIN_ELEMENTS, most_open: int = MAX_OPEN, longest_row: int = 0) -> Plan:
    """The plan of a graph whose shapes are all known; the numbers are those of `schedule`."""
    kept = [*graph.outputs, *(value for _, value in graph.updates)]
    instructions = schedule(graph.nodes(), kept, ROOT_KINDS, fuse_from, most_open, longest_row)
    memory = MemoryPlan(instructions, graph.outputs, graph.updates)
    updated = {variable.key for variable, _ in graph.updates}
    copies = []
    for i, (variable, value) in enumerate(graph.updates):
        if i in memory.in_variables:
            continue
        # A new value that is read from another updated variable must be saved before that one changes.
        staged = memory.root.get(value.key, value.key) in updated
        copies.append((variable, value, staged))
    return Plan(
        graph.inputs, graph.outputs, memory.instructions, memory.places, memory.arena_bytes, copies, memory.direct
    )
