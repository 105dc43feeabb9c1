"""What becomes of the outputs of batches: averages of losses and metrics, arrays of predictions."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np


class Collector:
    """Is given the outputs of each batch, or awaits them, where a device with memory of its own sends them."""

    most_coming = 1  # batches whose outputs a device may still owe when the next one is handed to it

    def __init__(self) -> None:
        self._coming: deque[tuple[int, Callable[[], list[Any]]]] = deque()

    def now(self, size: int, outputs: Sequence[Any]) -> None:
        """Take in the outputs for a number of samples; they are not to be kept."""
        raise NotImplementedError

    def later(self, size: int, wait: Callable[[], list[Any]]) -> None:
        """Take in what `wait` gives, in its turn; most often it is there by then."""
        self._coming.append((size, wait))
        self._await_all_but(self.most_coming)

    def _await_all_but(self, most: int) -> None:
        while len(self._coming) > most:
            size, wait = self._coming.popleft()
            self.now(size, wait())


class Averages(Collector):
    """Collects what a training or test step reports, and averages it over the samples.

    Args:
        names: names of the outputs of the step.
        stateful: those whose last value counts.
    """

    most_coming = 32

    def __init__(self, names: Sequence[str], stateful: Iterable[str] = ()) -> None:
        super().__init__()
        self.names = list(names)
        self._stateful = [i for i, name in enumerate(self.names) if name in set(stateful)]
        self.reset()

    def reset(self) -> None:
        self._await_all_but(0)
        self.samples = 0
        self._last: list[float] = []
        self._sums = [0.0] * len(self.names)

    def now(self, size: int, outputs: Sequence[Any]) -> None:
        self.samples += size
        self._last = values = [output.item() for output in outputs]
        sums = self._sums
        for i, value in enumerate(values):
            sums[i] += value * size

    @property
    def last(self) -> list[float]:
        """What the latest batch reported."""
        self._await_all_but(0)
        return self._last

    def named(self) -> Iterable[tuple[str, float]]:
        """The names, each with its average so far."""
        return zip(self.names, self.values(), strict=False)

    def values(self) -> list[float]:
        """The averages, in the order of the names; none where no batch was run."""
        last = self.last
        if not self.samples:
            return []
        values = [total / self.samples for total in self._sums]
        for i in self._stateful:
            values[i] = last[i]
        return values


class Predictions(Collector):
    """Collects the outputs of a prediction step.

    Args:
        samples: how many samples will come, so that the results are allocated once; None if not known.
    """

    def __init__(self, samples: int | None) -> None:
        super().__init__()
        self._samples = samples
        self._arrays: list[np.ndarray] | None = None
        self._parts: list[list[np.ndarray]] = []
        self._position = 0

    def now(self, size: int, outputs: Sequence[Any]) -> None:
        if self._arrays is None and self._samples is not None:
            if any(not o.shape or o.shape[0] != size for o in outputs):
                self._samples = None  # an output that is not one row a sample: nothing to allocate beforehand
            else:
                self._arrays = [np.empty((self._samples, *o.shape[1:]), o.dtype) for o in outputs]
        if self._arrays is None:
            self._parts.append([np.array(o) for o in outputs])
            return
        start, self._position = self._position, self._position + size
        for array, output in zip(self._arrays, outputs, strict=True):
            array[start : self._position] = output

    def arrays(self) -> list[np.ndarray]:
        """The outputs for all samples."""
        self._await_all_but(0)
        if self._arrays is not None:
            return self._arrays
        return [np.concatenate([np.atleast_1d(a) for a in column]) for column in zip(*self._parts, strict=True)]
