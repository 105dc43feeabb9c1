"""Saving the model while it is trained (manual 11.1.6)."""

from __future__ import annotations

import os

from kcore.shapes import real_number
from kcore_callbacks.monitoring import Logs, MonitoringCallback


class ModelCheckpoint(MonitoringCallback):
    """Saves the model after epochs.

    Args:
        filepath: where to. May hold format fields for `epoch`, counted from 1, and for the logs of the epoch:
            `weights.{epoch:02d}-{val_loss:.2f}.hdf5`.
        monitor: name of the number by which the best model is known.
        verbose: 1 prints a line for each decision.
        save_best_only: whether to save only a model that is better than all before.
        save_weights_only: `model.save_weights(filepath)` instead of `model.save(filepath)`.
        mode: "min", "max" or "auto"; see `MonitoringCallback`.
        period: number of epochs from one checkpoint to the next.
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        period: int = 1,
    ) -> None:
        super().__init__(monitor, mode)
        self.filepath = os.fspath(filepath)
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.period = real_number(period, "period", "ModelCheckpoint")
        self.epochs_since_last_save = 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        self.epochs_since_last_save += 1
        if self.epochs_since_last_save < self.period:
            return
        self.epochs_since_last_save = 0
        path = self._path(epoch, logs)
        if self.save_best_only:
            self._save_if_better(path, epoch, logs)
        else:
            self._say(epoch, f"saving model to {path}")
            self._save(path)

    def _save_if_better(self, path: str, epoch: int, logs: Logs) -> None:
        current = self.monitored(logs)
        if current is None:
            return
        if self.improves(current):
            self._say(epoch, f"{self.monitor} improved from {self.best:0.5f} to {current:0.5f}, saving model to {path}")
            self._save(path)
            self.best = current  # only now: a model that could not be saved is not the best one there is
        else:
            self._say(epoch, f"{self.monitor} did not improve from {self.best:0.5f}")

    def _path(self, epoch: int, logs: Logs) -> str:
        fields = {**logs, "epoch": epoch + 1}
        try:
            return self.filepath.format(**fields)
        except (KeyError, IndexError) as error:
            raise KeyError(
                f"the filepath {self.filepath!r} of ModelCheckpoint has the field {error}, but the fields of this "
                f"epoch are {', '.join(sorted(fields))}"
            ) from error

    def _save(self, path: str) -> None:
        if self.save_weights_only:
            self.model.save_weights(path, overwrite=True)
        else:
            self.model.save(path, overwrite=True)

    def _say(self, epoch: int, message: str) -> None:
        if self.verbose > 0:
            print(f"\nEpoch {epoch + 1:05d}: {message}")
