"""Enqueuers over threads and processes: order, completeness, errors, and nothing left behind."""

import collections
import gc
import itertools
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from worker_sequences import Counting, Drawing, Failing, Large, Plain, Slow

from kcore.data import transfer
from kcore.data.enqueuer import GeneratorEnqueuer, OrderedEnqueuer
from kcore.data.sequence import Sequence
from kcore.data.workers import RemoteTraceback
from kcore.errors import DataError, WorkerError

WAYS = pytest.mark.parametrize(("workers", "processes"), [(0, False), (1, False), (4, False), (1, True), (4, True)])


def take(enqueuer, count):
    return list(itertools.islice(enqueuer.get(), count))


# -- sequences --------------------------------------------------------------------------------------------


@WAYS
def test_batches_come_in_order_pass_after_pass(workers, processes):
    sequence = Counting(5, delays=(0.01, 0, 0.005))
    with OrderedEnqueuer(sequence, use_multiprocessing=processes) as enqueuer:
        enqueuer.start(workers, max_queue_size=3)
        assert enqueuer.is_running()
        batches = take(enqueuer, 12)
    assert [i for i, _ in batches] == [0, 1, 2, 3, 4] * 2 + [0, 1]
    # what on_epoch_end changes reaches the workers
    assert [p for _, p in batches] == [0] * 5 + [1] * 5 + [2] * 2
    assert not enqueuer.is_running()


def test_ten_thousand_batches_through_four_workers():
    for processes in (False, True):
        with OrderedEnqueuer(Plain(5000), use_multiprocessing=processes, shuffle=True) as enqueuer:
            enqueuer.start(4, max_queue_size=16)
            batches = take(enqueuer, 10000)
        assert collections.Counter(batches) == dict.fromkeys(range(5000), 2)
        assert batches[:5000] != batches[5000:]
        assert batches[:5000] != sorted(batches[:5000])


def test_shuffling_follows_the_seed():
    orders = []
    for workers in (0, 2, 2):
        np.random.seed(4)
        with OrderedEnqueuer(Plain(20), shuffle=True) as enqueuer:
            enqueuer.start(workers)
            orders.append(take(enqueuer, 40))
    assert orders[0] == orders[1] == orders[2]


def test_processes_start_in_both_ways(start_method):
    with OrderedEnqueuer(Counting(3), use_multiprocessing=True) as enqueuer:
        enqueuer.start(2)
        assert take(enqueuer, 7) == [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1), (0, 2)]


@pytest.mark.parametrize("processes", [False, True])
def test_large_batches_arrive_whole_and_belong_to_the_caller(processes):
    with OrderedEnqueuer(Large(), use_multiprocessing=processes) as enqueuer:
        enqueuer.start(2)
        batches = take(enqueuer, 6)
    for i, (inputs, (y,)) in enumerate(batches):
        x = inputs["x"]
        assert (x == i).all() and (y == i + 1).all() and inputs["name"] == f"batch {i}"
        assert inputs["t"].shape == (512, 512) and inputs["odd"].shape == (256, 171)
        np.testing.assert_array_equal(inputs["n"], np.arange(i))
        x += 1  # writable


def test_large_batches_take_the_way_through_memory_or_else_the_pipe(tmp_path):
    x = np.arange(1 << 16, dtype="float64")
    message = transfer.pack({"x": x}, str(tmp_path))
    assert message[2] is not None and len(message[0]) < 1000
    back = transfer.unpack(message)["x"]
    assert list(tmp_path.iterdir()) == []  # the file's name is gone, its memory goes with the array
    np.testing.assert_array_equal(back, x)
    back += 1
    message = transfer.pack({"x": x}, str(tmp_path / "full disk"))
    assert message[2] is None
    np.testing.assert_array_equal(transfer.unpack(message)["x"], x)
    assert transfer.pack({"x": x[:10]}, str(tmp_path))[2] is None


def test_random_numbers_of_processes_differ_and_follow_the_seed():
    runs = []
    for workers in (2, 3):
        np.random.seed(9)
        with OrderedEnqueuer(Drawing(), use_multiprocessing=True) as enqueuer:
            enqueuer.start(workers)
            runs.append(take(enqueuer, 16))
    assert runs[0] == runs[1]
    assert len({tuple(b) for b in runs[0]}) == 16


