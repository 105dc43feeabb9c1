"""The one loop that serves fit, evaluate and predict, over arrays, generators and tensors."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from kcore.engine.batches import Source
from kcore.engine.callbacks import CallbackList
from kcore.engine.progbar import Progbar
from kcore.engine.step import Collect, Step
from kcore.runtime.devices import current_device

MOST_COMING = 32  # batches whose results a device may still owe when the next one is handed to it

BatchHook = Callable[[int, int], bool]


def run_epoch(
    step: Step,
    source: Source,
    collect: Collect,
    *,
    before: BatchHook | None = None,
    after: BatchHook | None = None,
    another: bool = False,
) -> bool:
    """Run a step on all batches of an epoch.

    Args:
        step: what happens to a batch.
        source: where the batches come from.
        collect: is given the size and the outputs of each batch.
        before, after: called around each batch with its number and size; None where nobody listens.
            If `after` returns True, the epoch ends.
        another: whether one more epoch follows.

    Returns:
        whether all batches were run.
    """
    for number, (size, run) in enumerate(source.epoch(step, collect, another)):
        if before is not None:
            before(number, size)
        run()
        if after is not None and after(number, size):
            return False
    return True


class Averages:
    """Collects what a training or test step reports, and averages it over the samples.

    Args:
        names: names of the outputs of the step.
        stateful: those whose last value counts.
    """

    def __init__(self, names: Sequence[str], stateful: Iterable[str] = ()) -> None:
        self.names = list(names)
        self._stateful = [i for i, name in enumerate(self.names) if name in set(stateful)]
        self.reset()

    def reset(self) -> None:
        self.samples = 0
        self._last: list[float] = []
        self._sums = [0.0] * len(self.names)
        self._coming: list[tuple[int, Callable[[], list[Any]]]] = []  # sizes and outputs that are on their way

    def __call__(self, size: int, outputs: list[Any]) -> None:
        self.samples += size
        if outputs and not isinstance(outputs[0], np.ndarray):
            self._coming.append((size, current_device().later(outputs)))
            if len(self._coming) >= MOST_COMING:
                self._arrive()
            return
        self._add(size, outputs)

    def _add(self, size: int, outputs: list[Any]) -> None:
        self._last = values = [output.item() for output in outputs]
        sums = self._sums
        for i, value in enumerate(values):
            sums[i] += value * size

    def _arrive(self) -> None:
        """Wait for the outputs that another device sends."""
        for size, wait in self._coming:
            self._add(size, wait())
        self._coming.clear()

    @property
    def last(self) -> list[float]:
        """What the latest batch reported."""
        if self._coming:
            self._arrive()
        return self._last

    def values(self) -> list[float]:
        """The averages, in the order of the names."""
        if not self.samples:
            return []
        last = self.last
        values = [total / self.samples for total in self._sums]
        for i in self._stateful:
            values[i] = last[i]
        return values


class Predictions:
    """Collects the outputs of a prediction step.

    Args:
        samples: how many samples will come, so that the results are allocated once; None if not known.
    """

    def __init__(self, samples: int | None) -> None:
        self._samples = samples
        self._arrays: list[np.ndarray] | None = None
        self._parts: list[list[np.ndarray]] = []
        self._position = 0

    def __call__(self, size: int, outputs: list[Any]) -> None:
        if self._arrays is None and self._samples is not None:
            if any(not o.shape or o.shape[0] != size for o in outputs):
                self._samples = None  # an output that is not one row a sample: nothing to allocate beforehand
            else:
                self._arrays = [np.empty((self._samples, *o.shape[1:]), o.dtype) for o in outputs]
        if self._arrays is None:
            self._parts.append([np.array(_to_host(o)) for o in outputs])
            return
        start, self._position = self._position, self._position + size
        for array, output in zip(self._arrays, outputs, strict=True):
            array[start : self._position] = _to_host(output)

    def arrays(self) -> list[np.ndarray]:
        """The outputs for all samples."""
        if self._arrays is not None:
            return self._arrays
        return [np.concatenate([np.atleast_1d(a) for a in column]) for column in zip(*self._parts, strict=True)]


def _to_host(array: Any) -> Any:
    return array if isinstance(array, np.ndarray) else current_device().to_host(array)


class Validation:
    """Evaluates a model at the end of each epoch.

    Args:
        step: its test step.
        source: the validation data.
        averages: collects the results.
        reset: lets stateful metrics begin anew.
        data: what callbacks find in `validation_data`.
    """

    def __init__(
        self, step: Step, source: Source, averages: Averages, reset: Callable[[], None], data: Any = None
    ) -> None:
        self.source = source
        self.data = data
        self._step = step
        self._averages = averages
        self._reset = reset

    def __call__(self, another: bool = False) -> list[float]:
        """The averages over the validation data."""
        self._reset()
        self._averages.reset()
        run_epoch(self._step, self.source, self._averages, another=another)
        return self._averages.values()


class Training:
    """A training: epochs of a train step, validation, and callbacks.

    Args:
        model: told when to stop by its attribute `stop_training`.
        step: its train step.
        source: the training data.
        averages: collects what the step reports.
        reset: lets stateful metrics begin anew.
        callbacks: told of everything.
        validation: evaluation at the end of each epoch, or None.
    """

    def __init__(
        self,
        model: Any,
        step: Step,
        source: Source,
        averages: Averages,
        reset: Callable[[], None],
        callbacks: CallbackList,
        validation: Validation | None,
    ) -> None:
        self._model = model
        self._step = step
        self._source = source
        self._averages = averages
        self._reset = reset
        self._callbacks = callbacks
        self._validation = validation
        self._logs: dict[str, Any] = {}

    def run(self, first_epoch: int, epochs: int) -> None:
        """Train from epoch `first_epoch` until `epochs` epochs are done; nothing runs on afterwards."""
        with contextlib.ExitStack() as sources:
            if self._validation is not None:
                sources.callback(self._validation.source.close)
            sources.callback(self._source.close)
            self._callbacks.on_train_begin()
            for epoch in range(first_epoch, epochs):
                self._run_epoch(epoch, another=epoch + 1 < epochs)
                if self._model.stop_training:
                    break
            self._callbacks.on_train_end()

    def _run_epoch(self, epoch: int, another: bool) -> None:
        callbacks, averages = self._callbacks, self._averages
        self._reset()
        averages.reset()
        callbacks.on_epoch_begin(epoch)
        begins, ends = callbacks.listens("on_batch_begin"), callbacks.listens("on_batch_end")
        complete = run_epoch(
            self._step,
            self._source,
            averages,
            before=self._before_batch if begins else None,
            after=self._after_batch if begins or ends else None,
            another=another,
        )
        logs = dict(zip(averages.names, averages.values(), strict=False))
        if complete and self._validation is not None:
            values = self._validation(another)
            logs.update((f"val_{name}", value) for name, value in zip(averages.names, values, strict=False))
        callbacks.on_epoch_end(epoch, logs)

    def _before_batch(self, number: int, size: int) -> bool:
        # Callbacks see one dict from begin to end of a batch, and may leave things in it.
        self._logs = {"batch": number, "size": size}
        self._callbacks.on_batch_begin(number, self._logs)
        return False

    def _after_batch(self, number: int, size: int) -> bool:
        logs: dict[str, Any] = self._logs if self._logs.get("batch") == number else {"batch": number, "size": size}
        self._logs = {}
        for name, value in zip(self._averages.names, self._averages.last):
            logs[name] = value
        self._callbacks.on_batch_end(number, logs)
        return self._model.stop_training


def evaluate(
    step: Step, source: Source, averages: Averages, reset: Callable[[], None], verbose: int = 0
) -> list[float]:
    """The averages of what a test step reports over all batches of a source."""
    reset()
    _run_with_bar(step, source, averages, verbose)
    return averages.values()


def predict(step: Step, source: Source, verbose: int = 0) -> list[np.ndarray]:
    """The outputs of a prediction step for all batches of a source."""
    predictions = Predictions(source.samples)
    _run_with_bar(step, source, predictions, verbose)
    return predictions.arrays()


def _run_with_bar(step: Step, source: Source, collect: Collect, verbose: int) -> None:
    by_samples = source.samples is not None
    bar = Progbar(source.samples if by_samples else source.steps, verbose=int(verbose == 1))

    def show(_: int, size: int) -> bool:
        bar.add(size if by_samples else 1)
        return False

    try:
        run_epoch(step, source, collect, after=show if verbose == 1 else None)
    finally:
        source.close()
