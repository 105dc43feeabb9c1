"""Sequences that worker processes can import."""

import os
import signal
import time

import numpy as np

from kcore.data.sequence import Sequence


class Counting(Sequence):
    """Batch i is (i, number of passes over)."""

    def __init__(self, length, delays=()):
        self.length = length
        self.delays = delays
        self.passes = 0

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        if self.delays:
            time.sleep(self.delays[index % len(self.delays)])
        return index, self.passes

    def on_epoch_end(self):
        self.passes += 1


class Plain(Sequence):
    """Without on_epoch_end."""

    def __init__(self, length):
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        return index


class Large(Sequence):
    """Batches of a megabyte, and small ones."""

    def __len__(self):
        return 6

    def __getitem__(self, index):
        x = np.full((512, 512), index, "float32")
        return {"x": x, "t": x.T, "odd": x[::2, ::3], "n": np.arange(index), "name": f"batch {index}"}, [x + 1]


class Drawing(Sequence):
    """Batches of random numbers."""

    def __len__(self):
        return 8

    def __getitem__(self, index):
        time.sleep(0.002 * (index % 3))
        return np.random.rand(3).tolist()


class Unpicklable(Exception):
    def __init__(self, a, b):
        super().__init__(f"{a} and {b}")
        self.lock = open(os.devnull)  # noqa: SIM115 - cannot be pickled


class Failing(Sequence):
    """Fails at one batch: raises, or dies."""

    def __init__(self, how, at=3):
        self.how = how
        self.at = at

    def __len__(self):
        return 10

    def __getitem__(self, index):
        if index == self.at:
            if self.how == "raise":
                raise KeyError("batch three is damaged")
            if self.how == "unpicklable":
                raise Unpicklable("one", "two")
            if self.how == "exit":
                os._exit(7)
            os.kill(os.getpid(), signal.SIGKILL)
        return index


class Slow(Plain):
    """Each batch takes a minute."""

    def __getitem__(self, index):
        time.sleep(60)
        return index
