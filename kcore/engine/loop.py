"""The one loop that serves fit, evaluate and predict, over arrays, generators and tensors."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np

from kcore.engine.callbacks import CallbackList
from kcore.engine.collect import Averages, Collector, Predictions
from kcore.engine.progbar import Progbar
from kcore.engine.session import Session, Source
from kcore.engine.step import Step

BatchHook = Callable[[int, int], bool]


def run_epoch(
    step: Step,
    source: Source,
    collect: Collector,
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
    with Session(step, source, another) as session:
        for number, batch in enumerate(session):
            if before is not None:
                before(number, batch.size)
            session.run(batch, collect)
            if after is not None and after(number, batch.size):
                return False
    return True


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
        logs: dict[str, Any] = dict(averages.named())
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
        if self._callbacks.reads_batch_logs():
            logs.update(zip(self._averages.names, self._averages.last, strict=False))
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


def _run_with_bar(step: Step, source: Source, collect: Collector, verbose: int) -> None:
    by_samples = source.samples is not None
    bar = Progbar(source.samples if by_samples else source.steps, verbose=int(verbose == 1))

    def show(_: int, size: int) -> bool:
        bar.add(size if by_samples else 1)
        return False

    try:
        run_epoch(step, source, collect, after=show if verbose == 1 else None)
    finally:
        source.close()
