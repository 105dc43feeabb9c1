"""Callbacks: what is told about training while it runs, and the four that the core itself uses.

Manual, chapter 11. A hook that a callback does not define costs nothing: `CallbackList` keeps, for each
hook, the callbacks that define it.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any

from kcore.engine.progbar import Progbar
from kcore.errors import ArgumentError, warn
from kcore.shapes import listed
from kcore.versions import explained_constructor

Logs = dict[str, Any]

HOOKS = (
    "on_train_begin",
    "on_train_end",
    "on_epoch_begin",
    "on_epoch_end",
    "on_batch_begin",
    "on_batch_end",
)
_SLOW_HOOK = 0.1  # seconds: faster hooks are never worth a warning


class Callback:
    """Base of all callbacks: override the hooks you need.

    Attributes:
        params: dict of training parameters: ``batch_size``, ``epochs``, ``steps``, ``samples``,
            ``verbose``, ``do_validation``, ``metrics`` (names that logs may hold).
        model: the model being trained.
        validation_data: list of validation inputs, targets and weights, or None.

    `logs` holds ``batch`` and ``size`` at the begin of a batch, also the metrics of the batch at its
    end, and the averages over the epoch, ``val_`` ones included, at the end of an epoch.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        explained_constructor(cls)

    def __init__(self) -> None:
        self.validation_data: Any = None
        self.model: Any = None
        self.params: dict[str, Any] = {}

    def set_params(self, params: dict[str, Any]) -> None:
        """Called once, before the training: what is in `params` (see the attributes)."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Called once, before the training, with the model that is trained."""
        self.model = model

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Called before an epoch (counted from 0)."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Called after an epoch and its validation."""

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before a batch (counted from 0 in its epoch)."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after a batch."""

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Called once, before the first epoch."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Called once, after the last epoch."""


def as_callbacks(callbacks: Any) -> list[Any]:
    """The callbacks that the user gave, as a list; one alone is taken too.

    Raises:
        ArgumentError: something among them is no callback.
    """
    if isinstance(callbacks, Callback):
        return [callbacks]
    found = [] if callbacks is None else listed(callbacks, "callbacks", "callbacks")
    for one in found:
        if isinstance(one, type):
            raise ArgumentError(f"{one.__name__} in `callbacks` is a class: make an object of it, {one.__name__}(...)")
        if not hasattr(one, "set_model"):
            raise ArgumentError(f"`callbacks` must be a list of callbacks. It holds: {one!r:.200}")
    return found


