"""Enqueuers: batches read ahead by workers, given out in order.

Reading ahead is scheduled by whoever takes the batches: each time one is taken, the next call is handed to
the workers, so that at most `max_queue_size` batches are ready or being made. No thread runs a loop of its
own, so nothing has to be told to end, and the order is that of the calls.
"""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import numpy as np

from kcore.data.sequence import Sequence
from kcore.data.workers import Pool, ProcessWorkers
from kcore.errors import DataError


@dataclass(frozen=True)
class _End:
    """Given instead of a batch when the generator (of a process) has ended."""

    process: int


class SequenceEnqueuer:
    """Base of the enqueuers.

    Example:
        >>> from kcore.data.enqueuer import GeneratorEnqueuer
        >>> enqueuer = GeneratorEnqueuer(iter([1, 2, 3]))
        >>> enqueuer.start(workers=1, max_queue_size=2)
        >>> list(enqueuer.get())
        [1, 2, 3]
        >>> enqueuer.stop()
    """

    def __init__(self, use_multiprocessing: bool = False) -> None:
        self.use_multiprocessing = use_multiprocessing
        self.workers = 0
        self.max_queue_size = 1
        self._running = False
        self._pending: deque[Future[Any]] = deque()
        self._pool: Pool | None = None
        self._processes: ProcessWorkers | None = None

    def is_running(self) -> bool:
        return self._running

    def start(self, workers: int = 1, max_queue_size: int = 10) -> None:
        """Start the workers.

        Args:
            workers: number of threads or processes; 0 to read in the calling thread, when a batch is asked for.
            max_queue_size: number of batches that may be ready or in the making.
        """
        if self._running:
            raise RuntimeError("the enqueuer is running already; stop() it first")
        self.workers = workers
        self.max_queue_size = max(1, max_queue_size)
        self._running = True
        self._start_workers()

    def stop(self, timeout: float | None = None) -> None:
        """Stop the workers and drop the batches that were read ahead.

        Args:
            timeout: seconds to wait for threads that are inside the user's code; 5 by default.
        """
        self._running = False
        try:
            self._stop_workers(timeout)
        except BaseException:  # Ctrl-C, while waiting for a worker
            self._stop_workers(timeout)
            raise

    def get(self) -> Generator[Any, None, None]:
        """The batches, in order; with an error in a worker, that error, after which nothing runs any more."""
        try:
            yield from self._batches()
        except GeneratorExit:
            raise
        except BaseException:
            self.stop()
            raise

    def ready(self) -> bool:
        """Whether the next batch was read ahead, and is given without waiting."""
        return bool(self._pending) and self._pending[0].done()

    def limit(self, count: int) -> None:
        """Say that at most `count` further batches will be asked for, so that no more are read ahead."""

    def __enter__(self) -> SequenceEnqueuer:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    # -- for subclasses ----------------------------------------------------------------------------------
    def _batches(self) -> Iterator[Any]:
        raise NotImplementedError

    def _start_workers(self) -> None:
        raise NotImplementedError

    def _use(self, size: int, processes: ProcessWorkers | None) -> None:
        # Processes come first: forking is safest while there are few threads.
        self._processes = processes
        self._pool = Pool(size)
        self._pool.start()

    def _stop_workers(self, timeout: float | None = None) -> None:
        while self._pending:
            self._pending.pop().cancel()
        if self._processes is not None:
            self._processes.terminate()
        if self._pool is not None:
            self._pool.stop(timeout)
        if self._processes is not None:
            self._processes.close()
        self._processes = self._pool = None

    def _submit(self, function: Callable[..., Any], *args: Any) -> None:
        assert self._pool is not None
        self._pending.append(self._pool.submit(function, *args))


