"""Binding a plan to memory, and running it.

A plan can be bound several times: each `Instance` has its own arena and input buffers, so that threads can run
one function at the same time. Variables and constants are shared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from itertools import groupby
from typing import Any, NamedTuple

from kcore.compile import Instruction, Place, Plan
from kcore.errors import ExecutionError
from kcore.graph import Spec, Tensor
from kcore.runtime.context import BindContext
from kcore.runtime.device import Device
from kcore.runtime.failure import explained
from kcore.runtime.staging import Block, Read, Stager, view_at

Key = tuple[Any, int]


class Work(NamedTuple):
    """Something to bind: the number of the instruction that it belongs to, its device, and what binds it there."""

    number: int
    device: Device
    bind: Callable[[BindContext], Callable[[], Any]]


class Instance:
    """A plan with memory: `fill` the inputs, `run`, read `outputs`, `finish`, which ends what `run` began."""

    def __init__(self, plan: Plan, device: Device, given: Mapping[int, Any] | None = None):
        """Bind `plan`; `given` holds arrays to use as input buffers, by position."""
        self.plan = plan
        self.device = device
        self._arrays: dict[Key, Any] = {}
        self._constants: dict[tuple[Key, int | None], Any] = {}
        with device.here():
            self._arenas = {} if device.separate else _arenas(plan, device)
            self._slots: dict[int, Any] = {}  # where they are separate
            self.inputs = self._bind_inputs(given or {})
            self._contexts: dict[Device, BindContext] = {}
            work, copies = self._instructions(), self._copies()
            late = self._shows_updates()
            self._calls = self._bind_all(work if late else [*work, *copies])
            self.outputs = [self.array(t) for t in plan.outputs]
            self._finish = self._bind_all(copies if late else [])

    @cached_property
    def stager(self) -> Stager | None:
        """What takes batches from the host into `inputs`, and `outputs` back; None where they are on the host."""
        return self.device.stager(self._block, self.outputs)

    def _bind_inputs(self, given: Mapping[int, Any]) -> list[Any]:
        specs = [t.spec for i, t in enumerate(self.plan.inputs) if i not in given]
        self._block = Block(self.device.empty, specs, self.device.separate)
        own = iter(self._block.arrays)
        arrays = [given[i] if i in given else next(own) for i in range(len(self.plan.inputs))]
        self._arrays.update((t.key, array) for t, array in zip(self.plan.inputs, arrays, strict=True))
        return arrays

    def array(self, t: Tensor, on: int | None = None) -> Any:
        """The array of a value; a constant is wherever it is read, `on` a device of this number."""
        array = self._arrays.get(t.key)
        if array is None:
            place = self.plan.places[t.key]
            if place.kind == "constant":
                return self._constant(t, on)
            array = self._arrays[t.key] = self._locate(t, place, on)
        return array

    def _constant(self, t: Tensor, on: int | None) -> Any:
        array = self._constants.get((t.key, on))
        if array is None:
            array = self._constants[t.key, on] = self.device.at(on).asarray(t.node.attrs["value"].array)
        return array

    def _locate(self, t: Tensor, place: Place, on: int | None) -> Any:
        node = t.node
        if place.kind == "slot":
            return self._slot(place, t.spec)
        if place.kind == "view":
            return node.op.as_view(self.device.xp, self.array(node.inputs[0], on), **node.attrs)
        if place.kind == "variable":
            return node.attrs["state"].array
        raise ExecutionError(f"value {t!r} has no place in the plan")

    def _slot(self, place: Place, spec: Spec) -> Any:
        arena = self._arenas.get(place.on)
        if arena is not None:
            return view_at(arena, place.offset, spec)
        if place.slot not in self._slots:
            self._slots[place.slot] = self.device.at(place.on).empty((spec.nbytes,), "uint8")
        return view_at(self._slots[place.slot], 0, spec)

    def fill(self, read: Read) -> None:
        """Let `read` write a batch into the inputs, from the host."""
        if self.stager is None:
            read(self.inputs)
        else:
            self.stager.put(read)

    def reads_input(self, output: int) -> bool:
        """Whether output number `output` is an input, or a view of one."""
        t = self.plan.outputs[output]
        while self.plan.places[t.key].kind == "view":
            t = t.node.inputs[0]
        return self.plan.places[t.key].kind == "input"

    def _bind_all(self, work: Sequence[Work]) -> list[tuple[int, Callable[[], Any]]]:
        """The calls of all work, in rows on one device, each with the number of its instruction."""
        result: list[tuple[int, Callable[[], Any]]] = []
        for device, row in groupby(work, lambda each: each.device):
            numbers, _, binds = zip(*row)
            with device.here():
                ctx = self._contexts.get(device) or self._contexts.setdefault(device, BindContext(device, self.device))
                calls = device.arrange([bind(ctx) for bind in binds])
            for i, call in calls:
                result.append((numbers[i], call if device is self.device else partial(_run_on, device, call)))
        return result

    def _instructions(self) -> list[Work]:
        return [
            Work(i, self.device.at(instruction.on), partial(self._bind, instruction=instruction))
            for i, instruction in enumerate(self.plan.instructions)
        ]

    def bound_alone(self) -> list[Callable[[], Any]]:
        """The call of each instruction, bound once more and joined with no other: for a look at what each costs."""
        calls = []
        for _, device, bind in self._instructions():
            with device.here():
                calls.append(bind(self._contexts[device]))
        return calls

    def _bind(self, ctx: BindContext, instruction: Instruction) -> Callable[[], Any]:
        ctx.begin_instruction()
        on = instruction.on
        made = {key: self._result(key) for key in instruction.outs}
        node = instruction.nodes[0]
        try:
            if instruction.fused:
                return ctx.device.bind_group(ctx, instruction, list(made.values()), lambda t: self.array(t, on))
            outs = [made.get((node, i)) for i in range(len(node.specs))]  # None: nothing reads it
            return ctx.bind_op(node.op, outs, [self.array(t, on) for t in node.inputs], node.attrs)
        except Exception as error:
            raise _explained(instruction, error) from error

    def _result(self, key: Key) -> Any:
        node, index = key
        place = self.plan.places[key]
        if place.kind == "variable":  # an update written straight into the variable
            self._arrays[key] = self._variable_of(key)
        return self.array(Tensor(node, index))

    def _variable_of(self, key: Key) -> Any:
        return self.plan.direct[key].node.attrs["state"].array

    def _copies(self) -> list[Work]:
        """The updates that could not be written in place: all that must be saved is saved, then variables change."""
        saves: list[Work] = []
        writes: list[Work] = []
        number = max(0, len(self.plan.instructions) - 1)
        for variable, value, staged in self.plan.copies:
            state = variable.node.attrs["state"]
            found = partial(self.array, value)
            if staged:
                with state.device.here():
                    saved = state.device.empty(value.shape, value.dtype)
                saves.append(Work(number, state.device, partial(_copy, saved, found)))
                found = partial(_same, saved)
            writes.append(Work(number, state.device, partial(_copy, state.array, found)))
        return saves + writes

    def _shows_updates(self) -> bool:
        """Whether an output is a variable, or a view of one, that a copy changes."""
        changed = {variable.key for variable, _, _ in self.plan.copies}
        for t in self.plan.outputs:
            while self.plan.places[t.key].kind == "view":
                t = t.node.inputs[0]
            if t.key in changed:
                return True
        return False

    @property
    def calls(self) -> list[Callable[[], Any]]:
        """What a run does, in order: for a device that makes the body of a loop part of something larger."""
        return [call for _, call in self._calls]

    def run(self) -> None:
        """Compute the outputs and then the updates, from what `inputs` holds now; `finish` has to follow."""
        i = 0
        try:
            with self.device.errstate():
                for i, call in self._calls:  # noqa: B007 - i tells where it failed
                    call()
        except Exception as error:
            if not self.plan.instructions:
                raise
            raise _explained(self.plan.instructions[i], error) from error

    def fetch(self) -> list[Any]:
        """The outputs as NumPy arrays that belong to the caller."""
        if self.stager is None:
            return [self.device.to_host(array) for array in self.outputs]
        return [array.copy() for array in self.stager.send()()]

    def finish(self) -> None:
        """Write the updates that would change the outputs; called after these were read."""
        if self._finish:
            with self.device.errstate():
                for _, call in self._finish:
                    call()


def _explained(instruction: Instruction, error: Exception) -> ExecutionError:
    return explained(error, instruction.name, instruction.nodes[-1], list(instruction.reads()))


def _arenas(plan: Plan, device: Device) -> dict[int | None, Any]:
    """The working memory of a plan, on each of its devices."""
    sizes: dict[int | None, int] = {None: plan.arena_bytes, **plan.other_arenas}
    try:
        return {on: device.at(on).empty((size,), "uint8") for on, size in sizes.items()}
    except ExecutionError as error:
        stored = [key for key, place in plan.places.items() if place.kind == "slot"]
        node, index = max(stored, key=lambda key: key[0].specs[key[1]].nbytes)
        raise ExecutionError(
            f"{error}\n  for the working memory of a plan. Its largest value is {node.specs[index]}, of operation "
            f"{node.op.name}, made at {node.origin and node.origin.describe()}",
            op=node.op.name, line=node.origin and str(node.origin), cause=error,
        ) from error  # fmt: skip


def _copy(target: Any, source: Callable[[], Any], ctx: BindContext) -> Callable[[], Any]:
    return ctx.device.copy(target, source())


def _same(array: Any) -> Any:
    return array


def _run_on(device: Device, call: Callable[[], Any]) -> None:
    with device.errstate():
        call()


def bind_inner(
    device: Device, inputs: Sequence[Tensor], outputs: Sequence[Tensor], given: Mapping[int, Any]
) -> Instance:
    """Compile and bind a graph inside an operation; `inputs` are placeholders of known shape, and `given` holds
    arrays to use as their memory, by position."""
    from kcore.runtime.function import make_plan

    plan = make_plan(device, inputs, [t.spec for t in inputs], outputs, [], phase=False)
    if plan is None:
        raise ExecutionError("the shapes inside a loop follow from data; a loop needs shapes that are known")
    return Instance(plan, device, given)
