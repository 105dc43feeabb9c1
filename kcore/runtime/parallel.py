"""Work over threads: one small pool for the process, and BLAS kept to one thread while the pool works.

NumPy releases the GIL inside its loops and products, so Python threads are enough to use every core. Two levels of
threads fight: when kcore's threads run products, OpenBLAS must not start its own (and its workers spin for a while
after each product). So a parallel section sets BLAS to one thread and puts the old number back when it ends.

``KCORE_THREADS`` sets the number of threads, BLAS's too (default: the cores this process may use); 1 switches the pool
off. How a sum is cut follows from that number and from the shapes, never from which thread is free: with equal numbers
of threads, equal programs give equal bits; with 1, on any number of cores.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from kcore.errors import ConfigError
from kcore.runtime import blas

_local = threading.local()


def _threads_from_environment() -> int:
    text = os.environ.get("KCORE_THREADS", "").strip()
    if not text:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not text.isdigit() or int(text) < 1:
        raise ConfigError(f"KCORE_THREADS must be a whole number of at least 1, got {text!r}.")
    return int(text)


def limit_blas() -> None:
    """Keep BLAS to the number of threads that ``KCORE_THREADS`` gives, if it gives one."""
    if os.environ.get("KCORE_THREADS", "").strip():
        blas.set_threads(_threads_from_environment())


class _Job:
    """One parallel section: blocks 0..n-1 handed out one at a time to whichever thread is free."""

    def __init__(self, body: Callable[[int, int], Any], blocks: int) -> None:
        self.body = body
        self.blocks = blocks
        self.next_block = 0
        self.error: BaseException | None = None
        self.lock = threading.Lock()
        self.helping = 0
        self.idle = threading.Lock()  # held by the caller's wait for the last helper
        self.closed = False

    def work(self, worker: int) -> None:
        """Take blocks until none is left; the first failure empties the queue."""
        try:
            while True:
                with self.lock:
                    block = self.next_block
                    if block >= self.blocks:
                        return
                    self.next_block = block + 1
                self.body(worker, block)
        except BaseException as error:  # raised again by finish(), in the caller's thread
            with self.lock:
                self.next_block = self.blocks
                self.error = self.error or error

    def help(self, worker: int) -> None:
        """Work on the job unless its caller has finished it already: he waits only for helpers that began."""
        with self.lock:
            if self.closed:
                return
            self.helping += 1
        self.work(worker)
        with self.lock:
            self.helping -= 1
            if self.closed and self.helping == 0:
                self.idle.release()

    def finish(self) -> None:
        """Wait for the helpers that began; raise what a block raised."""
        with self.lock:
            self.closed = True
            must_wait = self.helping > 0
            if must_wait:
                self.idle.acquire()
        if must_wait:
            self.idle.acquire()
        if self.error is not None:
            raise self.error


class _Pool:
    """``size - 1`` daemon threads that wait for jobs; the caller of a job is its worker 0."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.jobs: queue.SimpleQueue[tuple[_Job, int] | None] = queue.SimpleQueue()
        for index in range(1, size):
            threading.Thread(target=self._serve, name=f"kcore-{index}", daemon=True).start()

    def _serve(self) -> None:
        _local.inside = True
        with np.errstate(all="ignore"):  # each thread has its own; see NumpyDevice.errstate
            while (ticket := self.jobs.get()) is not None:
                job, worker = ticket
                job.help(worker)
                del ticket, job  # a waiting thread must not keep the job's arrays alive

    def run(self, body: Callable[[int, int], Any], blocks: int, workers: int) -> None:
        job = _Job(body, blocks)
        with blas.single_thread():
            for worker in range(1, workers):
                self.jobs.put((job, worker))
            _local.inside = True
            try:
                job.work(0)
            finally:
                _local.inside = False
                job.finish()

    def stop(self) -> None:
        """End the threads once they are free."""
        for _ in range(1, self.size):
            self.jobs.put(None)


_pool: _Pool | None = None
_pool_lock = threading.Lock()


def _get_pool() -> _Pool:
    global _pool
    if _pool is None:
        with _pool_lock:
            if _pool is None:
                _pool = _Pool(_threads_from_environment())
    return _pool


def _forget_pool() -> None:
    """After a fork only the forking thread lives on: the child makes a pool of its own at first need."""
    global _pool, _pool_lock
    _pool, _pool_lock = None, threading.Lock()
    _local.inside = False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def thread_count() -> int:
    """Number of threads a parallel section started here may use: 1 inside another section."""
    return 1 if getattr(_local, "inside", False) else _get_pool().size


@contextlib.contextmanager
def limit_threads(count: int) -> Iterator[None]:
    """Run the block's parallel sections on ``count`` threads: for tests and measurements."""
    global _pool
    if count < 1:
        raise ValueError(f"limit_threads expects a count of at least 1, got {count}.")
    old, _pool = _get_pool(), _Pool(count)
    try:
        yield
    finally:
        _pool.stop()
        _pool = old


def parallel_blocks(body: Callable[[int, int], Any], blocks: int, most: int | None = None) -> None:
    """Call ``body(worker, block)`` once for every block in ``range(blocks)``, over the threads.

    Blocks are handed out one at a time, so uneven ones balance. ``worker`` is never used by two threads at once: it
    indexes scratch memory, of which there is enough for ``most`` workers (by default ``thread_count()``, now). An
    exception in a block is raised here.
    """
    workers = min(thread_count(), blocks, thread_count() if most is None else most)
    if workers <= 1:
        with blas.single_thread():
            for block in range(blocks):
                body(0, block)
        return
    _get_pool().run(body, blocks, workers)


def parallel_for(fn: Callable[[int, int], Any], n: int, min_chunk: int = 1) -> None:
    """Call ``fn(lo, hi)`` on ranges that together cover ``range(n)``, over the threads.

    Each thread gets about the same share and at least ``min_chunk``; one thread (no thread is woken) when ``n`` is
    smaller than two chunks.
    """
    workers = min(thread_count(), n // max(min_chunk, 1))
    if workers <= 1:
        if n > 0:
            fn(0, n)
        return
    bounds = [n * part // workers for part in range(workers + 1)]
    _get_pool().run(lambda _, part: fn(bounds[part], bounds[part + 1]), workers, workers)
