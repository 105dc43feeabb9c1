"""Where batches come from: arrays, generators, or tensors inside the model."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from kcore.data.enqueuer import GeneratorEnqueuer, OrderedEnqueuer
from kcore.data.sequence import Sequence as DataSequence
from kcore.engine.rows import index_reader, range_reader, write
from kcore.engine.session import Batch
from kcore.engine.step import Step
from kcore.errors import DataError
from kcore.runtime.staging import Kept
from kcore.shapes import positive_int, real_number


class ArraySource:
    """Batches of arrays.

    Args:
        arrays: array-likes with the same number of rows, in the order of the step's inputs.
        samples: that number.
        batch_size: rows of a batch; the last one of an epoch may be smaller.
        shuffle: True: a new random order of all rows each epoch; "batch": whole batches in a new order,
            for data on disk; False: as they are.
    """

    def __init__(self, arrays: Sequence[Any], samples: int, batch_size: int, shuffle: bool | str = False) -> None:
        self.samples: int | None = samples
        self.batch_size = batch_size
        self.steps = -(-samples // batch_size)
        self._shuffle = shuffle
        self._arrays = list(arrays)
        self._kept: Kept | None = None  # on the device, from the first of several epochs on
        self._row_shapes = [tuple(a.shape[1:]) for a in arrays]
        self._order = np.arange(samples)
        self._readers = [index_reader(a, self._order) if shuffle else range_reader(a) for a in arrays]

    def epoch(self, step: Step, another: bool = False) -> Iterator[Batch]:
        if self._shuffle:
            self._order[:] = np.arange(len(self._order))  # a resumed run, which starts here, shuffles to the same order
        if self._shuffle == "batch":
            shuffle_batches(self._order, self.batch_size)
        elif self._shuffle:
            np.random.shuffle(self._order)
        if another and self._kept is None:
            self._kept = _on_device(self._arrays, step)
        read, kept = self._read, self._kept is not None
        if self._kept is not None:
            self._kept.put_in_order(self._order if self._shuffle else None)
            read = self._kept.read
        whole, rest = divmod(len(self._order), self.batch_size)
        shapes = self._shapes(self.batch_size)
        for start in range(0, whole * self.batch_size, self.batch_size):
            yield Batch(self.batch_size, shapes, partial(read, start, start + self.batch_size), kept)
        if rest:
            yield Batch(rest, self._shapes(rest), partial(read, len(self._order) - rest, len(self._order)), kept)

    def ready(self) -> bool:
        return True

    def close(self) -> None:
        self._kept = None

    def _shapes(self, size: int) -> tuple[tuple[int, ...], ...]:
        return tuple((size, *shape) for shape in self._row_shapes)

    def _read(self, start: int, stop: int, targets: Sequence[Any]) -> None:
        for read, target in zip(self._readers, targets):
            read(start, stop, target)


def _on_device(arrays: Sequence[Any], step: Step) -> Kept | None:
    """The arrays where the step runs, if that is another memory and has room for them; data on disk stay there."""
    if not arrays or not all(isinstance(a, np.ndarray) for a in arrays):
        return None
    return step.function.device.keep(arrays, [t.dtype for t in step.inputs])


class RepeatedSource:
    """The same arrays at every step: for models that read from tensors, and for whole-batch training.

    Each step counts as one sample in averages.

    Args:
        arrays: what the step is fed.
        steps: number of steps of an epoch.
    """

    samples: int | None = None

    def __init__(self, arrays: Sequence[Any], steps: int) -> None:
        self.steps = steps
        self._arrays = list(arrays)

    def epoch(self, step: Step, another: bool = False) -> Iterator[Batch]:
        for _ in range(self.steps):
            yield _whole(1, self._arrays)

    def ready(self) -> bool:
        return True

    def close(self) -> None:
        """Nothing runs on behalf of arrays."""


class GeneratorSource:
    """Batches that a generator or a `Sequence` yields, read ahead by workers.

    Args:
        generator: an iterator, or a `kcore.utils.Sequence`.
        steps: number of batches of an epoch, rounded up; None for the length of a `Sequence`.
        prepare: makes (number of samples, arrays for the step) of what the generator yields.
        argument: name of the argument that gives `steps`; for messages.
        workers: threads or processes; 0 to read in this thread.
        max_queue_size: batches that may be ready or in the making.
        use_multiprocessing: processes instead of threads.
        shuffle: whether a `Sequence` gives its batches in random order.
    """

    samples: int | None = None

    def __init__(
        self,
        generator: Any,
        steps: int | None,
        prepare: Callable[[Any], tuple[int, list[Any]]],
        *,
        argument: str,
        workers: int = 1,
        max_queue_size: int = 10,
        use_multiprocessing: bool = False,
        shuffle: bool = False,
    ) -> None:
        ordered = is_sequence(generator)
        if steps is None:
            if not ordered:
                raise DataError(
                    f"`{argument}=None` is only valid for a generator based on the `kcore.utils.Sequence` class. "
                    f"Please specify `{argument}` or use the `kcore.utils.Sequence` class.",
                    argument=argument,
                )
            steps = len(generator)
            if steps == 0:
                raise DataError(f"the {type(generator).__name__} has no batches: its length is 0", argument="generator")
        # As long as the count is below it: scripts compute `samples / batch_size`, for the last, smaller batch too.
        self.steps = positive_int(math.ceil(real_number(steps, argument)), argument)
        self._argument = argument
        self._prepare = prepare
        self._given = 0
        if ordered:
            self._enqueuer: OrderedEnqueuer | GeneratorEnqueuer = OrderedEnqueuer(
                generator, use_multiprocessing=use_multiprocessing, shuffle=shuffle
            )
        else:
            self._enqueuer = GeneratorEnqueuer(generator, use_multiprocessing=use_multiprocessing)
        self._start = (
            positive_int(workers, "workers", least=0),
            positive_int(max_queue_size, "max_queue_size", least=0),
        )
        self._iterator: Iterator[Any] | None = None

    def epoch(self, step: Step, another: bool = False) -> Iterator[Batch]:
        if self._iterator is None:
            self._enqueuer.start(*self._start)
            self._iterator = self._enqueuer.get()
        self._enqueuer.limit(self.steps * (2 if another else 1))
        for _ in range(self.steps):
            yield _whole(*self._prepare(self._next()))
        if isinstance(self._enqueuer, OrderedEnqueuer):
            self._enqueuer.finish_pass(another)

    def ready(self) -> bool:
        return self._enqueuer.ready()

    def close(self) -> None:
        self._iterator = None
        self._enqueuer.stop()

    def _next(self) -> Any:
        assert self._iterator is not None
        try:
            batch = next(self._iterator)
        except StopIteration:
            raise DataError(
                f"the generator ended after {self._given} batches, but an epoch takes {self.steps} "
                f"({self._argument}), and a generator must go on for as many epochs as are asked for: let it loop "
                f"without end, or make `{self._argument}` or `epochs` smaller",
                argument=self._argument,
            ) from None
        self._given += 1
        return batch


class Head(DataSequence):
    """The first batches of a `Sequence`, so that each evaluation begins at the first one."""

    def __init__(self, sequence: Any, length: int) -> None:
        self._sequence = sequence
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Any:
        return self._sequence[index]

    def on_epoch_end(self) -> None:
        self._sequence.on_epoch_end()


def is_sequence(data: Any) -> bool:
    """Whether `data` gives any of its batches by index."""
    return isinstance(data, DataSequence)


def is_generator(data: Any) -> bool:
    """Whether `data` yields batches: an iterator, or a `Sequence`."""
    return is_sequence(data) or hasattr(data, "__next__") or hasattr(data, "next")


def shuffle_batches(order: np.ndarray, batch_size: int) -> None:
    """Shuffle whole batches of `order` in place; a smaller last batch stays last."""
    whole = len(order) // batch_size * batch_size
    batches = order[:whole].reshape(-1, batch_size)
    np.random.shuffle(batches)


def _whole(size: int, arrays: Sequence[Any]) -> Batch:
    """All rows of arrays, as one batch."""
    return Batch(size, tuple(tuple(a.shape) for a in arrays), partial(write, arrays))
