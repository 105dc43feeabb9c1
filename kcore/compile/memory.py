"""Where each value lives: the last stage of a plan.

Views share the memory of what they view. A result takes over the memory of an operand that is read for the last
time where the operation allows it, and the new value of a variable is written straight into the variable where
nobody reads the old value later. All other values get a place in one arena; values that are never alive at the
same time share bytes.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Sequence

from kcore.compile.plan import Instruction, Key, Place
from kcore.graph import Node, Tensor

ALIGNMENT = 64
ROOT_KINDS = {"placeholder": "input", "constant": "constant", "variable": "variable"}


class MemoryPlan:
    """Places of all values of an instruction list.

    Attributes:
        places: the place of each value.
        instructions: those that compute something (views need none).
        arenas: size of each arena, by the number of its device (None: the one that runs the plan).
        in_variables: indices of the updates whose value is written straight into the variable.
        direct: the values that are computed in the memory of a variable, with the variable.
    """

    def __init__(
        self,
        instructions: Sequence[Instruction],
        outputs: Sequence[Tensor],
        updates: Sequence[tuple[Tensor, Tensor]],
        place_of: Callable[[Node], int | None] = lambda node: None,
    ):
        self._place_of = place_of
        self.places: dict[Key, Place] = {}
        self.instructions: list[Instruction] = []
        self.root: dict[Key, Key] = {}  # of a view: the value whose memory it shows
        self._resolve_views(instructions)
        self._last_read: dict[Key, int] = {}
        self._find_last_reads(outputs, updates)
        self.slot: dict[Key, int] = {}  # root -> slot number
        self._slot_end: list[int] = []
        self._slot_start: list[int] = []
        self._slot_bytes: list[int] = []
        self._slot_on: list[int | None] = []
        self.in_variables: set[int] = set()
        self.direct: dict[Key, Tensor] = {}
        self._heads = self._small_results(outputs)
        variable_of = self._updates_in_place(outputs, updates)
        for position, instruction in enumerate(self.instructions):
            self._place_results(position, instruction, variable_of)
        self.arenas: dict[int | None, int] = {None: 0}
        for on in dict.fromkeys(self._slot_on):
            self.arenas[on] = self._pack(on)

    # -- views -----------------------------------------------------------------------------------------
    def _resolve_views(self, instructions: Sequence[Instruction]) -> None:
        for instruction in instructions:
            for t in instruction.reads():
                self._enter_root(t)
            node = instruction.nodes[0]
            if not instruction.fused and self._is_view(node):
                source = node.inputs[0].key
                contiguous = node.op.view == "contiguous" or node.op.name in ("identity", "stop_gradient")
                contiguous = contiguous and self.places[source].contiguous
                self.places[(node, 0)] = Place("view", contiguous=contiguous)
                self.root[(node, 0)] = self.root.get(source, source)
            else:
                self.instructions.append(instruction)
                for key in instruction.outs:
                    self.places[key] = Place("slot")

    def _enter_root(self, t: Tensor) -> None:
        kind = ROOT_KINDS.get(t.node.op.name)
        if kind is not None and t.key not in self.places:
            self.places[t.key] = Place(kind)

    def _is_view(self, node: Node) -> bool:
        if node.op.view == "contiguous":
            return self.places[node.inputs[0].key].contiguous
        return bool(node.op.view)

    def _root(self, key: Key) -> Key:
        return self.root.get(key, key)

    # -- lifetimes -------------------------------------------------------------------------------------
    def _find_last_reads(self, outputs: Sequence[Tensor], updates: Sequence[tuple[Tensor, Tensor]]) -> None:
        for position, instruction in enumerate(self.instructions):
            for t in instruction.reads():
                self._last_read[self._root(t.key)] = position
        end = len(self.instructions)
        for t in [*outputs, *(value for _, value in updates)]:
            self._enter_root(t)
            self._last_read[self._root(t.key)] = end

    def _updates_in_place(
        self, outputs: Sequence[Tensor], updates: Sequence[tuple[Tensor, Tensor]]
    ) -> dict[Key, tuple[Tensor, int]]:
        """The updates whose value may be computed right in the variable's memory: value -> (variable, index)."""
        made_at = {key: p for p, instruction in enumerate(self.instructions) for key in instruction.outs}
        pinned = {self._root(t.key) for t in outputs}
        wanted: dict[Key, int] = {}
        for _, value in updates:
            wanted[value.key] = wanted.get(value.key, 0) + 1
        chosen: dict[Key, tuple[Tensor, int]] = {}
        for i, (variable, value) in enumerate(updates):
            position = made_at.get(value.key)
            if position is None or value.key in pinned or wanted[value.key] > 1 or value.spec != variable.spec:
                continue
            if self.instructions[position].on != self._place_of(variable.node):
                continue
            last = self._last_read.get(variable.key, -1)
            if last < position or (
                last == position and overwritable(self.instructions[position], value.key, variable.key, self._root)
            ):
                chosen[value.key] = (variable, i)
                self._extend_back(value.key, position, made_at, chosen)
        return chosen

    def _extend_back(
        self, key: Key, position: int, made_at: dict[Key, int], chosen: dict[Key, tuple[Tensor, int]]
    ) -> None:
        """Compute what the new value of a variable is made of right in the variable too, where one is written over
        the other: ``scatter_add(momentum * m, ...)`` for `m` then needs no memory for the product."""
        variable, index = chosen[key]
        for t in self.instructions[position].reads():
            made = made_at.get(t.key)
            if made is None or t.key in chosen or t.spec != variable.spec or self._last_read[t.key] != position:
                continue
            if self.instructions[made].on != self.instructions[position].on:
                continue
            last = self._last_read.get(variable.key, -1)
            free = last < made or (
                last == made and overwritable(self.instructions[made], t.key, variable.key, self._root)
            )
            if free and overwritable(self.instructions[position], key, t.key, self._root):
                chosen[t.key] = (variable, index)
                self._extend_back(t.key, made, made_at, chosen)
                return

    def _small_results(self, outputs: Sequence[Tensor]) -> set[Key]:
        """Outputs such as a loss and metrics: they lie side by side at the beginning of the arena, so that a device
        with memory of its own sends them to the host as one."""
        roots = [self._root(t.key) for t in outputs]
        return {(node, i) for node, i in roots if node.specs[i].nbytes <= ALIGNMENT}

    # -- slots -----------------------------------------------------------------------------------------
    def _place_results(
        self, position: int, instruction: Instruction, variable_of: dict[Key, tuple[Tensor, int]]
    ) -> None:
        taken: set[Key] = set()
        for key in instruction.outs:
            if key in variable_of:
                variable, index = variable_of[key]
                self.places[key] = Place("variable")
                self.root[key] = variable.key
                self.places.setdefault(variable.key, Place("variable"))
                self.in_variables.add(index)
                self.direct[key] = variable
                continue
            end = self._last_read.get(key, position)
            head = key in self._heads
            victim = None if head else self._dying_operand(position, instruction, key, taken)
            if victim is not None:
                taken.add(victim)
                number = self.slot[victim]
                self._slot_end[number] = max(self._slot_end[number], end)
            else:
                number = len(self._slot_end)
                self._slot_start.append(-1 if head else position)
                self._slot_end.append(end)
                self._slot_bytes.append(key[0].specs[key[1]].nbytes)
                self._slot_on.append(instruction.on)
            self.slot[key] = number

    def _dying_operand(self, position: int, instruction: Instruction, key: Key, taken: set[Key]) -> Key | None:
        """An operand whose memory the result `key` may take over."""
        node, index = key
        spec = node.specs[index]
        for t in instruction.reads():
            root = self._root(t.key)
            number = self.slot.get(root)
            if number is None or root in taken or self._slot_end[number] != position:
                continue
            if self._slot_on[number] != instruction.on:
                continue
            if t.spec.dtype != spec.dtype or t.spec.shape != spec.shape or not self.places[t.key].contiguous:
                continue
            if root[0].specs[root[1]].nbytes == spec.nbytes and overwritable(instruction, key, t.key, self._root):
                return root
        return None

    def _pack(self, on: int | None) -> int:
        """Give each slot of a device its offset: first fit among the gaps that dead slots leave, smallest gap first."""
        own = [s for s, place in enumerate(self._slot_on) if place == on]
        starting: list[int] = sorted(own, key=lambda s: self._slot_start[s])
        ending: list[tuple[int, int]] = []  # (end, slot) of living slots, sorted
        free = _FreeList()
        offsets = [0] * len(self._slot_end)
        for number in starting:
            while ending and ending[0][0] < self._slot_start[number]:
                _, dead = ending.pop(0)
                free.give(offsets[dead], _aligned(self._slot_bytes[dead]))
            offsets[number] = free.take(_aligned(self._slot_bytes[number]))
            insort(ending, (self._slot_end[number], number))
        for key, number in self.slot.items():
            if self._slot_on[number] == on:
                place = self.places[key]
                place.offset, place.on, place.slot = offsets[number], on, number
        return free.top