class OrderedEnqueuer(SequenceEnqueuer):
    """Gives the batches of a `Sequence`, pass after pass, each batch once a pass.

    Args:
        sequence: a `kcore.utils.Sequence`.
        use_multiprocessing: read in processes instead of threads.
        shuffle: give the batches of each pass in a new random order (of `np.random`).
    """

    def __init__(self, sequence: Sequence, use_multiprocessing: bool = False, shuffle: bool = False) -> None:
        super().__init__(use_multiprocessing)
        self.sequence = sequence
        self.shuffle = shuffle
        self._left: deque[tuple[int, int | None]] = deque()  # (index, seed) of the batches not yet asked for
        self._under_way = False
        # Processes have their own copy of the sequence, which what on_epoch_end changes here does not reach.
        self._changes = getattr(type(sequence), "on_epoch_end", None) is not Sequence.on_epoch_end

    def finish_pass(self, another: bool = True) -> None:
        """If all batches of a pass were taken, call `on_epoch_end` and begin the next pass.

        `get` does so when the next batch is asked for; who calls this before, lets the workers read
        ahead meanwhile.

        Args:
            another: whether another pass is wanted.
        """
        if not self._under_way or self._left or self._pending:
            return
        self._under_way = False
        if hasattr(self.sequence, "on_epoch_end"):
            self.sequence.on_epoch_end()
        if not (another and self._running):
            return
        if self._processes is not None and self._changes:
            self._stop_workers()
            self._start_workers()
        self._begin_pass()

    def _start_workers(self) -> None:
        if self.workers > 0:
            processes = ProcessWorkers(_item, self.sequence, self.workers) if self.use_multiprocessing else None
            self._use(self.workers, processes)

    def _begin_pass(self) -> None:
        count = len(self.sequence)
        if count < 1:
            raise DataError(f"{type(self.sequence).__name__} is empty: its length is {count}")
        order = np.arange(count)
        if self.shuffle:
            np.random.shuffle(order)
        seeds: list[Any] = [None] * count
        if self._processes is not None:
            # One for each batch: what is drawn in it does not depend on which process happens to read it.
            seeds = np.random.randint(0, 2**31 - 1, size=count).tolist()
        self._left.extend(zip(order.tolist(), seeds, strict=True))
        self._under_way = True
        self._read_ahead()

    def _read_ahead(self) -> None:
        while self._pool is not None and self._left and len(self._pending) < self.max_queue_size:
            index, seed = self._left.popleft()
            if self._processes is not None:
                self._submit(self._processes.call, seed, index)
            else:
                self._submit(_item, self.sequence, index)

    def _batches(self) -> Iterator[Any]:
        while self._running:
            if not self._under_way:
                self._begin_pass()
            while self._running and (self._left or self._pending):
                yield self._take()
            if self._running:
                self.finish_pass()

    def _take(self) -> Any:
        if self._pool is None:
            return _item(self.sequence, self._left.popleft()[0])
        self._read_ahead()
        batch = self._pending.popleft().result()
        self._read_ahead()
        return batch


class GeneratorEnqueuer(SequenceEnqueuer):
    """Gives what a generator yields.

    A generator can be run by one thread at a time, so more than one thread would gain nothing, and one is
    used. With processes, each has a copy of the generator, and what they yield is the same where the
    generator does not draw random numbers: then use a `Sequence`.

    Args:
        generator: a generator or another iterator.
        use_multiprocessing: run it in processes (where the system can fork).
        wait_time: accepted for compatibility; nothing here waits by polling.
        seed: seed of `np.random` in the first process, ``seed + 1`` in the second, and so on.
    """

    def __init__(
        self,
        generator: Iterator[Any],
        use_multiprocessing: bool = False,
        wait_time: float = 0.05,
        seed: int | None = None,
    ) -> None:
        super().__init__(use_multiprocessing)
        self.wait_time = wait_time
        self.seed = seed
        self._allowed = math.inf  # calls that may still be handed to the workers
        self._generator = generator if hasattr(generator, "__next__") else iter(generator)

    def limit(self, count: int) -> None:
        self._allowed = count - len(self._pending)
        self._read_ahead()

    def _start_workers(self) -> None:
        if self.workers <= 0:
            return
        if not self.use_multiprocessing:
            self._use(1, None)
            return
        first = int(np.random.randint(0, 2**31 - 1)) if self.seed is None else self.seed
        seeds: list[int | None] = [(first + i) % 2**32 for i in range(self.workers)]
        self._use(self.workers, ProcessWorkers(_next_of, self._generator, self.workers, seeds))

    def _read_ahead(self) -> None:
        while self._pool is not None and len(self._pending) < self.max_queue_size and self._allowed > 0:
            self._allowed -= 1
            if self._processes is not None:
                self._submit(self._processes.call, None, None)
            else:
                self._submit(_next_of, self._generator)

    def _batches(self) -> Iterator[Any]:
        if self._pool is None:
            yield from self._in_this_thread()
            return
        ended: set[int] = set()
        self._read_ahead()
        while self._pending:
            batch = self._pending.popleft().result()
            if isinstance(batch, _End):
                # One of several processes may be at its end before the others.
                self._allowed += 1
                ended.add(batch.process)
                if len(ended) == (self.workers if self._processes is not None else 1):
                    return
            self._read_ahead()
            if not isinstance(batch, _End):
                yield batch
            del batch  # its memory may go while the next one is awaited

    def _in_this_thread(self) -> Iterator[Any]:
        for batch in self._generator:
            yield batch
            del batch  # its memory may go while the next one is awaited
            if not self._running:
                return


def _item(sequence: Sequence, index: int) -> Any:
    return sequence[index]


def _next_of(generator: Iterator[Any], _: Any = None) -> Any:
    # StopIteration cannot travel through a future or out of another generator.
    try:
        return next(generator)
    except StopIteration:
        return _End(os.getpid())
