"""`Function`: what `K.function` returns, the one seam between graph and execution."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from kcore.compile import Plan, absorb_biases, apply_passes, compile_plan, fold_channels, specialize
from kcore.errors import DTypeError, ShapeError
from kcore.graph import Spec, Tensor
from kcore.runtime.device import Device
from kcore.runtime.devices import current_device
from kcore.runtime.evaluate import evaluate, fold_node
from kcore.runtime.executor import Instance
from kcore.runtime.variable import Variable, combined

MAX_PLANS = 32  # plans of a function: the least recently used is dropped
MAX_IDLE = 4  # idle instances (memory) that a plan keeps for its next callers


def make_plan(
    device: Device,
    inputs: Sequence[Tensor],
    specs: Sequence[Spec],
    outputs: Sequence[Tensor],
    updates: Sequence[tuple[Tensor, Tensor]],
    phase: bool,
    placed: bool = False,
) -> Plan | None:
    """Compile for concrete input shapes; None where shapes follow from data and no plan is possible. `placed`: nodes
    go to the devices in whose scopes they were made, where there are several."""

    def fold(node: Any) -> Sequence[Any]:
        return fold_node(node, device)

    graph = specialize(inputs, specs, outputs, updates, phase, fold)
    if not graph.known:
        return None
    several = placed and len(device.numbers()) > 1
    graph = device.rewrite(absorb_biases(fold_channels(apply_passes(graph))))
    return compile_plan(graph, device.fuse_from, device.most_open, device.longest_row, several, device.heads)


class BoundPlan:
    """A plan and its idle instances; `acquire` gives one to a thread, `release` takes it back."""

    def __init__(self, plan: Plan, device: Device):
        self.plan = plan
        self.device = device
        self._idle: list[Instance] = []

    def acquire(self) -> Instance:
        with contextlib.suppress(IndexError):  # all are busy, or another thread was faster
            return self._idle.pop()
        return Instance(self.plan, self.device)

    def release(self, instance: Instance) -> None:
        if len(self._idle) < MAX_IDLE:
            self._idle.append(instance)


class Function:
    """Computes `outputs` and then carries out `updates`, for given `inputs`.

    Calls compile a plan for each new signature of input shapes (and learning phase) and keep a bounded number of
    plans. Several threads may call one function at a time.

    Args:
        inputs: tensors to be given at each call; placeholders, or any tensors, which are then cut off from what
            they depend on. The learning phase may be among them.
        outputs: tensors to compute.
        updates: pairs of a variable and its new value; all are computed from the values before the call. Several of
            one variable are carried out in order (see `kcore.runtime.variable.Update`).
        name: for messages.
    """

    def __init__(
        self,
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
        updates: Sequence[tuple[Variable, Tensor]] = (),
        name: str = "function",
    ):
        self.name = name
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        self.updates = combined(updates)
        self.device = current_device()
        self._phase_at = next((i for i, t in enumerate(self.inputs) if t.node.op.name == "learning_phase"), None)
        self._tensors = [t for t in self.inputs if t.node.op.name != "learning_phase"]
        self._plans: OrderedDict[Any, BoundPlan | None] = OrderedDict()
        self._lock = threading.Lock()

    # -- calls -----------------------------------------------------------------------------------------
    def __call__(self, inputs: Sequence[Any] = ()) -> list[Any]:
        """Run it.

        Args:
            inputs: one value for each input: arrays, or what NumPy makes arrays of.

        Returns:
            the outputs as NumPy arrays that belong to the caller.

        Raises:
            ShapeError, DTypeError: an argument does not fit its input; the message names it.
        """
        if not isinstance(inputs, (list, tuple)):
            raise DTypeError(f"{self.name} takes the list of its inputs, got {type(inputs).__name__}; write f([x])")
        if len(inputs) != len(self.inputs):
            names = ", ".join(t.name for t in self.inputs) or "none"
            raise ShapeError(f"{self.name} takes {len(self.inputs)} inputs ({names}), got {len(inputs)}")
        phase, values = self._split(inputs)
        arrays = [self._checked(t, v) for t, v in zip(self._tensors, values, strict=True)]
        bound = self.bound_plan([a.shape for a in arrays], phase)
        if bound is None:
            return self._interpret(arrays, phase)
        instance = bound.acquire()
        instance.fill(partial(_write, arrays))
        instance.run()
        results = instance.fetch()
        instance.finish()
        bound.release(instance)
        return results

    def _split(self, inputs: Sequence[Any]) -> tuple[bool, Sequence[Any]]:
        if self._phase_at is None:
            return False, inputs
        at = self._phase_at
        phase = np.asarray(inputs[at])
        if phase.size != 1:
            raise ShapeError(f"input {at} of {self.name}, the learning phase, should be 0 or 1, got {inputs[at]!r}")
        return bool(phase.item()), [*inputs[:at], *inputs[at + 1 :]]

    def _checked(self, tensor: Tensor, value: Any) -> Any:
        spec = tensor.node.specs[tensor.index]
        if type(value) is not np.ndarray or value.dtype != spec.dtype:
            value = self._converted(tensor, value)
        return value

    def _converted(self, tensor: Tensor, value: Any) -> np.ndarray:
        if isinstance(value, Tensor):
            raise DTypeError(f"input {tensor.name!r} of {self.name} expects an array, got the tensor {value!r}")
        if hasattr(value, "toarray"):
            if not tensor.node.attrs.get("sparse"):
                raise DTypeError(
                    f"input {tensor.name!r} of {self.name} expects {tensor.spec}, got a sparse matrix "
                    f"({type(value).__name__}): make it with sparse=True, or give value.toarray()"
                )
            value = value.toarray()  # inside the graph a sparse input is dense
        try:
            return np.asarray(value, dtype=tensor.dtype)
        except (TypeError, ValueError) as error:
            raise DTypeError(
                f"input {tensor.name!r} of {self.name} expects {tensor.spec}, got {type(value).__name__}: {error}"
            ) from None

    # -- plans -----------------------------------------------------------------------------------------
    def bound_plan(self, shapes: Sequence[tuple[int, ...]], phase: bool = False) -> BoundPlan | None:
        """The plan for input shapes (without the learning phase's), compiled if it is new; None if there can be
        none because shapes follow from data.

        Raises:
            ShapeError: a shape does not fit its input; the message names it.
        """
        signature = (phase, *shapes)
        try:
            bound = self._plans[signature]
        except KeyError:
            return self._compile(signature, shapes, phase)
        if len(self._plans) > 1:
            with self._lock:
                if signature in self._plans:
                    self._plans.move_to_end(signature)
        return bound

    def _compile(self, signature: Any, shapes: Sequence[tuple[int, ...]], phase: bool) -> BoundPlan | None:
        for tensor, shape in zip(self._tensors, shapes, strict=True):
            self._check_shape(tensor, tuple(shape))
        specs = [Spec(tuple(s), t.dtype) for s, t in zip(shapes, self._tensors, strict=True)]
        plan = make_plan(self.device, self._tensors, specs, self.outputs, self.updates, phase, placed=True)
        bound = None if plan is None else BoundPlan(plan, self.device)
        with self._lock:
            bound = self._plans.setdefault(signature, bound)
            while len(self._plans) > MAX_PLANS:
                self._plans.popitem(last=False)
        return bound

    def _check_shape(self, tensor: Tensor, shape: tuple[int, ...]) -> None:
        expected = tensor.node.specs[tensor.index].shape
        if len(shape) != len(expected) or any(e is not None and e != s for e, s in zip(expected, shape, strict=True)):
            raise ShapeError(
                f"input {tensor.name!r} of {self.name} expects shape {expected}, got an array of shape {shape}",
                shapes=(expected, shape),
            )

    def _interpret(self, arrays: Sequence[Any], phase: bool) -> list[Any]:
        given = {t.key: self.device.asarray(a) for t, a in zip(self._tensors, arrays, strict=True)}
        wanted = [*self.outputs, *(value for _, value in self.updates)]
        values = evaluate(wanted, self.device, given, phase)
        results = [self.device.to_host(v) for v in values[: len(self.outputs)]]
        fresh = [self.device.to_host(v) for v in values[len(self.outputs) :]]
        for (variable, _), value in zip(self.updates, fresh, strict=True):
            variable.state.assign(value)
        return results

    def show(self) -> str:
        """The compiled plans as text, the latest last."""
        plans = [b.plan.show() for b in self._plans.values() if b is not None]
        return "\n\n".join(plans) or f"{self.name}: not compiled yet; call it once"

    def __repr__(self) -> str:
        return f"<kcore.Function {self.name}: {len(self.inputs)} inputs, {len(self.outputs)} outputs>"


def _write(arrays: Sequence[Any], buffers: Sequence[Any]) -> None:
    for buffer, array in zip(buffers, arrays, strict=True):
        buffer[...] = array