def _aligned(nbytes: int) -> int:
    return max(ALIGNMENT, -(-nbytes // ALIGNMENT) * ALIGNMENT)


class _FreeList:
    """Free stretches of an arena that can grow at its top."""

    def __init__(self) -> None:
        self.top = 0
        self._gaps: list[tuple[int, int]] = []  # (offset, size), sorted by offset, never touching

    def take(self, size: int) -> int:
        fitting = [gap for gap in self._gaps if gap[1] >= size]
        if fitting:
            offset, length = min(fitting, key=lambda gap: gap[1])
            self._gaps.remove((offset, length))
            if length > size:
                insort(self._gaps, (offset + size, length - size))
            return offset
        if self._gaps and sum(self._gaps[-1]) == self.top:  # the topmost gap can grow
            offset, _ = self._gaps.pop()
        else:
            offset = self.top
        self.top = offset + size
        return offset

    def give(self, offset: int, size: int) -> None:
        insort(self._gaps, (offset, size))
        merged: list[tuple[int, int]] = []
        for start, length in self._gaps:
            if merged and sum(merged[-1]) == start:
                merged[-1] = (merged[-1][0], merged[-1][1] + length)
            else:
                merged.append((start, length))
        self._gaps = merged


def overwritable(instruction: Instruction, result: Key, operand: Key, root_of: Callable[[Key], Key]) -> bool:
    """Whether `instruction` may write `result` into the memory of `operand`, which nobody reads later.

    Within a group, the steps up to the one that makes `result` may read the operand, the steps after it may not;
    the step itself may if its operation allows it. No other operand may show the same memory in another way. In a group
    with a head no operand is overwritten: parts of the results are there before all of the head is computed.
    """
    if instruction.head is not None:
        return False
    target = root_of(operand)
    made = next(i for i, n in enumerate(instruction.nodes) if n is result[0])
    spec = result[0].specs[result[1]]
    if instruction.fused and spec.shape != instruction.shape:
        return False  # a row value: its operands may be read for other rows
    for i, node in enumerate(instruction.nodes):
        for position, t in enumerate(node.inputs):
            if root_of(t.key) != target:
                continue
            if t.key != operand or t.spec.shape != spec.shape or i > made:
                return False
            if i == made and (result[1] != 0 or position not in node.op.inplace):
                return False
    return True
