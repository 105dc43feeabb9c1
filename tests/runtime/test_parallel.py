"""The thread pool, and its arrangement with BLAS."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from kcore.errors import ConfigError
from kcore.runtime import blas, parallel


def test_every_block_runs_once_and_worker_numbers_are_exclusive() -> None:
    with parallel.limit_threads(3):
        busy = [threading.Lock() for _ in range(3)]
        seen: list[int] = []

        def body(worker: int, block: int) -> None:
            assert busy[worker].acquire(blocking=False), "two threads share a worker number"
            time.sleep(0.0002)
            seen.append(block)
            busy[worker].release()

        parallel.parallel_blocks(body, 40)
        assert sorted(seen) == list(range(40))


@pytest.mark.parametrize("n", [0, 1, 5, 6, 100])
def test_parallel_for_covers_the_range(n: int) -> None:
    with parallel.limit_threads(4):
        covered = np.zeros(n, int)

        def add(lo: int, hi: int) -> None:
            assert hi - lo >= min(n, 3)
            covered[lo:hi] += 1

        parallel.parallel_for(add, n, min_chunk=3)
        assert (covered == 1).all()


def test_small_work_stays_in_the_calling_thread() -> None:
    with parallel.limit_threads(4):
        threads = set()
        parallel.parallel_for(lambda lo, hi: threads.add(threading.get_ident()), 5, min_chunk=3)
        assert threads == {threading.get_ident()}


def test_nested_sections_run_in_their_own_thread() -> None:
    with parallel.limit_threads(2):

        def body(worker: int, block: int) -> None:
            assert parallel.thread_count() == 1
            inner = set()
            parallel.parallel_for(lambda lo, hi: inner.add(threading.get_ident()), 1000)
            assert inner == {threading.get_ident()}

        parallel.parallel_blocks(body, 4)
        assert parallel.thread_count() == 2


@pytest.mark.parametrize("failing", [0, 7])
def test_the_error_of_a_block_is_raised_and_the_pool_lives_on(failing: int) -> None:
    with parallel.limit_threads(2):

        def body(worker: int, block: int) -> None:
            if block == failing:
                raise ZeroDivisionError("block")

        with pytest.raises(ZeroDivisionError, match="block"):
            parallel.parallel_blocks(body, 8)
        done: list[int] = []
        parallel.parallel_blocks(lambda worker, block: done.append(block), 8)
        assert sorted(done) == list(range(8))


def test_numeric_warnings_are_silent_in_every_thread() -> None:
    both = threading.Barrier(2, timeout=60)

    def body(worker: int, block: int) -> None:
        both.wait()
        np.float32(np.inf) - np.float32(np.inf)

    with parallel.limit_threads(2), np.errstate(all="ignore"):
        parallel.parallel_blocks(body, 2)


def test_sections_of_several_threads_at_a_time() -> None:
    with parallel.limit_threads(2):
        totals = [0] * 4

        def call(index: int) -> None:
            for _ in range(50):
                part: list[int] = []
                parallel.parallel_blocks(lambda worker, block, part=part: part.append(block), 5)
                totals[index] += sum(part)

        callers = [threading.Thread(target=call, args=(i,)) for i in range(4)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join(30)
        assert totals == [500] * 4


def test_blas_has_one_thread_inside_a_section_and_its_own_number_again_after_it() -> None:
    before = blas.get_threads()
    if before is None:
        pytest.skip("this BLAS cannot be asked for its number of threads")
    with parallel.limit_threads(2):
        inside: list[int | None] = []
        parallel.parallel_blocks(lambda worker, block: inside.append(blas.get_threads()), 4)
        with pytest.raises(ValueError):
            parallel.parallel_blocks(lambda worker, block: np.zeros(2).reshape(3), 4)
    assert inside == [1] * 4
    assert blas.get_threads() == before


def _run(code: str, threads: str) -> subprocess.CompletedProcess[str]:
    import os

    env = {**os.environ, "KCORE_THREADS": threads}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=60)


def test_environment_variable() -> None:
    code = "from kcore.runtime import parallel; print(parallel.thread_count())"
    assert _run(code, "3").stdout.strip() == "3"
    assert _run(code, "1").stdout.strip() == "1"
    wrong = _run(code, "many")
    assert wrong.returncode != 0
    assert ConfigError.__name__ in wrong.stderr and "KCORE_THREADS" in wrong.stderr


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="needs fork")
def test_a_forked_child_has_a_pool_of_its_own() -> None:
    code = """
import os
from kcore.runtime import parallel
parallel.parallel_for(lambda lo, hi: None, 100)
child = os.fork()
if child == 0:
    done = []
    parallel.parallel_blocks(lambda worker, block: done.append(block), 10)
    os._exit(0 if sorted(done) == list(range(10)) else 1)
print(os.waitpid(child, 0)[1])
"""
    result = _run(code, "2")
    assert result.stdout.strip() == "0", result.stderr
