"""Workers that read batches ahead: threads, each of which may have a process of its own.

A thread that owns a process sends it a task, and sleeps until the reply is there or the process is gone.
So order, errors and waiting are the same for threads and processes, and a killed worker is noticed at once.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import pickle
import queue
import random
import shutil
import signal
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import numpy as np

from kcore.data.transfer import make_folder, pack, unpack
from kcore.errors import DataError, WorkerError

_JOIN_SECONDS = 5.0  # how long stop() waits for a thread that is inside the user's code

Task = tuple[int | None, Any]  # (seed, argument)


class Pool:
    """Threads that run calls in the order of submission.

    Args:
        size: number of threads.
        name: prefix of their names.

    They are daemons: one that hangs in the user's code does not keep the program from ending. They end with the pool,
    also where nobody came to call `stop`: an interrupt can arrive anywhere.
    """

    def __init__(self, size: int, name: str = "kcore-data") -> None:
        self._tasks: queue.SimpleQueue[Any] = queue.SimpleQueue()
        # The threads know the queue, not the pool, which otherwise would never be forgotten.
        self._threads = [
            threading.Thread(target=_serve_tasks, args=(self._tasks,), name=f"{name}-{i}", daemon=True)
            for i in range(size)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._tasks.put((future, function, args))
        return future

    def stop(self, timeout: float | None = None) -> None:
        """Let every thread end after its present call; wait for them, but not for ever."""
        self._tell_to_end()
        deadline = time.monotonic() + (_JOIN_SECONDS if timeout is None else timeout)
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))

    def _tell_to_end(self) -> None:
        for _ in self._threads:
            self._tasks.put(None)

    __del__ = _tell_to_end


def _serve_tasks(tasks: queue.SimpleQueue[Any]) -> None:
    """The life of a thread of a pool."""
    while (task := tasks.get()) is not None:
        future, function, args = task
        if not future.set_running_or_notify_cancel():
            continue
        try:
            future.set_result(function(*args))
        except BaseException as error:  # raised again where the result is asked for
            future.set_exception(error)
        del task, future, function, args  # a waiting thread must not keep the last batch alive


class ProcessWorkers:
    """Processes that run ``function(source, argument)`` for whichever thread calls.

    Args:
        function: a module-level function.
        source: its first argument; inherited where processes are forked, pickled where they are spawned.
        size: number of processes.
        seeds: for each process the seed of its random generators, or None to draw one.

    Raises:
        DataError: `source` cannot be sent to a process.
    """

    def __init__(
        self, function: Callable[[Any, Any], Any], source: Any, size: int, seeds: list[int | None] | None = None
    ) -> None:
        self._idle: queue.SimpleQueue[_Process] = queue.SimpleQueue()
        self._all: list[_Process] = []
        self._folder = ""
        try:
            self._folder = make_folder()
            for i in range(size):
                process = _Process(function, source, self._folder, seeds[i] if seeds else None)
                self._all.append(process)  # before it starts: an interrupt may come right after
                process.start()
                self._idle.put(process)
        except BaseException:
            self.terminate()
            self.close()
            raise

    def call(self, seed: int | None, argument: Any) -> Any:
        """Run the function on `argument` in an idle process and return what it returns."""
        process = self._idle.get()
        try:
            return process.call(seed, argument)
        finally:
            self._idle.put(process)

    def terminate(self) -> None:
        """End all processes, whatever they are doing; threads inside `call` get a `WorkerError`."""
        for process in self._all:
            process.terminate()

    def close(self) -> None:
        """Free what `terminate` left; called when no thread is inside `call` any more."""
        for process in self._all:
            process.close()
        self._all.clear()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __del__(self) -> None:
        self.terminate()
        self.close()


class _Process:
    """One worker process and the pipe to it."""

    def __init__(self, function: Callable[[Any, Any], Any], source: Any, folder: str, seed: int | None) -> None:
        context = multiprocessing.get_context()
        self._stopping = self._closed = False
        self._source_type = type(source).__name__
        self._connection, self._theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(self._theirs, function, source, folder, seed), name="kcore-data", daemon=True
        )

    def start(self) -> None:
        try:
            self._process.start()
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            raise DataError(
                f"use_multiprocessing=True: {self._source_type} cannot be sent to a worker process ({error}). "
                "Generators and objects with open files or lambdas cannot be pickled: use a kcore.utils.Sequence of "
                "plain data, use_multiprocessing=False, or the start method 'fork' where the system has it."
            ) from error
        finally:
            self._theirs.close()

    def call(self, seed: int | None, argument: Any) -> Any:
        try:
            self._connection.send((seed, argument))
            multiprocessing.connection.wait([self._connection, self._process.sentinel])
            if not self._connection.poll():
                raise EOFError
            kind, content = self._connection.recv()
        except (EOFError, OSError):
            raise self._death() from None
        if kind == "result":
            return unpack(content)
        raise _error_of(*content)

    def _death(self) -> WorkerError:
        if self._stopping:
            return WorkerError("the worker process was stopped")
        self._process.join(1)
        code = self._process.exitcode
        how = f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with exit status {code}"
        return WorkerError(
            f"a worker process {how} while it prepared a batch. If the system is short of memory, use fewer "
            "workers or a smaller max_queue_size.",
            exitcode=code,
        )

    def terminate(self) -> None:
        self._stopping = True
        if not self._closed and self._process.pid is not None:
            self._process.terminate()

    def close(self) -> None:
        if self._closed:
            return
        self._connection.close()
        self._theirs.close()
        if self._process.pid is not None:
            self._process.join(_JOIN_SECONDS)
            if self._process.is_alive():  # it ignores SIGTERM
                self._process.kill()
                self._process.join()
        self._closed = True
        self._process.close()


class RemoteTraceback(Exception):
    """The traceback of an exception in a worker process, as text: its cause, for people to read."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f'\n"""\n{self.text}"""'


def _serve(connection: Any, function: Any, source: Any, folder: str, seed: int | None) -> None:
    """The life of a worker process: until the pipe is closed, or the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends this process
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = _parent()
    _seed(seed)
    with contextlib.suppress(EOFError, OSError):
        while True:
            while not connection.poll(1.0):
                if os.getppid() != parent:
                    shutil.rmtree(folder, ignore_errors=True)
                    return
            task_seed, argument = connection.recv()
            connection.send(_reply(function, source, task_seed, argument, folder))


def _parent() -> int:
    """What `os.getppid` gives here while the program lives; it may be gone before this process gets to ask."""
    program = multiprocessing.parent_process()
    if program is None or program.pid is None or multiprocessing.get_start_method() == "forkserver":
        return os.getppid()
    return program.pid


def _reply(function: Any, source: Any, seed: int | None, argument: Any, folder: str) -> tuple[str, Any]:
    if seed is not None:
        _seed(seed)
    try:
        return "result", pack(function(source, argument), folder)
    except Exception as error:
        text = traceback.format_exc()
        try:
            pickled = pickle.dumps(error)
            pickle.loads(pickled)  # some exceptions can be written, but not read
        except Exception:
            pickled = None
        return "error", (pickled, f"{type(error).__name__}: {error}", text)


def _error_of(pickled: bytes | None, message: str, text: str) -> BaseException:
    error = WorkerError(message) if pickled is None else pickle.loads(pickled)
    error.__cause__ = RemoteTraceback(text)
    return error


def _seed(seed: int | None) -> None:
    """Seed the generators that user code draws from; forked processes would all draw the same numbers."""
    np.random.seed(seed)
    random.seed(seed)
