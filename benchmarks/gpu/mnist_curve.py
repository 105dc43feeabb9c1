"""Losses of the manual's MNIST network, epoch by epoch, for several seeds, on the device of KCORE_BACKEND.

    python mnist_curve.py [--data mnist.npz] [--samples N] [--epochs 3] [--seeds 1,2,3]

Without `--data` and without a copy in kcore's cache, the digits that come with kcore are used, enlarged to 28x28.
Prints a line of JSON: {"data", "device", "losses": one list a seed, "accuracy": on the test data, one a seed}.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from kcore import backend as K
from kcore import config
from kcore.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from kcore.models import Sequential


def load(path: str | None) -> tuple[str, tuple[Any, Any], tuple[Any, Any]]:
    """The name of the data, (x, y) for training, and (x, y) for testing."""
    cached = config.home() / "datasets" / "mnist.npz"
    file = Path(path).resolve() if path else cached if cached.exists() else None
    if file is not None:
        from kcore.datasets import mnist

        train, test = mnist.load_data(str(file))
        return "MNIST", *((x[..., None] / np.float32(255), y) for x, y in (train, test))
    from kcore.datasets import digits

    train, test = digits.load_data()
    return "digits", *((_enlarged(x), y) for x, y in (train, test))


def _enlarged(x: Any) -> Any:
    """8x8 pixels from 0 to 16 as 28x28 from 0 to 1."""
    big = np.kron(x, np.ones((1, 3, 3))).astype("float32") / 16
    return np.pad(big, ((0, 0), (2, 2), (2, 2)))[..., None]


def train(seed: int, data: tuple[Any, Any], test: tuple[Any, Any], epochs: int) -> tuple[list[float], float]:
    """The losses of each epoch and the accuracy on the test data."""
    np.random.seed(seed)
    K.clear_session()
    model = Sequential([
        Conv2D(32, (3, 3), activation="relu", input_shape=(28, 28, 1)), Conv2D(64, (3, 3), activation="relu"),
        MaxPooling2D((2, 2)), Dropout(0.25), Flatten(), Dense(128, activation="relu"), Dropout(0.5),
        Dense(10, activation="softmax"),
    ])  # fmt: skip
    model.compile("adadelta", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(*data, batch_size=128, epochs=epochs, verbose=0)
    return [float(v) for v in history.history["loss"]], float(model.evaluate(*test, verbose=0)[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="mnist.npz")
    parser.add_argument("--samples", type=int, help="train on so many only")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seeds", default="1,2,3")
    args = parser.parse_args()
    name, (x, y), test = load(args.data)
    found = [train(int(s), (x[: args.samples], y[: args.samples]), test, args.epochs) for s in args.seeds.split(",")]
    losses, accuracy = zip(*found)
    print(json.dumps({"data": name, "device": K.backend(), "losses": losses, "accuracy": accuracy}))


if __name__ == "__main__":
    main()
