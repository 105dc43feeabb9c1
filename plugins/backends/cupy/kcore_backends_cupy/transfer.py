"""Copies between host and GPU beside the computation: batches that come, and results that go.

A batch waits in page-locked memory of the host and then in memory of the GPU, each of which there is twice. While the
plan computes on one batch, the next one crosses, in a stream of its own:

    host      read 1 | read 2            | read 3
    copies           | send 1            | send 2
    device                    | put 1, run 1      | put 2, run 2

Three orders are kept by events: a batch is put into the inputs when it has arrived; the GPU's memory takes another one
when it was put there; the host's memory takes another one when it was sent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kcore.graph import Spec
from kcore.runtime.staging import Read, Stager

KEPT = 4  # data sets that take no more than one part in this many of the free memory stay on the GPU


def pinned(cupy: Any, shape: Sequence[int], dtype: Any) -> np.ndarray:
    """An array in page-locked memory, which the GPU can read and write by itself."""
    count = math.prod(shape)
    memory = cupy.cuda.alloc_pinned_memory(max(count * np.dtype(dtype).itemsize, 1))
    return np.frombuffer(memory, dtype, count).reshape(tuple(shape))


class _Batch:
    """Room for one batch on both sides."""

    def __init__(self, device: Any, specs: Sequence[Spec]):
        event = device.xp.cuda.Event
        self.host = [pinned(device.xp, s.sizes, s.dtype) for s in specs]
        self.there = [device.empty(s.sizes, s.dtype) for s in specs]
        self.sent, self.put = event(disable_timing=True), event(disable_timing=True)


class PinnedStager(Stager):
    """Sends a batch while another one is computed."""

    def __init__(self, device: Any, specs: Sequence[Spec]):
        self._device = device
        with device.here():
            self._batches = [_Batch(device, specs) for _ in range(2)]
            self._stream = device.xp.cuda.Stream(non_blocking=True)
        self._next = 0

    def fill(self, read: Read) -> Any:
        batch = self._batches[self._next]
        self._next = 1 - self._next
        batch.sent.synchronize()
        read(batch.host)
        with self._device.here():
            self._stream.wait_event(batch.put)
            for there, here in zip(batch.there, batch.host, strict=True):
                there.set(here, stream=self._stream)
            batch.sent.record(self._stream)
        return batch

    def deliver(self, batch: Any, inputs: Sequence[Any]) -> None:
        with self._device.errstate():
            self._device.stream.wait_event(batch.sent)
            for target, there in zip(inputs, batch.there, strict=True):
                target[...] = there
            batch.put.record(self._device.stream)


def peer_copy(source: Any, array: Any, target: Any, out: Any) -> Callable[[], Any]:
    """The call that copies an array of one GPU into that of another, beside what both compute.

    The copy has a stream of its own on the target. It begins when the array is computed and the room for it is no
    longer in use; the target goes on to what reads it, and the source to what may overwrite it, when it is done.
    """
    event = target.xp.cuda.Event
    with source.here():
        dense = array if array.flags.c_contiguous else source.empty(array.shape, str(array.dtype))
        computed = event(disable_timing=True)
    with target.here():
        free, arrived = event(disable_timing=True), event(disable_timing=True)
        copies = target.xp.cuda.Stream(non_blocking=True)

    def run() -> None:
        with source.errstate():
            if dense is not array:
                dense[...] = array
            computed.record(source.stream)
        with target.errstate():
            free.record(target.stream)
            copies.wait_event(computed)
            copies.wait_event(free)
            target.xp.cuda.runtime.memcpyPeerAsync(
                out.data.ptr, target.number, dense.data.ptr, source.number, out.nbytes, copies.ptr
            )
            arrived.record(copies)
            target.stream.wait_event(arrived)
        with source.errstate():
            source.stream.wait_event(arrived)

    return run


def later(device: Any, arrays: Sequence[Any]) -> Callable[[], list[np.ndarray]]:
    """Start copying arrays to the host; the call that is returned waits for them, whatever was launched since."""
    hosts = [pinned(device.xp, a.shape, a.dtype) for a in arrays]
    with device.errstate():
        event = device.xp.cuda.Event(disable_timing=True)
        for array, host in zip(arrays, hosts, strict=True):
            array.get(stream=device.stream, out=host, blocking=False)
        event.record(device.stream)

    def wait() -> list[np.ndarray]:
        event.synchronize()
        return hosts

    return wait


def kept(device: Any, arrays: Sequence[np.ndarray], dtypes: Sequence[str]) -> list[Any] | None:
    """Copies on the GPU, or None where they would take too much of its memory."""
    nbytes = sum(a.size * np.dtype(d).itemsize for a, d in zip(arrays, dtypes, strict=True))
    with device.here():
        free, _ = device.xp.cuda.runtime.memGetInfo()
    if nbytes > free // KEPT:
        return None
    return [device.asarray(a, d) for a, d in zip(arrays, dtypes, strict=True)]
