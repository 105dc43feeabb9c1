"""`Session`: the batches of an epoch, one after the other through a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from kcore.engine.collect import Collector
from kcore.engine.step import Step


@dataclass(slots=True)
class Batch:
    """One batch, not yet read.

    Attributes:
        size: as how many samples it counts in averages.
        shapes: of the arrays that the step is fed.
        read: writes them into arrays of these shapes.
        kept: whether `read` writes into arrays of the device, from what lies there; else of the host.
    """

    size: int
    shapes: tuple[tuple[int, ...], ...]
    read: Callable[[Sequence[Any]], None]
    kept: bool = False


class Source(Protocol):
    """Batches, epoch after epoch.

    Attributes:
        samples: number of samples of an epoch, None where it is not known.
        steps: number of batches of an epoch.
    """

    samples: int | None
    steps: int

    def epoch(self, step: Step, another: bool = False) -> Iterator[Batch]:
        """The batches of one epoch; `another` says whether one more will be asked for."""
        ...

    def ready(self) -> bool:
        """Whether the next batch may be taken before its turn, and is there without waiting."""
        ...

    def close(self) -> None:
        """End what runs on the source's behalf."""
        ...


class Session:
    """Gives the batches of an epoch, and takes each through the step.

    On a CPU a batch is read straight into the input memory of the plan. For a device with memory of its own the next
    batch is taken from the source, read and sent while the present one is computed, and an error in doing so comes up
    at its turn. The outputs are read where they lie, before the next batch overwrites them.

    Args:
        step: what is run.
        source: where the batches come from.
        another: whether one more epoch follows.
    """

    def __init__(self, step: Step, source: Source, another: bool = False) -> None:
        self._step = step
        self._source = source
        self._batches = source.epoch(step, another)
        self._left = source.steps  # batches that were not yet taken
        self._early: Batch | Exception | None = None  # the next batch, taken before its turn
        self._sent: Any = None  # what the stager made of it
        self._shapes: Any = None
        self._plan: Any = None  # for batches of these shapes
        self._instance: Any = None  # its memory

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exc: object) -> None:
        self._release()

    def __iter__(self) -> Iterator[Batch]:
        for batch in self._batches:
            self._left -= 1
            yield batch
            while self._early is not None:  # while that one ran
                early, self._early = self._early, None
                if isinstance(early, Exception):
                    raise early
                yield early

    def run(self, batch: Batch, collect: Collector) -> None:
        """Run the step on the batch whose turn it is; `collect` gets its outputs."""
        instance = self._hold(batch.shapes)
        if instance is None:
            self._run_unplanned(batch, collect)
            return
        stager = instance.stager
        if stager is None or batch.kept:
            batch.read(instance.inputs)
        else:
            stager.deliver(self._sent or stager.fill(batch.read))
            self._sent = None
        del batch.read  # and so the arrays of a generator, while the next ones are awaited
        instance.run()
        if stager is None:
            collect.now(batch.size, instance.outputs)
        else:
            collect.later(batch.size, stager.send())
        instance.finish()
        if stager is not None and self._left and self._source.ready():
            self._send_next()

    def _send_next(self) -> None:
        try:
            self._early = batch = next(self._batches)
            self._left -= 1
            instance = self._hold(batch.shapes)
            if instance is not None and not batch.kept:
                self._sent = instance.stager.fill(batch.read)
        except Exception as error:
            self._early = error

    def _run_unplanned(self, batch: Batch, collect: Collector) -> None:
        step = self._step.taking(len(batch.shapes))
        arrays = [np.empty(shape, t.dtype) for shape, t in zip(batch.shapes, step.inputs, strict=True)]
        batch.read(arrays)
        collect.now(batch.size, step(arrays))

    def _hold(self, shapes: tuple[tuple[int, ...], ...]) -> Any:
        """The plan for batches of these shapes, with memory; None where shapes follow from data, and there can be
        none."""
        if shapes != self._shapes:
            self._release()
            step = self._step.taking(len(shapes))
            self._plan = step.function.bound_plan(shapes, step.training)
            self._shapes = shapes
            self._instance = None if self._plan is None else self._plan.acquire()
        return self._instance

    def _release(self) -> None:
        if self._instance is not None:
            self._plan.release(self._instance)
        self._shapes = self._plan = self._instance = None