class CallbackList:
    """Several callbacks as one: each hook calls that of every callback which defines it, in order.

    Args:
        callbacks: the callbacks, called in this order.
        queue_length: how often a batch hook may take longer than its batch before a warning says so.
    """

    def __init__(self, callbacks: Iterable[Callback] | None = None, queue_length: int = 10) -> None:
        self.callbacks = as_callbacks(callbacks)
        self.queue_length = queue_length
        self._listeners: dict[str, list[Callable[..., Any]]] = {}
        self._at_batch_end: list[Any] = []
        self._watches: dict[str, _Stopwatch] = {}
        self._collect()

    def append(self, callback: Callback) -> None:
        """One more, called after the others."""
        self.callbacks += as_callbacks([callback])
        self._collect()

    def set_params(self, params: dict[str, Any]) -> None:
        """Tell all of them the parameters of the training."""
        for callback in self.callbacks:
            callback.set_params(params)

    def set_model(self, model: Any) -> None:
        """Tell all of them which model is trained."""
        for callback in self.callbacks:
            callback.set_model(model)

    def listens(self, hook: str) -> bool:
        """Whether any callback defines `hook`."""
        return bool(self._listeners[hook])

    def reads_batch_logs(self) -> bool:
        """Whether any callback looks at the losses and metrics of the batch that ends now.

        A device with memory of its own is awaited for them.
        """
        return any(type(c) is not ProgbarLogger or c.reads_batch_logs() for c in self._at_batch_end)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._tell("on_epoch_begin", epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._tell("on_epoch_end", epoch, logs)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._collect()  # hooks may have been given to instances since
        self._tell("on_train_begin", logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._tell("on_train_end", logs)

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        self._tell_timed("on_batch_begin", batch, logs)

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._tell_timed("on_batch_end", batch, logs)

    def __iter__(self) -> Any:
        return iter(self.callbacks)

    # -- dispatch ----------------------------------------------------------------------------------------
    def _collect(self) -> None:
        for hook in HOOKS:
            self._listeners[hook] = [getattr(c, hook) for c in self.callbacks if overrides(c, hook)]
        self._at_batch_end = [c for c in self.callbacks if overrides(c, "on_batch_end")]
        self._watches = {h: _Stopwatch(h, self.queue_length) for h in ("on_batch_begin", "on_batch_end")}

    def _tell(self, hook: str, *args: Any) -> None:
        # One logs dict for all: what a callback adds to it, the later ones see.
        *position, logs = args
        logs = {} if logs is None else logs
        for listener in self._listeners[hook]:
            listener(*position, logs)

    def _tell_timed(self, hook: str, batch: int, logs: Logs | None) -> None:
        listeners = self._listeners[hook]
        if not listeners:
            return
        logs = {} if logs is None else logs
        start = time.perf_counter()
        for listener in listeners:
            listener(batch, logs)
        self._watches[hook].lap(start, time.perf_counter())


class _Stopwatch:
    """Warns when a batch hook takes longer than the batch itself, again and again.

    Args:
        hook: its name.
        patience: after how many slow calls the warning comes.
    """

    def __init__(self, hook: str, patience: int) -> None:
        self._hook = hook
        self._patience = patience
        self._slow: list[float] = []
        self._last_end = math.inf

    def lap(self, start: float, end: float) -> None:
        # Most calls end here: this runs for every batch.
        if end - start > _SLOW_HOOK and end - start > start - self._last_end > 0:
            self._slow.append(end - start)
            if len(self._slow) == self._patience:
                self._warn()
        self._last_end = end

    def _warn(self) -> None:
        warn(
            f"callbacks' {self._hook} takes {statistics.median(self._slow):.3f} s, longer than the batch itself; do "
            "the work at the end of the epoch, or every n-th batch"
        )


def overrides(callback: Any, hook: str) -> bool:
    """Whether `callback` defines `hook`, in its class or, as `LambdaCallback` does, on the instance."""
    if hook in getattr(callback, "__dict__", ()):
        return True
    defined = getattr(type(callback), hook, None)
    return defined is not None and defined is not getattr(Callback, hook)


class History(Callback):
    """Records the epoch logs; `fit` returns it.

    Attributes:
        epoch: list of epoch numbers.
        history: dict from the name of a metric to the list of its values, one an epoch.
    """

    def __init__(self) -> None:
        super().__init__()
        self.epoch: list[int] = []
        self.history: dict[str, list[Any]] = {}

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.epoch = []
        self.history = {}

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)


class BaseLogger(Callback):
    """Averages the metrics of the batches, weighted by their sizes, into the logs of the epoch.

    The training loop does this by itself; the class serves programs that run a loop of their own.

    Args:
        stateful_metrics: names of metrics whose last value counts instead of the average.
    """

    def __init__(self, stateful_metrics: Iterable[str] | None = None) -> None:
        super().__init__()
        self.stateful_metrics = set(listed(stateful_metrics or (), "stateful_metrics", "names of metrics"))
        self.seen = 0
        self.totals: dict[str, Any] = {}

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.seen = 0
        self.totals = {}

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        size = logs.get("size", 0)
        self.seen += size
        for name, value in logs.items():
            if name in self.stateful_metrics:
                self.totals[name] = value
            else:
                self.totals[name] = self.totals.get(name, 0) + value * size

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is None:
            return
        for name in self.params["metrics"]:
            if name in self.totals:
                average = name not in self.stateful_metrics and self.seen
                logs[name] = self.totals[name] / self.seen if average else self.totals[name]


class ProgbarLogger(Callback):
    """Prints the progress of training; added by ``fit(verbose=1)`` and ``verbose=2``.

    Args:
        count_mode: count "samples" or "steps" (batches).
        stateful_metrics: names of metrics that are shown as they are instead of averaged.

    Attributes:
        averages: gives names and averages over the epoch so far, where whoever trains keeps them; else None, and they
            are made of what each batch reports.

    Raises:
        ValueError: another `count_mode`.
    """

    averages: Callable[[], Iterable[tuple[str, float]]] | None = None

    def __init__(self, count_mode: str = "samples", stateful_metrics: Iterable[str] | None = None) -> None:
        super().__init__()
        if str(count_mode) not in ("samples", "steps"):
            raise ValueError(f"count_mode must be 'samples' or 'steps', got {count_mode!r}")
        self.use_steps = count_mode == "steps"
        self.stateful_metrics = set(listed(stateful_metrics or (), "stateful_metrics", "names of metrics"))
        self.verbose = 0
        self.epochs: int | None = None
        self.target: int | None = None
        self.seen = 0
        self.progbar: Progbar | None = None
        self._names: list[str] = []
        self._sums: dict[str, float] = {}

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.verbose = self.params.get("verbose", 1)
        self.epochs = self.params.get("epochs")
        self._names = list(self.params.get("metrics", ()))

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.seen = 0
        self._sums = {}
        self.target = self.params.get("steps" if self.use_steps else "samples")
        if self.verbose:
            print(f"Epoch {epoch + 1}/{self.epochs}")
            self.progbar = Progbar(self.target, verbose=self.verbose)

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        bar, logs = self.progbar, logs or {}
        units = 1 if self.use_steps else logs.get("size", 0)
        self.seen += units
        # Only a bar that is redrawn needs more, and this runs for every batch.
        if bar is None or not bar.live:
            return
        if self.averages is None:
            for name in self._names:
                if name in logs:
                    self._sums[name] = self._sums.get(name, 0.0) + logs[name] * units
        if bar.due():
            averages = self.averages
            values = [(k, self._shown(k, logs)) for k in self._sums] if averages is None else list(averages())
            bar.show(self.seen, values)

    def reads_batch_logs(self) -> bool:
        """Whether it will look at what the batch that ends now reports."""
        bar = self.progbar
        return bar is not None and bar.live and (self.averages is None or bar.due())

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.progbar is not None:
            logs = logs or {}
            self.progbar.finish(self.seen, [(k, logs[k]) for k in self._names if k in logs])
            self.progbar = None

    def _shown(self, name: str, logs: Logs) -> Any:
        average = name not in self.stateful_metrics and self.seen
        return self._sums[name] / self.seen if average else logs.get(name)
