"""Callbacks of a few lines each (manual 11.1.3 and 11.1.13)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from kcore.callbacks import Callback
from kcore.errors import ArgumentError

Logs = dict[str, Any]
Hook = Callable[..., Any]


class TerminateOnNaN(Callback):
    """Stops training when the loss of a batch is NaN or infinite."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(loss):
            print(f"Batch {batch}: Invalid loss, terminating training")
            self.model.stop_training = True


class LambdaCallback(Callback):
    """A callback made from functions.

    Args:
        on_epoch_begin: called with `(epoch, logs)` before each epoch.
        on_epoch_end: called with `(epoch, logs)` after each epoch.
        on_batch_begin: called with `(batch, logs)` before each batch.
        on_batch_end: called with `(batch, logs)` after each batch.
        on_train_begin: called with `(logs)` before training.
        on_train_end: called with `(logs)` after training.
        kwargs: further attributes of the callback.

    Example:
        >>> LambdaCallback(on_batch_begin=lambda batch, logs: print(batch))
    """

    def __init__(
        self,
        on_epoch_begin: Hook | None = None,
        on_epoch_end: Hook | None = None,
        on_batch_begin: Hook | None = None,
        on_batch_end: Hook | None = None,
        on_train_begin: Hook | None = None,
        on_train_end: Hook | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.__dict__.update(kwargs)
        hooks = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_batch_begin": on_batch_begin,
            "on_batch_end": on_batch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
        }
        for name, hook in hooks.items():
            if hook is not None and not callable(hook):
                raise ArgumentError(f"`{name}` of LambdaCallback must be a function. Received: {hook!r:.200}")
        # As attributes of the instance they take the place of the class's empty methods.
        self.__dict__.update({name: hook for name, hook in hooks.items() if hook is not None})
