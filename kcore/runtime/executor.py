"""Binding a plan to memory, and running it.

A plan can be bound several times: each `Instance` has its own arena and input buffers, so that threads can run
one function at the same time. Variables and constants are shared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

from kcore.compile import Instruction, Plan
from kcore.dtypes import ITEMSIZE
from kcore.errors import ExecutionError
from kcore.graph import Spec, Tensor
from kcore.runtime.context import BindContext
from kcore.runtime.device import Device
from kcore.runtime.failure import explained
from kcore.runtime.staging import Stager

Key = tuple[Any, int]


class Instance:
    """A plan with memory: fill `inputs`, call `run`, read `outputs` (before the next run)."""

    def __init__(self, plan: Plan, device: Device, given: Mapping[int, Any] | None = None):
        """Bind `plan`; `given` holds arrays to use as input buffers, by position."""
        self.plan = plan
        self.device = device
        self._arrays: dict[Key, Any] = {}
        self._arena = device.empty((plan.arena_bytes,), "uint8")
        self.inputs = [self._input(t, (given or {}).get(i)) for i, t in enumerate(plan.inputs)]
        ctx = BindContext(device)
        self._calls = device.arrange([self._bind(ctx, i) for i in plan.instructions])
        self.outputs = [self.array(t) for t in plan.outputs]
        self._finish = self._bind_copies()

    @cached_property
    def stager(self) -> Stager | None:
        """What takes batches from the host into `inputs`; None where they can be written straight."""
        return self.device.stager([t.spec for t in self.plan.inputs])

    def _input(self, t: Tensor, array: Any) -> Any:
        if array is None:
            array = self.device.empty(t.shape, t.dtype)  # type: ignore[arg-type]
        self._arrays[t.key] = array
        return array

    def array(self, t: Tensor) -> Any:
        """The array of a value."""
        array = self._arrays.get(t.key)
        if array is None:
            array = self._arrays[t.key] = self._locate(t)
        return array

    def _locate(self, t: Tensor) -> Any:
        place = self.plan.places[t.key]
        node = t.node
        if place.kind == "slot":
            return _view(self._arena, place.offset, t.spec)
        if place.kind == "view":
            return node.op.as_view(self.device.xp, self.array(node.inputs[0]), **node.attrs)
        if place.kind == "constant":
            return self.device.asarray(node.attrs["value"].array)
        if place.kind == "variable":
            return node.attrs["state"].array
        raise ExecutionError(f"value {t!r} has no place in the plan")

    def reads_input(self, output: int) -> bool:
        """Whether output number `output` is an input, or a view of one."""
        t = self.plan.outputs[output]
        while self.plan.places[t.key].kind == "view":
            t = t.node.inputs[0]
        return self.plan.places[t.key].kind == "input"

    def _bind(self, ctx: BindContext, instruction: Instruction) -> Callable[[], Any]:
        ctx.begin_instruction()
        made = {key: self._result(key) for key in instruction.outs}
        node = instruction.nodes[0]
        try:
            if instruction.fused:
                return self.device.bind_group(ctx, instruction, list(made.values()), self.array)
            outs = [made.get((node, i)) for i in range(len(node.specs))]  # None: nothing reads it
            return ctx.bind_op(node.op, outs, [self.array(t) for t in node.inputs], node.attrs)
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

    def _bind_copies(self) -> list[Callable[[], Any]]:
        calls: list[Callable[[], Any]] = []
        late: list[Callable[[], Any]] = []
        for variable, value, staged in self.plan.copies:
            source = self.array(value)
            if staged:
                saved = self.device.empty(value.shape, value.dtype)  # type: ignore[arg-type]
                calls.append(partial(_copy, saved, source))
                source = saved
            late.append(partial(_copy, variable.node.attrs["state"].array, source))
        return calls + late

    @property
    def calls(self) -> list[Callable[[], Any]]:
        """What a run does, in order: for a device that makes the body of a loop part of something larger."""
        return [call for _, call in self._calls]

    def run(self) -> None:
        """Compute the outputs and then the updates, from what `inputs` holds now."""
        i = 0
        try:
            with self.device.errstate():
                for i, call in self._calls:  # noqa: B007 - i tells where it failed
                    call()
        except Exception as error:
            raise _explained(self.plan.instructions[i], error) from error

    def finish(self) -> None:
        """Write the updates that could not be written in place; called after the outputs were read."""
        for call in self._finish:
            call()


def _explained(instruction: Instruction, error: Exception) -> ExecutionError:
    return explained(error, instruction.name, instruction.nodes[-1], list(instruction.reads()))


def _view(arena: Any, offset: int, spec: Spec) -> Any:
    nbytes = spec.size * ITEMSIZE[spec.dtype]
    return arena[offset : offset + nbytes].view(spec.dtype).reshape(spec.shape)


def _copy(target: Any, source: Any) -> None:
    target[...] = source


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
