"""A small model, data for it, and what must hold after something went wrong while it was trained."""

from __future__ import annotations

import gc
import glob
import multiprocessing
import os
import signal
import threading
import time

import numpy as np

from kcore.callbacks import Callback, ModelCheckpoint
from kcore.data.sequence import Sequence as Batches
from kcore.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten
from kcore.models import Sequential, load_model

BEST = "best.h5"

rng = np.random.RandomState(0)
X = rng.rand(64, 8, 8, 2).astype("float32")
Y = np.eye(3, dtype="float32")[rng.randint(0, 3, 64)]


def make_model():
    np.random.seed(1)
    model = Sequential(
        [
            Conv2D(4, 3, activation="relu", input_shape=(8, 8, 2)),
            BatchNormalization(),
            Flatten(),
            Dropout(0.2),
            Dense(3, activation="softmax"),
        ]
    )
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model


class Data(Batches):
    """Sixteen batches; at the batch `bad` of a pass, `what` happens in whoever reads it."""

    def __init__(self, bad: int | None = None, what: str = "raise"):
        self.bad = bad
        self.what = what

    def __len__(self):
        return 16

    def __getitem__(self, index):
        if index == self.bad:
            if self.what == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise ValueError("batch is damaged")
        return X[4 * index : 4 * index + 4], Y[4 * index : 4 * index + 4]


class Interrupts(Callback):
    """Presses Ctrl-C in one method of a callback."""

    def __init__(self, hook: str):
        super().__init__()
        setattr(self, hook, lambda *args: os.kill(os.getpid(), signal.SIGINT))


class Presses(threading.Thread):
    """Presses Ctrl-C after some seconds, and again each second: Python loses what arrives in a weak reference's
    callback."""

    def __init__(self, seconds: float):
        super().__init__(daemon=True)
        self._seconds = seconds
        self._arrived = threading.Event()

    def run(self):
        time.sleep(self._seconds)
        while not self._arrived.is_set():
            os.kill(os.getpid(), signal.SIGINT)
            self._arrived.wait(1)

    def stop(self):
        self._arrived.set()
        self.join()


def checkpoint():
    return ModelCheckpoint(BEST, monitor="loss", save_best_only=True)


def check(model, best: bool = True) -> None:
    """The model is usable, its best checkpoint whole, and no thread, process or half-written file is left."""
    deadline = time.monotonic() + 5
    gc.collect()
    while workers() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert workers() == [], workers()
    assert multiprocessing.active_children() == []
    assert [f for f in glob.glob("*") + glob.glob(".*") if f != BEST] == []
    assert np.isfinite(model.predict(X)).all()
    loss = [model.evaluate(X, Y, verbose=0)[0]]
    loss += model.fit(X, Y, epochs=3, batch_size=16, verbose=0).history["loss"]
    model.fit_generator(Data(), epochs=1, verbose=0, workers=2)
    assert np.isfinite(loss).all(), loss
    if best:
        saved = load_model(BEST)
        assert np.isfinite(saved.predict(X)).all()
        assert np.isfinite(saved.fit(X, Y, verbose=0).history["loss"]).all()


def workers() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("kcore-data")]
