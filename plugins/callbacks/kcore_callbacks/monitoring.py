"""What the callbacks that watch one number for improvement have in common."""

from __future__ import annotations

import math
from typing import Any

from kcore.callbacks import Callback
from kcore.errors import ArgumentError, warn
from kcore.shapes import real_number

Logs = dict[str, Any]


class MonitoringCallback(Callback):
    """A callback that compares a logged number with the best one so far.

    Args:
        monitor: name of the number in the logs of an epoch, such as 'val_loss'.
        mode: "min" if smaller is better, "max" if larger; "auto" takes "max" for accuracies (and F measures), which
            it knows by name, and "min" for all else.
        min_delta: by how much a number must beat the best one.

    Attributes:
        best: the best number so far.
    """

    def __init__(self, monitor: str, mode: str, min_delta: float = 0) -> None:
        super().__init__()
        owner = type(self).__name__
        for argument, text in (("monitor", monitor), ("mode", mode)):
            if not isinstance(text, str):
                raise ArgumentError(f"`{argument}` of {owner} must be a string. Received: {text!r:.200}")
        if mode not in ("auto", "min", "max"):
            warn(
                f"{owner} mode {mode!r} is unknown, fallback to 'auto' (the modes are 'auto', 'min' and 'max')",
                RuntimeWarning,
            )
            mode = "auto"
        self.monitor = monitor
        self.mode = mode
        self.min_delta = abs(real_number(min_delta, "min_delta", owner))
        self.rising = mode == "max" or (mode == "auto" and ("acc" in monitor or monitor.startswith("fmeasure")))
        self.forget_best()

    def forget_best(self) -> None:
        """Start anew: any number is better."""
        self.best = -math.inf if self.rising else math.inf

    def improves(self, value: float) -> bool:
        """Whether `value` beats the best one so far by more than `min_delta`; NaN never does."""
        if self.rising:
            return bool(value - self.min_delta > self.best)
        return bool(value + self.min_delta < self.best)

    def monitored(self, logs: Logs | None) -> Any:
        """The monitored number; None, with a warning, where the logs do not hold it."""
        value = (logs or {}).get(self.monitor)
        if value is None:
            available = ", ".join(sorted(logs or {})) or "none"
            warn(
                f"{type(self).__name__} is conditioned on metric {self.monitor!r} which is not available. "
                f"Available metrics are: {available}",
                RuntimeWarning,
            )
        return value
