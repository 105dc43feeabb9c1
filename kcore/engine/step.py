"""`Step`: a compiled function of a model in its learning phase."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kcore import backend as K
from kcore.graph import Tensor, apply

Collect = Callable[[int, list[Any]], None]
Reader = Callable[[int, int, Any], None]


class Step:
    """What happens to one batch: train, test or predict.

    The learning phase is decided here and nowhere else: a training step runs in phase 1, all others in
    phase 0, unless `K.set_learning_phase` has fixed it.

    Args:
        inputs: tensors that are fed.
        outputs: tensors that are computed.
        updates: pairs of a variable and its new value.
        training: whether this is a training step.
        name: for messages.
    """

    def __init__(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], updates: Sequence[Any], training: bool, name: str
    ) -> None:
        phase = K.learning_phase()
        fixed = not isinstance(phase, Tensor)
        self.training = bool(phase) if fixed else training
        self._tail = [1] if self.training else []
        self.inputs = list(inputs)
        fed = [*inputs, apply("learning_phase")] if self.training else self.inputs
        self.function = K.function(fed, list(outputs), updates=list(updates), name=name)

    def __call__(self, arrays: Sequence[Any]) -> list[Any]:
        """Run it on arrays; the outputs belong to the caller."""
        return self.function([*arrays, *self._tail])

    def session(self) -> Session:
        """A run of many batches whose memory is kept from batch to batch."""
        return Session(self)


class Session:
    """Many batches through one step.

    Rows are read straight into the input memory of the plan (on a CPU; for other devices into memory of the
    host that is sent there), and the outputs are read where they lie, before the next batch overwrites them.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        self._held: dict[int, tuple[Any, Any, list[Any]]] = {}  # batch size -> (plan, its memory, where rows go)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exc: object) -> None:
        for plan, instance, _ in self._held.values():
            plan.release(instance)
        self._held.clear()

    def run_rows(
        self,
        readers: Sequence[Reader],
        row_shapes: Sequence[tuple[int, ...]],
        start: int,
        stop: int,
        collect: Collect,
    ) -> None:
        """Run the step on the rows `start` to `stop` and hand its outputs to `collect`.

        Args:
            readers: for each input, a function ``(start, stop, out)`` that writes rows into `out`.
            row_shapes: for each input, the shape of a row.
        """
        size = stop - start
        held = self._held.get(size) or self._hold(size, row_shapes)
        if held is None:
            buffers = self._host_buffers(size, row_shapes)
            for read, buffer in zip(readers, buffers):
                read(start, stop, buffer)
            collect(size, self._step(buffers))
            return
        _, instance, buffers = held
        for read, buffer in zip(readers, buffers):
            read(start, stop, buffer)
        if buffers is not instance.inputs:
            for there, here in zip(instance.inputs, buffers):
                there[...] = instance.device.asarray(here)
        instance.run()
        collect(size, instance.outputs)
        instance.finish()

    def _hold(self, size: int, row_shapes: Sequence[tuple[int, ...]]) -> tuple[Any, Any, list[Any]] | None:
        step = self._step
        plan = step.function.bound_plan([(size, *shape) for shape in row_shapes], step.training)
        if plan is None:  # shapes follow from data
            return None
        instance = plan.acquire()
        on_host = all(isinstance(a, np.ndarray) for a in instance.inputs)
        self._held[size] = (plan, instance, instance.inputs if on_host else self._host_buffers(size, row_shapes))
        return self._held[size]

    def _host_buffers(self, size: int, row_shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
        specs = zip(row_shapes, self._step.inputs, strict=True)
        return [np.empty((size, *shape), tensor.dtype) for shape, tensor in specs]
