"""Replay: launches that follow each other are captured once as a CUDA graph, and launched together from then on.

The first run of a plan makes every call by itself, which compiles and loads kernels; the second captures. Calls that
are no launches of this plugin (they may allocate, synchronize or call libraries that cannot be captured) stay between
the graphs. A graph keeps no memory alive: launches hold their arrays, and the graph holds the launches.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

from kcore_backends_cupy.launch import Launch, flat
from kcore_backends_cupy.merge import merge

SHORTEST = 2  # launches that are worth a graph
REPLAY = "KCORE_CUPY_REPLAY"  # 0: every launch is made by itself, for measurements and for looking into a fault

_capturing = threading.Lock()  # CUDA captures for one thread at a time


class Segment:
    """A row of launches, captured at its second run."""

    def __init__(self, device: Any, launches: Sequence[Launch]):
        self._device = device
        self.launches = list(launches)
        self._before = [x.before for x in launches if _prepares(x)]
        self._runs = 0
        self._graph: Any = None

    def __call__(self) -> None:
        for call in self._before:
            call()
        if self._graph is not None:
            self._graph.launch(self._device.stream)
            return
        if self._runs:
            self._graph = self._capture()
            self._graph.launch(self._device.stream)
            return
        for launch in self.launches:
            launch()
        self._runs = 1

    def _capture(self) -> Any:
        stream = self._device.stream
        with _capturing, stream:
            stream.begin_capture()
            try:
                for launch in self.launches:
                    launch()
            finally:
                graph = stream.end_capture()
        return graph


def arrange(device: Any, calls: Sequence[Callable[[], Any]]) -> list[tuple[int, Callable[[], Any]]]:
    """The calls of a plan with rows of launches joined, and those of one kernel merged; each with the number of the
    instruction it begins at."""
    result: list[tuple[int, Callable[[], Any]]] = []
    row: list[Launch] = []
    start = 0

    replay = os.environ.get(REPLAY, "1") != "0"

    def close() -> None:
        launches = merge(device.xp, row)
        if replay and len(launches) >= SHORTEST:
            result.append((start, Segment(device, launches)))
        else:
            result.extend((start, Segment(device, [x]) if _prepares(x) else x) for x in launches)
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
