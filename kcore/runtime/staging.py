"""How batches get from the host's memory into the input memory of a plan, on devices with memory of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kcore.graph import Spec

Read = Callable[[Sequence[np.ndarray]], None]


class Stager:
    """Takes one batch after the other to a device: the plain way, which waits for each.

    A device that can copy beside its other work has one of its own; `fill` may then be called for the next batch
    while the present one is computed.

    Args:
        device: where the plan runs.
        specs: of its inputs, all sizes known.
    """

    def __init__(self, device: Any, specs: Sequence[Spec]):
        self._device = device
        self._host = [np.empty(s.sizes, s.dtype) for s in specs]

    def fill(self, read: Read) -> Any:
        """Let `read` write a batch into arrays of the host and send it on its way.

        Returns:
            what `deliver` takes. Only the latest one can be delivered.
        """
        read(self._host)
        return self._host

    def deliver(self, batch: Any, inputs: Sequence[Any]) -> None:
        """Put a batch into the inputs of the plan, before all work that is handed to the device from now on."""
        for there, here in zip(inputs, batch, strict=True):
            there[...] = self._device.asarray(here)
