"""`Step`: a compiled function of a model in its learning phase."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
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

    def session(self, readers: Sequence[Reader], row_shapes: Sequence[tuple[int, ...]]) -> Session:
        """A run of many batches whose memory is kept from batch to batch."""
        return Session(self, readers, row_shapes)


@dataclass
class _Held:
    """The plan for batches of one size, its memory, and the batch that is on its way to it."""

    plan: Any
    instance: Any
    ahead: tuple[int, Any] | None = None  # its first row, and what the stager delivers


class Session:
    """Many batches through one step.

    On a CPU rows are read straight into the input memory of the plan. For a device with memory of its own the next
    batch is read and sent while the present one is computed, or its rows are gathered from data that are there. The
    outputs are read where they lie, before the next batch overwrites them.

    Args:
        step: what is run.
        readers: for each input, a function ``(start, stop, out)`` that writes rows into `out`.
        row_shapes: for each input, the shape of a row.
    """

    def __init__(self, step: Step, readers: Sequence[Reader], row_shapes: Sequence[tuple[int, ...]]) -> None:
        self._step = step
        self._readers = readers
        self._row_shapes = row_shapes
        self._held: dict[int, _Held | None] = {}  # by the size of batches

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exc: object) -> None:
        for held in self._held.values():
            if held is not None:
                held.plan.release(held.instance)
        self._held.clear()

    def run_rows(self, start: int, stop: int, collect: Collect, following: int | None = None) -> None:
        """Run the step on the rows `start` to `stop` and hand its outputs to `collect`.

        Args:
            start, stop: the rows.
            collect: what is given their number and the outputs.
            following: the end of the batch after this one, which may be read ahead; None if there is none.
        """
        held = self._hold(stop - start)
        if held is None:
            self._run_unplanned(start, stop, collect)
            return
        instance = held.instance
        if instance.stager is None:
            self._read(start, stop, instance.inputs)
        else:
            at, batch = held.ahead or (-1, None)
            held.ahead = None
            if at != start:
                batch = self._fill(held, start, stop)
            instance.stager.deliver(batch, instance.inputs)
        instance.run()
        if following is not None and instance.stager is not None:
            self._read_ahead(stop, following)
        collect(stop - start, instance.outputs)
        instance.finish()

    def run_kept(self, rows: Sequence[Any], order: Any, start: int, stop: int, collect: Collect) -> None:
        """As `run_rows`, of rows that the device keeps, in an order that lies there, too (None: as they are)."""
        held = self._hold(stop - start)
        if held is None:
            self._run_unplanned(start, stop, collect)
            return
        instance = held.instance
        device = instance.device
        with device.errstate():
            for there, data in zip(instance.inputs, rows, strict=True):
                if order is None:
                    there[...] = data[start:stop]
                else:
                    device.xp.take(data, order[start:stop], axis=0, out=there)
        instance.run()
        collect(stop - start, instance.outputs)
        instance.finish()

    def _run_unplanned(self, start: int, stop: int, collect: Collect) -> None:
        specs = zip(self._row_shapes, self._step.inputs, strict=True)
        buffers = [np.empty((stop - start, *shape), tensor.dtype) for shape, tensor in specs]
        self._read(start, stop, buffers)
        collect(stop - start, self._step(buffers))

    def _read_ahead(self, start: int, stop: int) -> None:
        held = self._hold(stop - start)
        if held is not None:
            # What cannot be read is no error of the present batch: it is read again, and fails, at its turn.
            with contextlib.suppress(Exception):
                held.ahead = start, self._fill(held, start, stop)

    def _fill(self, held: _Held, start: int, stop: int) -> Any:
        return held.instance.stager.fill(partial(self._read, start, stop))

    def _read(self, start: int, stop: int, targets: Sequence[Any]) -> None:
        for read, target in zip(self._readers, targets):
            read(start, stop, target)

    def _hold(self, size: int) -> _Held | None:
        """The plan for batches of a size, with memory; None where shapes follow from data, and there can be none."""
        if size not in self._held:
            shapes = [(size, *shape) for shape in self._row_shapes]
            plan = self._step.function.bound_plan(shapes, self._step.training)
            self._held[size] = None if plan is None else _Held(plan, plan.acquire())
        return self._held[size]
