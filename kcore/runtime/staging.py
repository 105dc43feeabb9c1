"""How batches get from the host into the memory of a plan, and results back, on devices with memory of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kcore.compile.memory import ALIGNMENT
from kcore.graph import Spec

Read = Callable[[Sequence[Any]], None]  # writes a batch into arrays


class Block:
    """Arrays in one stretch of memory, so that one copy moves them all.

    Args:
        empty: makes an array of a shape and dtype.
        specs: of the arrays, all sizes known.
        separate: give each array memory of its own instead (see `Device.separate`).

    Attributes:
        memories: the stretch, as 64-bit words; or those of all arrays, as bytes.
        arrays: what lies in them.
    """

    def __init__(self, empty: Callable[[tuple[int], str], Any], specs: Sequence[Spec], separate: bool = False):
        self.specs = list(specs)
        self.separate = separate
        if separate:
            self.memories = [empty((spec.nbytes,), "uint8") for spec in self.specs]
            self.arrays = [view_at(memory, 0, spec) for memory, spec in zip(self.memories, self.specs, strict=True)]
            return
        starts = [0]
        for spec in self.specs:
            starts.append(-(-(starts[-1] + spec.nbytes) // ALIGNMENT) * ALIGNMENT)
        self.memories = [empty((starts[-1] // 8,), "uint64")]
        memory = self.memories[0].view("uint8")
        self.arrays = [view_at(memory, start, spec) for start, spec in zip(starts, self.specs)]


def view_at(memory: Any, offset: int, spec: Spec) -> Any:
    """The array of a spec that begins at a byte of a memory (an array of bytes)."""
    return memory[offset : offset + spec.nbytes].view(spec.dtype).reshape(spec.shape)


class Stager:
    """Takes one batch after the other to a device, and results from there: the plain way, which waits for each.

    A device that can copy beside its other work has one of its own; `fill` may then be called for the next batch
    while the present one is computed, and that one's results be awaited later.

    Args:
        device: where the plan runs.
        inputs: its inputs.
        outputs: its outputs.
    """

    def __init__(self, device: Any, inputs: Block, outputs: Sequence[Any]):
        self._device = device
        self._inputs = inputs
        self._outputs = list(outputs)
        self._host = Block(np.empty, inputs.specs, inputs.separate)

    def fill(self, read: Read) -> Any:
        """Let `read` write a batch into arrays of the host and send it on its way.

        Returns:
            what `deliver` takes. Only the latest one can be delivered.
        """
        read(self._host.arrays)
        return self._host

    def deliver(self, batch: Any) -> None:
        """Put a batch into the inputs of the plan, before all work that is handed to the device from now on."""
        for there, here in zip(self._inputs.memories, batch.memories, strict=True):
            there[...] = self._device.asarray(here)

    def put(self, read: Read) -> None:
        """Both at once, for a batch that nothing is computed beside."""
        self.deliver(self.fill(read))

    def send(self) -> Callable[[], list[np.ndarray]]:
        """Send the outputs to the host, as they are now.

        Returns:
            the call that waits for them and gives NumPy arrays, to be read and dropped.
        """
        copies = [self._device.to_host(array) for array in self._outputs]
        return lambda: copies


class Kept:
    """Data that stay on a device, of which batches are gathered there.

    Args:
        device: where they are.
        arrays: arrays of the device, with the same number of rows.
    """

    def __init__(self, device: Any, arrays: Sequence[Any]):
        self._device = device
        self._arrays = list(arrays)
        self._order: Any = None

    def put_in_order(self, order: np.ndarray | None) -> None:
        """From now on rows are counted in this order; None for as they are."""
        self._order = None if order is None else self._device.asarray(order)

    def read(self, start: int, stop: int, targets: Sequence[Any]) -> None:
        """Write rows `start` to `stop` into arrays of the device."""
        with self._device.errstate():
            for data, target in zip(self._arrays, targets, strict=True):
                if self._order is None:
                    target[...] = data[start:stop]
                else:
                    self._device.xp.take(data, self._order[start:stop], axis=0, out=target)
