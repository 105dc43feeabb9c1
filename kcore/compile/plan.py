"""A plan: a flat list of instructions for concrete shapes, and where each value lives.

A plan is data. It says nothing about arrays or devices; the executor binds it to memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from kcore.graph import Node, Shape, Spec, Tensor

Key = tuple[Node, int]


@dataclass
class Instruction:
    """One step: a node, or a group of nodes that are computed together.

    Attributes:
        nodes: one node; several, inputs before readers, in a fused group.
        outs: keys of the values that others read; the other values of a group live in registers only.
        fused: whether this is a group for piecewise execution: of elementwise nodes of one shape, and on devices that
            ask for it of reductions of their rows (`kcore.compile.rows`).
        shape: of a group: the shape of its elementwise values.
        head: of a group: the node, not elementwise, whose result the others start from; the device may let them go over
            each part of it as soon as it is there.
        on: the number of the device that computes it; None for the one that runs the plan.
    """

    nodes: tuple[Node, ...]
    outs: tuple[Key, ...]
    fused: bool = False
    shape: Shape = ()
    on: int | None = None
    head: Node | None = None

    @property
    def name(self) -> str:
        return "+".join(n.op.name for n in self.nodes)

    def reads(self) -> list[Tensor]:
        """The values that come from outside the instruction."""
        own = set(self.nodes)
        return [t for n in self.nodes for t in n.inputs if t.node not in own]


@dataclass
class Place:
    """Where a value lives.

    Attributes:
        kind: "input", "constant", "variable", "slot" (in the arena), or "view" (of input 0 of its node).
        offset: of a slot: its first byte in the arena.
        contiguous: whether the value lies in memory without gaps.
        on: of a slot: the number of the device whose arena it is in.
        slot: of a slot: its number; values that are written over each other have one.
    """

    kind: str
    offset: int = 0
    contiguous: bool = True
    on: int | None = None
    slot: int = 0


@dataclass
class Plan:
    """What `K.function` runs for one signature of shapes."""

    inputs: list[Tensor]
    outputs: list[Tensor]
    instructions: list[Instruction]
    places: dict[Key, Place]
    arena_bytes: int
    copies: list[tuple[Tensor, Tensor, bool]] = field(default_factory=list)  # variable, value, via a copy
    direct: dict[Key, Tensor] = field(default_factory=dict)  # values computed right in a variable's memory
    other_arenas: dict[int | None, int] = field(default_factory=dict)  # bytes on further devices, by their numbers

    def show(self) -> str:
        """The plan as text: each instruction with shapes, place of its result, and estimated costs."""
        lines = [f"plan: {len(self.instructions)} instructions, {_size(self.arena_bytes)} of working memory"]
        for t in self.inputs:
            lines.append(f"  input {t.spec}")
        total = 0
        for i, instruction in enumerate(self.instructions):
            flops, moved = _costs(instruction)
            total += flops
            results = ", ".join(f"{node.specs[k]} in {self._where((node, k))}" for node, k in instruction.outs)
            args = ", ".join(str(t.spec) for t in instruction.reads())
            name = instruction.name if instruction.on is None else f"on {instruction.on}: {instruction.name}"
            lines.append(f"{i:5} {name}({args}) -> {results}  [{_count(flops)}flop, {_size(moved)}]")
            origin = instruction.nodes[-1].origin
            if origin is not None:
                lines.append(f"        {origin.describe()}")
        for variable, value, _ in self.copies:
            lines.append(f"      copy {value.spec} to {variable.name}")
        lines.append(f"total: {_count(total)}flop")
        return "\n".join(lines)

    def _where(self, key: Key) -> str:
        place = self.places.get(key)
        if place is None:
            return "nowhere"
        return f"memory at {place.offset}" if place.kind == "slot" else place.kind


def _costs(instruction: Instruction) -> tuple[int, int]:
    flops = sum(n.op.cost([t.spec for t in n.inputs], n.specs, n.attrs) for n in instruction.nodes)
    moved = sum(t.spec.nbytes for t in instruction.reads() if t.spec.known)
    moved += sum(_nbytes(node.specs[k]) for node, k in instruction.outs)
    return flops, moved


def _nbytes(spec: Spec) -> int:
    return spec.nbytes if spec.known else 0


def _scaled(value: float, units: Sequence[str], step: float) -> str:
    for unit in units:
        if value < step or unit == units[-1]:
            return f"{value:.3g} {unit}"
        value /= step
    raise AssertionError


def _count(value: int) -> str:
    return _scaled(value, ("", "k", "M", "G", "T"), 1000.0)


def _size(value: int) -> str:
    return _scaled(value, ("B", "KiB", "MiB", "GiB"), 1024.0)
