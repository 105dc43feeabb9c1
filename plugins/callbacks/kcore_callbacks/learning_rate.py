"""Changing the learning rate during training (manual 11.1.9 and 11.1.11)."""

from __future__ import annotations

import inspect
import math
import numbers
from collections.abc import Callable
from typing import Any

from kcore import backend as K
from kcore.callbacks import Callback
from kcore.errors import ArgumentError, warn
from kcore.shapes import real_number
from kcore_callbacks.monitoring import Logs, MonitoringCallback


class LearningRateScheduler(Callback):
    """Sets the learning rate of each epoch by a function.

    Args:
        schedule: a function of the epoch's number, from 0, that returns the learning rate, a float. If it has a
            second required argument, or one named `lr`, it is given the present learning rate too.
        verbose: 1 prints the learning rate of each epoch.

    Raises:
        ValueError: during training, where the optimizer has no `lr`, or the schedule returns no number.
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        super().__init__()
        if not callable(schedule):
            raise ArgumentError(
                "`schedule` of LearningRateScheduler must be a function from the epoch to a learning rate. Received: "
                f"{schedule!r:.200}"
            )
        self.schedule = schedule
        self.verbose = verbose
        self._wants_rate = _wants_rate(schedule)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        present = _get_rate(self.model.optimizer)
        rate = self.schedule(epoch, present) if self._wants_rate else self.schedule(epoch)
        if not isinstance(rate, numbers.Real):
            raise ValueError(
                f'The output of the "schedule" function should be float, but for epoch {epoch} it is {rate!r}'
            )
        _set_rate(self.model.optimizer, float(rate))
        if self.verbose > 0:
            print(f"\nEpoch {epoch + 1:05d}: LearningRateScheduler setting learning rate to {float(rate):g}.")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["lr"] = _get_rate(self.model.optimizer)


class ReduceLROnPlateau(MonitoringCallback):
    """Multiplies the learning rate by a factor when a monitored number has stopped improving.

    Args:
        monitor: name of the number in the logs of an epoch.
        factor: float below 1: new learning rate = learning rate * factor.
        patience: number of epochs in a row without improvement after which the learning rate is reduced.
        verbose: 1 prints a line for each reduction.
        mode: "min", "max" or "auto"; see `MonitoringCallback`.
        min_delta: the smallest change that counts as an improvement.
        cooldown: number of epochs to wait after a reduction before watching again.
        min_lr: lower bound of the learning rate.
        kwargs: `epsilon`, the old name of `min_delta`.

    Raises:
        ValueError: `factor` is 1 or more.

    Example:
        >>> reduce_lr = ReduceLROnPlateau(monitor="val_loss", factor=0.2, patience=5, min_lr=0.001)
        >>> model.fit(x_train, y_train, callbacks=[reduce_lr])
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0,
        **kwargs: Any,
    ) -> None:
        owner = type(self).__name__
        if real_number(factor, "factor", owner) >= 1.0:
            raise ValueError(f"ReduceLROnPlateau does not support a factor >= 1.0, got {factor}")
        if "epsilon" in kwargs:
            min_delta = kwargs.pop("epsilon")
            warn("The argument `epsilon` of ReduceLROnPlateau is now called `min_delta`.")
        if kwargs:
            raise TypeError(f"ReduceLROnPlateau has no argument {', '.join(map(repr, kwargs))}")
        super().__init__(monitor, mode, min_delta)
        self.factor = factor
        self.patience = real_number(patience, "patience", owner)
        self.verbose = verbose
        self.cooldown = real_number(cooldown, "cooldown", owner)
        self.min_lr = real_number(min_lr, "min_lr", owner)
        self.wait = 0
        self.cooldown_counter = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.wait = 0
        self.cooldown_counter = 0
        self.forget_best()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        rate = _get_rate(self.model.optimizer)
        if logs is not None:
            logs["lr"] = rate
        current = self.monitored(logs)
        if current is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self.improves(current):
            self.best = current
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience and rate > self.min_lr:
                self._reduce(epoch, rate)

    def in_cooldown(self) -> bool:
        """Whether a reduction is too recent to watch."""
        return self.cooldown_counter > 0

    def _reduce(self, epoch: int, rate: float) -> None:
        new_rate = max(rate * self.factor, self.min_lr)
        _set_rate(self.model.optimizer, new_rate)
        if self.verbose > 0:
            print(f"\nEpoch {epoch + 1:05d}: ReduceLROnPlateau reducing learning rate to {new_rate:g}.")
        self.cooldown_counter = self.cooldown
        self.wait = 0


def _get_rate(optimizer: Any) -> float:
    if not hasattr(optimizer, "lr"):
        raise ValueError(
            'Optimizer must have a "lr" attribute, a variable that holds the learning rate; '
            f"{type(optimizer).__name__} has none"
        )
    return float(K.get_value(optimizer.lr))


def _set_rate(optimizer: Any, rate: float) -> None:
    if not math.isfinite(rate):
        raise ValueError(f"a learning rate must be finite, got {rate}")
    K.set_value(optimizer.lr, rate)


def _wants_rate(schedule: Callable[..., float]) -> bool:
    """Whether a schedule is to be called with the present learning rate as its second argument."""
    try:
        parameters = list(inspect.signature(schedule).parameters.values())
    except (TypeError, ValueError):  # some callables written in C do not tell
        return False
    second = parameters[1] if len(parameters) > 1 else None
    if second is None or second.kind not in (second.POSITIONAL_ONLY, second.POSITIONAL_OR_KEYWORD):
        return False
    return second.default is second.empty or second.name in ("lr", "learning_rate")
