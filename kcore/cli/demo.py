"""`kcore demo`: the whole way of a model, on 1,797 real handwritten digits, in a few seconds.

Trains a small network, measures it on digits that it has not seen, draws what happened, saves the model, and
loads it in a new process, which must predict the same.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from kcore.plugins import registry

HELP = "train, draw, save and load a small network on handwritten digits"

#: Run by a new process: load the model, predict, save the predictions.
_LOAD_AND_PREDICT = """\
import sys
import numpy as np
from kcore.models import load_model
folder, images, predictions = sys.argv[1:]
np.save(predictions, load_model(folder + "/model.h5").predict(np.load(images)))
"""


class Digits(NamedTuple):
    """Pixels from 0 to 1, shape `(samples, 8, 8)`, and digits, shape `(samples,)`, of each part."""

    train: tuple[Any, Any]
    validation: tuple[Any, Any]
    test: tuple[Any, Any]


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--output", type=Path, default=Path("kcore-demo"), help="folder for the results (%(default)s)")
    parser.add_argument("--epochs", type=int, default=30, help="most passes over the data (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of all random numbers (%(default)s)")


def run(args: argparse.Namespace) -> int:
    """Runs the command; status 1 if the model does not survive being saved."""
    import numpy as np

    start = time.perf_counter()
    np.random.seed(args.seed)
    digits = load_digits()
    sizes = ", ".join(f"{len(part[0])} to {name}" for name, part in zip(("train", "validate", "test"), digits))
    print(f"Handwritten digits of 8x8 pixels: {sizes}\n")
    model = build()
    model.summary()
    history = train(model, digits, args.epochs)
    _, accuracy = model.evaluate(*digits.test, verbose=0)
    print(f"\ntest accuracy: {accuracy:.1%} of {len(digits.test[0])} digits that the network has not seen")

    args.output.mkdir(parents=True, exist_ok=True)
    predictions = model.predict(digits.test[0])
    draw(args.output / "digits.png", history.history, digits.test, predictions)
    model.save(args.output / "model.h5")
    print(f"saved: {args.output / 'model.h5'}")
    equal = survives(args.output, digits.test[0], predictions)
    print(f"{time.perf_counter() - start:.1f} seconds in all")
    return 0 if equal else 1


# --- the steps ----------------------------------------------------------------------------------------------


def load_digits() -> Digits:
    """The digits; those to train on also shifted by a pixel to each side, five of each in all."""
    import numpy as np

    digits = registry.get("datasets", "digits")

    (x, y), (x_test, y_test) = digits.load_data()
    x, x_test = (x / 16).astype("float32"), (x_test / 16).astype("float32")
    held_back = len(x) // 7
    x_train, y_train = x[held_back:], y[held_back:]
    padded = np.pad(x_train, ((0, 0), (1, 1), (1, 1)))
    shifted = [padded[:, row : row + 8, col : col + 8] for row, col in ((1, 1), (0, 1), (2, 1), (1, 0), (1, 2))]
    train = np.concatenate(shifted), np.tile(y_train, len(shifted))
    return Digits(train, (x[:held_back], y[:held_back]), (x_test, y_test))


def build() -> Any:
    """Two hidden layers with dropout."""
    from kcore.layers import Dense, Dropout, Flatten
    from kcore.models import Sequential

    model = Sequential()
    model.add(Flatten(input_shape=(8, 8)))
    model.add(Dense(256, activation="relu"))
    model.add(Dropout(0.3))
    model.add(Dense(128, activation="relu"))
    model.add(Dropout(0.3))
    model.add(Dense(10, activation="softmax"))
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def train(model: Any, digits: Digits, epochs: int) -> Any:
    """Trains until the validation loss no longer falls; returns the `History`."""
    from kcore.callbacks import EarlyStopping
    from kcore.runtime import blas

    stopping = EarlyStopping(monitor="val_loss", patience=4, verbose=1)
    x, y = digits.train
    # The products of this network are too small to share, and on a busy machine BLAS threads wait for one another.
    with blas.single_thread():
        return model.fit(x, y, batch_size=64, epochs=epochs, validation_data=digits.validation, callbacks=[stopping])


def survives(folder: Path, images: Any, predictions: Any) -> bool:
    """Whether a new process, which loads the saved model, predicts the same."""
    import tempfile

    import numpy as np

    with tempfile.TemporaryDirectory() as temporary:
        given, found = Path(temporary) / "images.npy", Path(temporary) / "predictions.npy"
        np.save(given, images)
        command = [sys.executable, "-c", _LOAD_AND_PREDICT, str(folder), str(given), str(found)]
        subprocess.run(command, check=True)
        equal = bool(np.array_equal(np.load(found), predictions))
    how = "equal to the last bit" if equal else "DIFFERENT"
    print(f"loaded in a new process: its predictions for {len(images)} digits are {how}")
    return equal


# --- the picture --------------------------------------------------------------------------------------------


def draw(path: Path, history: dict[str, list[float]], test: tuple[Any, Any], predictions: Any) -> None:
    """Draws the training curves and some digits of the test part, all wrong ones first if they are few."""
    if importlib.util.find_spec("matplotlib") is None:
        print("no picture: matplotlib is not installed (pip install matplotlib)")
        return
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6.5), layout="constrained")
    FigureCanvasAgg(figure)
    curves, pictures = figure.subfigures(1, 2, width_ratios=[1, 1.3], squeeze=False)[0]
    _draw_curves(curves, history)
    _draw_digits(pictures, *test, predictions)
    figure.savefig(path, dpi=100)
    print(f"drawn: {path}")


def _draw_curves(figure: Any, history: dict[str, list[float]]) -> None:
    epochs = range(1, len(history["loss"]) + 1)
    for axes, name, title in zip(figure.subplots(2, 1, sharex=True), ("loss", "acc"), ("loss", "accuracy")):
        axes.plot(epochs, history[name], label="training (with dropout)")
        axes.plot(epochs, history[f"val_{name}"], label="validation")
        axes.set_title(title)
        axes.grid(alpha=0.3)
        axes.legend()
    axes.set_xlabel("epoch")
    axes.locator_params(axis="x", integer=True)


def _draw_digits(figure: Any, images: Any, digits: Any, predictions: Any, rows: int = 4, columns: int = 7) -> None:
    import numpy as np

    answers = predictions.argmax(axis=-1)
    wrong = np.flatnonzero(answers != digits)
    right = np.flatnonzero(answers == digits)
    chosen = [*wrong[: rows * columns // 2], *right][: rows * columns]
    figure.suptitle(f"test digits and answers; {len(wrong)} of {len(digits)} wrong")
    for axes, i in zip(figure.subplots(rows, columns).flat, chosen):
        axes.imshow(images[i], cmap="gray_r", vmin=0, vmax=1)
        is_wrong = answers[i] != digits[i]
        text = f"{answers[i]}, not {digits[i]}" if is_wrong else f"{answers[i]} ({predictions[i].max():.0%})"
        axes.set_title(text, fontsize=9, color="tab:red" if is_wrong else "black")
        axes.set_axis_off()
