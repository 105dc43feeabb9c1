"""Copies between host and GPU beside the computation: batches that come, and results that go.

A batch waits in page-locked memory of the host and then in memory of the GPU, each of which there is twice. While the
plan computes on one batch, the next one crosses, in a stream of its own:

    host      read 1 | read 2            | read 3
    copies           | send 1            | send 2
    device                    | put 1, run 1      | put 2, run 2

Three orders are kept by events: a batch is put into the inputs when it has arrived; the GPU's memory takes another one
when it was put there; the host's memory takes another one when it was sent. All arrays of a batch lie in one block, so
that each step is one copy. A batch that nothing is computed beside goes from the host's memory straight to the inputs.
"""

from __future__ import annotations

import math
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from kcore.runtime.staging import Block, Read, Stager
from kcore_backends_cupy.kept import KeptRows
from kcore_backends_cupy.layout import span

KEPT = 4  # data sets that take no more than one part in this many of the free memory stay on the GPU
NEAR = 4096  # bytes within which results are fetched as one


def pinned(cupy: Any, shape: Sequence[int], dtype: Any) -> np.ndarray:
    """An array in page-locked memory, which the GPU can read and write by itself."""
    count = math.prod(shape)
    memory = cupy.cuda.alloc_pinned_memory(max(count * np.dtype(dtype).itemsize, 1))
    return np.frombuffer(memory, dtype, count).reshape(tuple(shape))


class _Batch:
    """Room for one batch on both sides."""

    def __init__(self, device: Any, inputs: Block):
        event = device.xp.cuda.Event
        self._device = device
        self.host = Block(partial(pinned, device.xp), inputs.specs, inputs.separate)
        self.sent, self.put = event(disable_timing=True), event(disable_timing=True)

    @cached_property
    def there(self) -> list[Any]:
        made = [self._device.empty(memory.shape, str(memory.dtype)) for memory in self.host.memories]
        self.put.record(self._device.stream)  # it may be memory of arrays that are gone, and still in use there
        return made


@dataclass
class Stretch:
    """Arrays that cross as one copy.

    Attributes:
        source: bytes of one memory, from the first array to the last; or the one array, which may have gaps.
        parts: of each array: its number, its first byte, and the array.
    """

    source: Any
    parts: list[tuple[int, int, Any]]

    def arrays(self, host: np.ndarray) -> dict[int, np.ndarray]:
        """The arrays in a copy of the source, by their numbers."""
        memory = host.reshape(-1).view("uint8")
        return {
            number: memory[start : start + a.nbytes].view(str(a.dtype)).reshape(a.shape)
            for number, start, a in self.parts
        }


def stretches(arrays: Sequence[Any]) -> list[Stretch]:
    """All arrays, those joined that lie close together in one memory: the results of a step, most often."""
    result: list[Stretch] = []
    first, memory = 0, -1  # where the last stretch begins, and the memory that it lies in
    for number in sorted(range(len(arrays)), key=lambda i: span(arrays[i])):
        array, base = arrays[number], arrays[number].base
        start, end = span(array)
        if base is None or not array.flags.c_contiguous:
            result.append(Stretch(array, [(number, 0, array)]))
            memory = -1
            continue
        if memory != base.data.ptr or end - first > NEAR:
            first, memory = start, base.data.ptr
            result.append(Stretch(None, []))
        result[-1].parts.append((number, start - first, array))
        result[-1].source = base.reshape(-1).view("uint8")[first - memory : end - memory]
    return result


class PinnedStager(Stager):
    """Sends a batch while another one is computed."""

    def __init__(self, device: Any, inputs: Block, outputs: Sequence[Any]):
        self._device = device
        self._inputs = inputs
        self._stretches = stretches(outputs)
        self._crossing: deque[tuple[Any, list[np.ndarray]]] = deque()  # results on their way, awaited or not
        with device.here():
            self._batches = [_Batch(device, inputs) for _ in range(2)]
            self._stream = device.xp.cuda.Stream(non_blocking=True)
        # Memory is free for others when it is let go: not before a copy under way has ended.
        weakref.finalize(self, self._stream.synchronize).atexit = False

    def fill(self, read: Read) -> Any:
        batch = self._read(read)
        with self._device.here():
            there = batch.there
            self._stream.wait_event(batch.put)
            _send(batch.host.memories, there, self._stream)
            batch.sent.record(self._stream)
        return batch

    def deliver(self, batch: Any) -> None:
        with self._device.errstate():
            self._device.stream.wait_event(batch.sent)
            for target, there in zip(self._inputs.memories, batch.there, strict=True):
                target[...] = there
            batch.put.record(self._device.stream)

    def put(self, read: Read) -> None:
        batch = self._read(read)
        with self._device.errstate():
            _send(batch.host.memories, self._inputs.memories, self._device.stream)
            batch.sent.record(self._device.stream)

    def send(self) -> Callable[[], list[np.ndarray]]:
        device = self._device
        hosts = [pinned(device.xp, s.source.shape, s.source.dtype) for s in self._stretches]
        with device.errstate():
            for stretch, host in zip(self._stretches, hosts, strict=True):
                stretch.source.get(stream=device.stream, out=host, blocking=False)
            sent = device.stream.record(device.xp.cuda.Event(disable_timing=True))
        while self._crossing and self._crossing[0][0].done:
            self._crossing.popleft()
        self._crossing.append((sent, hosts))

        def wait() -> list[np.ndarray]:
            sent.synchronize()
            found: dict[int, np.ndarray] = {}
            for stretch, host in zip(self._stretches, hosts, strict=True):
                found.update(stretch.arrays(host))
            return [found[i] for i in range(len(found))]

        return wait

    def _read(self, read: Read) -> _Batch:
        """A batch in the host's memory of the batch before the last one, which was sent."""
        self._batches.reverse()
        batch = self._batches[0]
        batch.sent.synchronize()
        read(batch.host.arrays)
        return batch


def _send(hosts: Sequence[np.ndarray], arrays: Sequence[Any], stream: Any) -> None:
    for host, array in zip(hosts, arrays, strict=True):
        if host.size:
            array.set(host, stream=stream)


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


def kept(device: Any, arrays: Sequence[np.ndarray], dtypes: Sequence[str]) -> KeptRows | None:
    """Copies on the GPU, or None where they would take too much of its memory."""
    nbytes = sum(a.size * np.dtype(d).itemsize for a, d in zip(arrays, dtypes, strict=True))
    with device.here():
        free, _ = device.xp.cuda.runtime.memGetInfo()
    if nbytes > free // KEPT:
        return None
    return KeptRows(device, [device.asarray(np.ascontiguousarray(a, d)) for a, d in zip(arrays, dtypes, strict=True)])