def test_workers_read_ahead_but_not_more_than_asked():
    asked = []

    class Spy(Plain):
        def __getitem__(self, index):
            asked.append(index)
            return index

    with OrderedEnqueuer(Spy(100)) as enqueuer:
        enqueuer.start(workers=2, max_queue_size=4)
        batches = enqueuer.get()
        next(batches)
        deadline = time.monotonic() + 5
        while len(asked) < 5 and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(0.02)
        assert sorted(asked) == [0, 1, 2, 3, 4]


def test_a_batch_is_not_kept_alive():
    class Batch:
        alive = 0

        def __init__(self):
            Batch.alive += 1

        def __del__(self):
            Batch.alive -= 1

    class Objects(Plain):
        def __getitem__(self, index):
            return Batch()

    with OrderedEnqueuer(Objects(50)) as enqueuer:
        enqueuer.start(workers=1, max_queue_size=2)
        for _ in zip(range(20), enqueuer.get()):
            pass
        time.sleep(0.02)
        gc.collect()
        assert Batch.alive <= 4


def test_an_empty_sequence():
    with OrderedEnqueuer(Plain(0)) as enqueuer:
        enqueuer.start()
        with pytest.raises(DataError, match="Plain is empty"):
            next(enqueuer.get())


def test_a_running_enqueuer_is_not_started_again():
    with OrderedEnqueuer(Plain(3)) as enqueuer:
        enqueuer.start()
        with pytest.raises(RuntimeError, match="running already"):
            enqueuer.start()


def test_the_base_class_says_what_is_missing():
    with pytest.raises(NotImplementedError, match="__len__"):
        len(Sequence())
    with pytest.raises(NotImplementedError, match="__getitem__"):
        Sequence()[0]
    assert list(itertools.islice(Plain(3), 7)) == [0, 1, 2, 0, 1, 2, 0]


# -- errors -----------------------------------------------------------------------------------------------


@WAYS
def test_an_error_in_a_worker_reaches_the_caller(workers, processes):
    enqueuer = OrderedEnqueuer(Failing("raise"), use_multiprocessing=processes)
    enqueuer.start(workers)
    batches = enqueuer.get()
    assert [next(batches) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(KeyError, match="batch three is damaged") as error:
        next(batches)
    assert not enqueuer.is_running()
    if processes:
        assert isinstance(error.value.__cause__, RemoteTraceback)
        text = str(error.value.__cause__)
    else:
        text = "\n".join(str(entry) for entry in error.traceback)
    assert "worker_sequences.py" in text and "__getitem__" in text


def test_an_error_that_cannot_be_sent():
    enqueuer = OrderedEnqueuer(Failing("unpicklable"), use_multiprocessing=True)
    enqueuer.start(2)
    with pytest.raises(WorkerError, match="Unpicklable: one and two") as error:
        take(enqueuer, 10)
    assert "in __getitem__" in str(error.value.__cause__)


@pytest.mark.parametrize(("how", "message"), [("kill", "killed by signal 9"), ("exit", "exit status 7")])
def test_a_worker_that_dies(how, message):
    enqueuer = OrderedEnqueuer(Failing(how), use_multiprocessing=True)
    enqueuer.start(3)
    with pytest.raises(WorkerError, match=message):
        take(enqueuer, 10)
    assert not enqueuer.is_running()


def test_stopping_does_not_wait_for_hanging_processes():
    enqueuer = OrderedEnqueuer(Counting(100, delays=(0, 0, 60)), use_multiprocessing=True)
    enqueuer.start(2)
    take(enqueuer, 1)
    start = time.monotonic()
    enqueuer.stop()
    assert time.monotonic() - start < 5


def test_stopping_waits_for_threads_as_long_as_it_is_told():
    release = threading.Event()

    class Hanging(Plain):
        def __getitem__(self, index):
            if index:
                release.wait(30)
            return index

    enqueuer = OrderedEnqueuer(Hanging(5))
    enqueuer.start(2)
    take(enqueuer, 1)
    start = time.monotonic()
    enqueuer.stop(timeout=0.05)
    assert time.monotonic() - start < 5
    release.set()


def test_what_cannot_be_sent_to_a_process(start_method):
    class Local(Plain):
        """Not importable."""

    enqueuer = OrderedEnqueuer(Local(3), use_multiprocessing=True)
    if start_method == "fork":
        with enqueuer:
            enqueuer.start(1)
            assert take(enqueuer, 2) == [0, 1]
        return
    with pytest.raises(DataError, match="cannot be sent to a worker process"):
        enqueuer.start(1)
    enqueuer.stop()


# -- generators -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 1, 4])
def test_a_generator_in_order_to_its_end(workers):
    with GeneratorEnqueuer(iter(range(50))) as enqueuer:
        enqueuer.start(workers, max_queue_size=3)
        assert list(enqueuer.get()) == list(range(50))


def test_any_iterable_will_do():
    with GeneratorEnqueuer([1, 2, 3]) as enqueuer:
        enqueuer.start()
        assert list(enqueuer.get()) == [1, 2, 3]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_a_generator_that_fails(workers):
    def generator():
        yield 1
        raise OSError("disk gone")

    enqueuer = GeneratorEnqueuer(generator())
    enqueuer.start(workers)
    batches = enqueuer.get()
    assert next(batches) == 1
    with pytest.raises(OSError, match="disk gone") as error:
        next(batches)
    assert any(entry.name == "generator" for entry in error.traceback)
    assert not enqueuer.is_running()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="generators cannot be sent to spawned processes")
