"""Stopping when training no longer helps (manual 11.1.7)."""

from __future__ import annotations

from kcore.shapes import real_number
from kcore_callbacks.monitoring import Logs, MonitoringCallback


class EarlyStopping(MonitoringCallback):
    """Stops training when a monitored number has stopped improving.

    Args:
        monitor: name of the number in the logs of an epoch.
        min_delta: the smallest change that counts as an improvement.
        patience: training stops after this many epochs in a row without improvement (after one, if 0).
        verbose: 1 prints a line when training was stopped.
        mode: "min", "max" or "auto"; see `MonitoringCallback`.

    Attributes:
        stopped_epoch: number of the epoch, from 0, after which training was stopped; 0 if it was not.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience = real_number(patience, "patience", "EarlyStopping")
        self.verbose = verbose
        self.wait = 0
        self.stopped_epoch = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.wait = 0
        self.stopped_epoch = 0
        self.forget_best()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        current = self.monitored(logs)
        if current is None:
            return
        if self.improves(current):
            self.best = current
            self.wait = 0
            return
        self.wait += 1
        if self.wait >= self.patience:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.stopped_epoch > 0 and self.verbose > 0:
            print(f"Epoch {self.stopped_epoch + 1:05d}: early stopping")
