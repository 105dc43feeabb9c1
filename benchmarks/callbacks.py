"""What the progress bar and the usual callbacks cost, beside training without them, in one run.

    python benchmarks/callbacks.py

The model is the guide's 20-64-64-10 perceptron with batches of 32, whose batch takes about a tenth of a millisecond: a
cost per batch shows here as nowhere else. The bar is drawn on a pseudo-terminal. The three ways of training take turns,
epoch by epoch; the best epoch of each counts.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import time
from typing import Any, TextIO

import numpy as np

ROUNDS = 15


def make_model() -> Any:
    from kcore.layers import Dense, Dropout
    from kcore.models import Sequential
    from kcore.optimizers import SGD

    layers = [Dense(64, activation="relu", input_shape=(20,)), Dropout(0.5), Dense(64, activation="relu")]
    model = Sequential([*layers, Dropout(0.5), Dense(10, activation="softmax")])
    model.compile(SGD(momentum=0.9, nesterov=True), "categorical_crossentropy", metrics=["accuracy"])
    return model


def usual_callbacks(folder: str) -> list[Any]:
    from kcore import callbacks

    return [
        callbacks.EarlyStopping("loss", patience=1000),
        callbacks.ReduceLROnPlateau("loss", patience=1000),
        callbacks.LearningRateScheduler(lambda epoch: 0.01),
        callbacks.TerminateOnNaN(),
        callbacks.CSVLogger(os.path.join(folder, "log.csv")),
    ]


def terminal() -> TextIO:
    """A pseudo-terminal that somebody reads."""
    reader, writer = os.openpty()

    def read() -> None:
        with contextlib.suppress(OSError):  # the end of the terminal
            while os.read(reader, 1 << 16):
                pass

    threading.Thread(target=read, daemon=True).start()
    return os.fdopen(writer, "w")


def main() -> None:
    rng = np.random.RandomState(0)
    x, y = rng.rand(10000, 20).astype("float32"), np.eye(10, dtype="float32")[rng.randint(0, 10, 10000)]
    model, screen = make_model(), terminal()
    with tempfile.TemporaryDirectory() as folder:
        ways: dict[str, dict[str, Any]] = {
            "nothing": {"verbose": 0},
            "progress bar": {"verbose": 1},
            "progress bar and five callbacks": {"verbose": 1, "callbacks": usual_callbacks(folder)},
        }
        best = dict.fromkeys(ways, float("inf"))
        for _ in range(ROUNDS):
            for way, arguments in ways.items():
                start = time.perf_counter()
                with contextlib.redirect_stdout(screen):
                    model.fit(x, y, batch_size=32, epochs=1, **arguments)
                best[way] = min(best[way], time.perf_counter() - start)
    print("| with | an epoch of 313 batches | ratio |\n|---|---|---|")
    for way, seconds in best.items():
        print(f"| {way} | {seconds * 1e3:.1f} ms | {seconds / best['nothing']:.3f} |")


if __name__ == "__main__":
    main()