def test_a_generator_in_processes():
    def generator():
        for i in range(6):
            yield i, float(np.random.rand())

    with GeneratorEnqueuer(generator(), use_multiprocessing=True, seed=5) as enqueuer:
        enqueuer.start(2)
        batches = list(enqueuer.get())
    # each process has the whole generator, and its own random numbers
    assert collections.Counter(i for i, _ in batches) == dict.fromkeys(range(6), 2)
    assert len({r for _, r in batches}) == 12


def test_a_generator_cannot_be_spawned(start_method):
    if start_method == "fork":
        pytest.skip("forked processes inherit generators")
    with pytest.raises(DataError, match=r"use a kcore.utils.Sequence"):
        GeneratorEnqueuer((i for i in range(3)), use_multiprocessing=True).start(1)


# -- Ctrl-C -----------------------------------------------------------------------------------------------


@pytest.fixture
def interruptible():
    """Ctrl-C raises KeyboardInterrupt, also where the tests run as a shell's background job, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt_soon():
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    return timer


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_while_waiting_for_a_process():
    enqueuer = OrderedEnqueuer(Slow(5), use_multiprocessing=True)
    enqueuer.start(2)
    start = time.monotonic()
    interrupt_soon()
    with pytest.raises(KeyboardInterrupt):
        next(enqueuer.get())
    assert time.monotonic() - start < 10
    assert not enqueuer.is_running()


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_while_waiting_for_a_thread():
    release = threading.Event()

    def generator():
        release.wait(30)
        yield 1

    enqueuer = GeneratorEnqueuer(generator())
    enqueuer.start(1)
    interrupt_soon()
    threading.Timer(0.6, release.set).start()
    with pytest.raises(KeyboardInterrupt):
        next(enqueuer.get())
    assert not enqueuer.is_running()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_processes_end_with_a_parent_that_is_killed():
    program = f"""
import sys, time
sys.path[:0] = [{os.path.dirname(__file__)!r}]
from worker_sequences import Plain
from kcore.data.enqueuer import OrderedEnqueuer
import multiprocessing
enqueuer = OrderedEnqueuer(Plain(5), use_multiprocessing=True)
enqueuer.start(2)
next(enqueuer.get())
print(*[p.pid for p in multiprocessing.active_children()], flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    children = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(children) == 2
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while any(is_running(pid) for pid in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(is_running(pid) for pid in children)


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in ("Z", "X")
    except FileNotFoundError:
        return False
