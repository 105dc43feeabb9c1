"""Streams, events, graphs and devices of the stand-in, with what goes wrong on a GPU if they are misused.

Kernels run at once. Copies that were given a stream run as late as CUDA allows: when the stream has other work, or when
somebody waits for an event behind them. So a missing wait shows as a wrong value. `log` holds what was asked for, in
order, where a test has set it to a list.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import threading
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

DEVICES = "KCORE_CUPY_EMULATED_DEVICES"

_streams: weakref.WeakValueDictionary[int, Stream] = weakref.WeakValueDictionary()
_nulls: dict[int, Stream] = {}  # the default stream of each device
_numbers = itertools.count(1)


class Recorder:
    """Where a test finds what streams were asked for."""

    log: list[tuple[Any, ...]] | None = None

    @classmethod
    def note(cls, *words: Any) -> None:
        if cls.log is not None:
            cls.log.append(words)


class _Here(threading.local):
    """The thread's current device and streams; as in CuPy, each device has a stack of its own."""

    def __init__(self) -> None:
        self.device = 0
        self.stacks: dict[int, list[Stream]] = {}


_here = _Here()


def device_count() -> int:
    """Emulated GPUs: two, or `KCORE_CUPY_EMULATED_DEVICES`."""
    return int(os.environ.get(DEVICES, "2"))


def current_device() -> int:
    """The number of the thread's device."""
    return _here.device


class Device:
    """A device, as CuPy's: a context manager, or for the rest of the thread by `use`."""

    def __init__(self, device: int | None = None):
        self.id = _here.device if device is None else device

    def use(self) -> None:
        _check_number(self.id)
        _here.device = self.id

    def __enter__(self) -> Device:
        self._before = getattr(self, "_before", [])
        self._before.append(_here.device)
        self.use()
        return self

    def __exit__(self, *exc: object) -> None:
        _here.device = self._before.pop()

    def synchronize(self) -> None:
        for stream in list(_streams.values()):
            if stream.device == self.id:
                stream.synchronize()


def _check_number(number: int) -> None:
    if not 0 <= number < device_count():
        raise RuntimeError("cudaErrorInvalidDevice: invalid device ordinal")


class Stream:
    """A stream of the current device."""

    def __init__(self, null: bool = False, non_blocking: bool = False, ptds: bool = False):
        self.device = _here.device
        self.blocking = not non_blocking
        self.null = null
        self.ptr = 0 if null else next(_numbers)
        self.captured: list[Callable[[], None]] | None = None
        self.pending: list[Callable[[], None]] = []
        self.done = 0  # of all that was ever pending, the number of those that ran
        if not null:
            _streams[self.ptr] = self

    def __enter__(self) -> Stream:
        if self.device != _here.device and not self.null:
            raise RuntimeError(
                f"The device that the stream is created on ({self.device}) does not match with the current device "
                f"({_here.device})"
            )
        _stack().append(self)
        return self

    def __exit__(self, *exc: object) -> None:
        _stack().pop()

    def enqueue(self, work: Callable[[], None]) -> None:
        """Work that may be late."""
        if self.captured is not None:
            raise RuntimeError("cudaErrorStreamCaptureUnsupported: a copy from or to the host")
        self.pending.append(work)

    def run(self, until: int | None = None) -> None:
        """Do what is pending, up to its `until`-th since the stream began."""
        while self.pending and (until is None or self.done < until):
            self.done += 1
            self.pending.pop(0)()

    def begin_capture(self, mode: Any = None) -> None:
        if self.null:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        if self.captured is not None:
            raise RuntimeError("cudaErrorIllegalState: the stream is being captured")
        self.run()
        self.captured = []

    def end_capture(self) -> Graph:
        calls, self.captured = self.captured, None
        if calls is None:
            raise RuntimeError("cudaErrorIllegalState: the stream is not being captured")
        return Graph(calls)

    def is_capturing(self) -> bool:
        return self.captured is not None

    def wait_event(self, event: Event) -> None:
        Recorder.note("wait", self, event)
        event.complete()

    def record(self, event: Event | None = None) -> Event:
        made = event or Event()
        made.record(self)
        return made

    def synchronize(self) -> None:
        if self.captured is not None:
            raise RuntimeError("cudaErrorStreamCaptureUnsupported: operation not permitted when stream is capturing")
        Recorder.note("synchronize", self)
        self.run()


class Event:
    """A point in a stream."""

    def __init__(self, block: bool = False, disable_timing: bool = False, interprocess: bool = False):
        self._at: tuple[Stream, int] | None = None
        self._device = _here.device

    def record(self, stream: Stream | None = None) -> None:
        stream = stream or current_stream()
        if stream.device != self._device:
            raise RuntimeError("cudaErrorInvalidResourceHandle: an event and a stream of different devices")
        Recorder.note("record", self, stream)
        self._at = stream, stream.done + len(stream.pending)

    def complete(self) -> None:
        """Everything before the event is done."""
        if self._at is not None:
            self._at[0].run(self._at[1])

    def synchronize(self) -> None:
        Recorder.note("synchronize", self)
        if current_stream().captured is not None:
            raise RuntimeError("cudaErrorStreamCaptureUnsupported: operation not permitted when stream is capturing")
        self.complete()

    @property
    def done(self) -> bool:
        return self._at is None or self._at[0].done >= self._at[1]


class Graph:
    """Launches that were captured."""

    def __init__(self, calls: list[Callable[[], None]]):
        self._calls = calls

    def launch(self, stream: Stream | None = None) -> None:
        stream = stream or current_stream()
        Recorder.note("graph", stream)
        stream.run()
        for call in self._calls:
            call()

    def upload(self, stream: Stream | None = None) -> None:
        """Has no meaning here."""


def _stack() -> list[Stream]:
    return _here.stacks.setdefault(_here.device, [])


def _null() -> Stream:
    if _here.device not in _nulls:
        _nulls[_here.device] = Stream(null=True)
    return _nulls[_here.device]


def current_stream() -> Stream:
    """The stream to which the thread's work goes."""
    stack = _stack()
    return stack[-1] if stack else _null()


def ready() -> Stream:
    """The current stream, with all done that comes before further work in it."""
    stream = current_stream()
    if stream.null:
        for other in list(_streams.values()):
            if other.blocking and other.device == stream.device:
                if other.captured is not None:
                    raise RuntimeError(
                        "cudaErrorStreamCaptureImplicit: work of the default stream while a blocking one is captured"
                    )
                other.run()
    stream.run()
    return stream


def touch() -> None:
    """Called by every operation on arrays that is no launch of a kernel."""
    if ready().captured is not None:
        raise RuntimeError("cudaErrorStreamCaptureUnsupported: an operation that cannot be captured")


def launch(work: Callable[[], None]) -> None:
    """A kernel: captured, or run at once."""
    stream = ready()
    if stream.captured is not None:
        stream.captured.append(work)
    else:
        Recorder.note("launch", stream)
        work()


def memcpy_peer_async(dst: int, dstDevice: int, src: int, srcDevice: int, size: int, stream: int) -> None:
    """A copy from one device to another, in a stream."""
    Recorder.note("peer copy", _streams[stream], srcDevice, dstDevice)
    _streams[stream].enqueue(partial(_move, dst, src, size))


def _move(target: int, source: int, size: int) -> None:
    ctypes.memmove(target, source, size)
