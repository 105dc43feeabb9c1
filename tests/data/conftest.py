"""Nothing may be left running after a test of workers."""

import multiprocessing
import os
import sys
import threading
import time

import pytest

# Spawned processes import what they are sent, so it must have a name that they can find.
sys.path.insert(0, os.path.dirname(__file__))


def shared_folders():
    folder, own = "/dev/shm", f"kcore-data-{os.getpid()}-"  # other processes use kcore too
    return {n for n in os.listdir(folder) if n.startswith(own)} if os.path.isdir(folder) else set()


@pytest.fixture(autouse=True)
def nothing_left():
    threads, folders = set(threading.enumerate()), shared_folders()
    yield
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        left = [t for t in set(threading.enumerate()) - threads if t.name.startswith("kcore-data")]
        if not left and not multiprocessing.active_children():
            break
        time.sleep(0.01)
    assert left == []
    assert multiprocessing.active_children() == []
    assert shared_folders() <= folders


@pytest.fixture(params=["fork", "spawn"])
def start_method(request):
    """Each way of starting processes."""
    before = multiprocessing.get_start_method()
    multiprocessing.set_start_method(request.param, force=True)
    yield request.param
    multiprocessing.set_start_method(before, force=True)
