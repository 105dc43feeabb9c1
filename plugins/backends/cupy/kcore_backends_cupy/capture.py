"""Replay: launches that follow each other are captured once as a CUDA graph, and launched together from then on.

The first run of a plan makes every call by itself, which compiles and loads kernels and lets libraries choose their
algorithms; the second captures. Calls that are no launches (they may allocate, synchronize or call libraries that
cannot be captured) stay between the graphs. A launch that turns out to be one of them is left out from then on.

What a graph needs:

- It keeps no memory alive: launches hold their arrays, and the segment holds the launches beside the graph.
- It is captured on a stream of its own, to which launches go as CuPy's current stream: on the device's stream it would
  take in what other threads launch meanwhile. The stream is a non-blocking one, because work of the default stream, of
  any thread, breaks the capture of a blocking one.
- Its arguments are fixed. What changes from run to run lies in memory: inputs, learning rates (variables), the counters
  of random streams; what the host must do for them is `Launch.before`, which is called at every run.
- CUDA captures for one thread at a time. Each thread that runs a plan has an instance, and so graphs, of its own.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from kcore_backends_cupy.launch import Launch, flat
from kcore_backends_cupy.merge import merge

SHORTEST = 2  # launches that are worth a graph
REPLAY = "KCORE_CUPY_REPLAY"  # 0: every launch is made by itself, for measurements and for looking into a fault

_capturing = threading.Lock()  # CUDA captures for one thread at a time


class Segment:
    """A row of launches, captured at its second run.

    Args:
        device: where they run.
        launches: in their order.
        replay: False never to capture.

    Attributes:
        launches: in their order.
        refused: launches that could not be captured, with the error.
    """

    def __init__(self, device: Any, launches: Sequence[Launch], replay: bool = True):
        self._device = device
        self._replay = replay
        self.launches = list(launches)
        self.refused: list[tuple[Launch, Exception]] = []
        self._before = [x.before for x in launches if _prepares(x)]
        self._runs = 0
        self._parts: list[Callable[[], Any]] = list(launches)

    def __call__(self) -> None:
        for call in self._before:
            call()
        if self._replay and self._runs == 1:
            self._parts = self._captured(self.launches)
        self._runs += 1
        for part in self._parts:
            part()

    def _captured(self, launches: Sequence[Launch]) -> list[Callable[[], Any]]:
        """What replaces launches: one graph, or several around those that cannot be captured."""
        if len(launches) < SHORTEST:
            return list(launches)
        stream = self._device.xp.cuda.Stream(non_blocking=True)
        failed: tuple[int, Exception] | None = None
        graph = None
        with _capturing, stream:
            stream.begin_capture()
            for i, launch in enumerate(launches):
                try:
                    launch()
                except Exception as error:  # libraries have their own ways to say so; a plain run shows other errors
                    failed = i, error
                    break
            try:
                graph = stream.end_capture()
            except Exception as error:  # an invalid capture ends with an error, after the launch's own or without one
                failed = failed or (0, error)
        if failed is None and graph is not None:
            return [partial(graph.launch, self._device.stream)]
        at, error = failed or (0, RuntimeError("nothing was captured"))
        self.refused.append((launches[at], error))
        return [*self._captured(launches[:at]), launches[at], *self._captured(launches[at + 1 :])]

    @property
    def graphs(self) -> int:
        """How many graphs a run launches; 0 until it was captured."""
        return sum(isinstance(part, partial) for part in self._parts)


def arrange(device: Any, calls: Sequence[Callable[[], Any]]) -> list[tuple[int, Callable[[], Any]]]:
    """The calls of a plan with rows of launches joined, and those of one kernel merged; each with the number of the
    instruction it begins at."""
    result: list[tuple[int, Callable[[], Any]]] = []
    row: list[Launch] = []
    start = 0

    replay = os.environ.get(REPLAY, "1") != "0"

    def close() -> None:
        launches = merge(device, row)
        if any(map(_prepares, launches)) or (replay and len(launches) >= SHORTEST):
            result.append((start, Segment(device, launches, replay)))
        else:
            result.extend((start, launch) for launch in launches)
        row.clear()

    for number, call in enumerate(calls):
        for part in flat([call]):
            if isinstance(part, Launch):
                if not row:
                    start = number
                row.append(part)
            else:
                close()
                result.append((number, part))
    close()
    return result


def _prepares(launch: Launch) -> bool:
    """Whether the host has something to do before each run."""
    return type(launch).before is not Launch.before


def taken_apart(calls: Sequence[Callable[[], Any]]) -> list[Callable[[], Any]]:
    """The calls of an arranged plan with the launches of segments in their place."""
    return [part for call in calls for part in (call.launches if isinstance(call, Segment) else [call])]
