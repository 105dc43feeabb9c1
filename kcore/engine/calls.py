"""Losses and updates that a call of a layer creates, and to which model they belong.

A layer may be called many times: in several models, inside a nested model, inside a wrapper or inside
the `call` of another layer. Its `add_loss(..., inputs)` and `add_update(..., inputs)` then each belong
to one call. So while a call runs, what is added on its way, by whichever layer, is written into the
call's record; a call made inside that call has a record of its own below it. A model collects the
records of the calls it consists of, and a frozen layer's updates are left out when they are collected,
so that `trainable` may change at any time.

What was added without inputs (the penalty on a weight, a counter) belongs to the layer, not to a call.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from kcore.engine.structure import unique_by
from kcore.origin import in_layer

if TYPE_CHECKING:
    from kcore.engine.layer import Layer

_running: ContextVar[CallRecord | None] = ContextVar("kcore_running_call", default=None)


class CallRecord:
    """What one call of a layer created.

    Attributes:
        layer: the layer that was called.
        losses: list of loss tensors.
        updates: list of (layer, update) pairs; the layer is the one whose `add_update` was used.
        inner: the records of the calls made inside this one.
    """

    __slots__ = ("inner", "layer", "losses", "updates")

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self.losses: list[Any] = []
        self.updates: list[tuple[Layer, Any]] = []
        self.inner: list[CallRecord] = []

    def all_losses(self) -> Iterator[Any]:
        """The losses of this call and of the calls inside it, and what the layers inside add without inputs."""
        yield from self.losses
        for record in self.inner:
            yield from record.layer.get_losses_for(None)
            yield from record.all_losses()

    def all_updates(self) -> Iterator[Any]:
        """The same for updates, without those of frozen layers."""
        if is_frozen(self.layer):
            return
        yield from (update for layer, update in self.updates if not is_frozen(layer))
        for record in self.inner:
            yield from record.layer.get_updates_for(None)
            yield from record.all_updates()

    def state_updates(self) -> Iterator[Any]:
        """The updates that stateful layers made; they take place outside training too."""
        yield from (update for layer, update in self.updates if layer.stateful)
        for record in self.inner:
            if record.layer.stateful:
                yield from record.state_updates()


def is_frozen(layer: Layer) -> bool:
    """Whether a layer's updates do not take place: it is neither trainable nor stateful."""
    return not layer.trainable and not layer.stateful


@contextmanager
def recording(layer: Layer) -> Iterator[CallRecord]:
    """Collect in a new record what is added while the body, a call of `layer`, runs."""
    outer = _running.get()
    record = CallRecord(layer)
    if outer is not None:
        outer.inner.append(record)
    token = _running.set(record)
    try:
        with in_layer(layer.name):
            yield record
    finally:
        _running.reset(token)


def replay(record: CallRecord) -> None:
    """Count an earlier call, whose result is used again, as part of the call that runs now."""
    outer = _running.get()
    if outer is not None:
        outer.inner.append(record)


def running() -> CallRecord | None:
    """The record of the innermost call that runs now."""
    return _running.get()


def distinct(added: Any) -> list[Any]:
    """Losses or updates without repetitions, in order.

    Each is the object that was added: what is found by two ways (a shared call, a layer and a model) counts once,
    while two calls that each add 1 to a counter, or penalize the same values, made two, however equal.
    """
    return unique_by(added, id)
