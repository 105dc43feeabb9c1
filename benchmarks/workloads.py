"""Training and prediction of whole models, kcore beside tf-keras in one run.

    python benchmarks/workloads.py --keras-python PYTHON_WITH_TF_KERAS [--only cnn,lstm] [--rounds 3] [--write]

Every measurement has a process of its own; kcore's and tf-keras's take turns, so that whatever else the machine does
meets both, and the median of the rounds is shown, as ``kcore / tf-keras``. Data are random. ``--write`` keeps the
table in workloads.md.

Columns: building and compiling (s); the first epoch, compilation included (s); a training batch (ms); a batch of
predict (ms); predict_on_batch of one sample (ms); peak resident memory of the process (MB).
"""

from __future__ import annotations

import argparse
import importlib
import json
import pathlib
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from side_by_side import medians

FIGURES = ("build s", "first epoch s", "fit ms", "predict ms", "one sample ms", "peak MB")


def _onehot(*shape: int, classes: int) -> Any:
    return np.eye(classes, dtype="float32")[np.random.default_rng(1).integers(0, classes, shape)]


def _images(*shape: int) -> Any:
    return np.random.default_rng(0).random(shape, "float32")


def _tokens(*shape: int, words: int) -> Any:
    return np.random.default_rng(0).integers(0, words, shape)


# Each takes the Keras-compatible package and returns (model, x, y, batch size).


def mlp(k: Any) -> Any:
    """784-512-512-10."""
    layers = k.layers
    model = k.models.Sequential([layers.Dense(512, activation="relu", input_shape=(784,)), layers.Dropout(0.2)])
    model.add(layers.Dense(512, activation="relu"))
    model.add(layers.Dropout(0.2))
    model.add(layers.Dense(10, activation="softmax"))
    model.compile("rmsprop", "categorical_crossentropy", metrics=["accuracy"])
    return model, _images(12800, 784), _onehot(12800, classes=10), 128


def cnn(k: Any) -> Any:
    """Two 3x3 convolutions on 28x28 images."""
    layers = k.layers
    model = k.models.Sequential([layers.Conv2D(32, (3, 3), activation="relu", input_shape=(28, 28, 1))])
    for layer in (
        layers.Conv2D(64, (3, 3), activation="relu"), layers.MaxPooling2D((2, 2)), layers.Dropout(0.25),
        layers.Flatten(), layers.Dense(128, activation="relu"), layers.Dropout(0.5),
        layers.Dense(10, activation="softmax"),
    ):  # fmt: skip
        model.add(layer)
    model.compile("adadelta", "categorical_crossentropy", metrics=["accuracy"])
    return model, _images(1280, 28, 28, 1), _onehot(1280, classes=10), 128


def cnn_batch_norm(k: Any) -> Any:
    """Four 3x3 convolutions with batch normalization on 64x64 images."""
    layers = k.layers
    model = k.models.Sequential([layers.InputLayer((64, 64, 3))])
    for filters in (32, 64):
        for _ in range(2):
            model.add(layers.Conv2D(filters, (3, 3), padding="same"))
            model.add(layers.BatchNormalization())
            model.add(layers.Activation("relu"))
        model.add(layers.MaxPooling2D((2, 2)))
    model.add(layers.Flatten())
    model.add(layers.Dense(10, activation="softmax"))
    model.compile("sgd", "categorical_crossentropy")
    return model, _images(160, 64, 64, 3), _onehot(160, classes=10), 32


def lstm(k: Any) -> Any:
    """Embedding and LSTM(128) over 80 tokens."""
    layers = k.layers
    model = k.models.Sequential([layers.Embedding(20000, 128, input_length=80)])
    model.add(layers.LSTM(128, recurrent_activation="hard_sigmoid"))
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model, _tokens(640, 80, words=20000), _tokens(640, 1, words=2).astype("float32"), 32


def bidirectional(k: Any) -> Any:
    """Masked embedding, bidirectional GRU, softmax at every step."""
    layers = k.layers
    model = k.models.Sequential([layers.Embedding(5000, 64, mask_zero=True, input_length=60)])
    gru = layers.GRU(64, return_sequences=True, recurrent_activation="hard_sigmoid")
    model.add(layers.Bidirectional(gru))
    model.add(layers.TimeDistributed(layers.Dense(20, activation="softmax")))
    model.compile("rmsprop", "categorical_crossentropy")
    return model, _tokens(320, 60, words=5000), _onehot(320, 60, classes=20), 32


WORKLOADS: dict[str, Callable[[Any], Any]] = {f.__name__: f for f in (mlp, cnn, cnn_batch_norm, lstm, bidirectional)}


def _seconds(run: Callable[[], Any], repeats: int = 1) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


def measure(package: str, name: str) -> list[float]:
    """The figures of one workload."""
    k = importlib.import_module(package)
    for part in ("models", "layers"):
        importlib.import_module(f"{package}.{part}")
    made: list[Any] = []
    build = _seconds(lambda: made.extend(WORKLOADS[name](k)))
    model, x, y, size = made
    batches = len(x) / size
    fit = lambda: model.fit(x, y, batch_size=size, epochs=1, verbose=0)  # noqa: E731
    predict = lambda: model.predict(x, batch_size=size, verbose=0)  # noqa: E731
    one = lambda: model.predict_on_batch(x[:1])  # noqa: E731
    first = _seconds(fit)
    figures = [build, first, 1e3 / batches * _seconds(fit, 3)]
    for run, repeats, scale in ((predict, 3, 1e3 / batches), (one, 15, 1e3)):
        run()
        figures.append(scale * _seconds(run, repeats))
    return [*figures, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]


def row(name: str, keras_python: str, rounds: int) -> str:
    """The medians of both packages and how many times as much tf-keras takes."""

    def command(python: str, package: str) -> list[str]:
        return [python, __file__, "--worker", package, "--only", name]

    pairs = medians(command, keras_python, rounds)
    return f"| {name} | " + " | ".join(f"{a:.3g} / {b:.3g} ({b / a:.1f})" for a, b in pairs) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keras-python", help="Python of an environment with tensorflow-cpu and tf-keras")
    parser.add_argument("--only", default=",".join(WORKLOADS), help="names of workloads, separated by commas")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="keep the table in workloads.md")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(measure(options.worker, options.only)))
        return
    if not options.keras_python:
        parser.error("--keras-python is needed: the Python of an environment with tensorflow-cpu and tf-keras")
    lines = ["| workload | " + " | ".join(FIGURES) + " |", "|---" * (1 + len(FIGURES)) + "|"]
    print(*lines, sep="\n")
    for name in options.only.split(","):
        lines.append(row(name, options.keras_python, options.rounds))
        print(lines[-1], flush=True)
    if options.write:
        page = (
            "# Whole models beside tf-keras\n\n"
            f"`python benchmarks/workloads.py --keras-python ... --rounds {options.rounds} --write`\n\n"
            "`kcore / tf-keras`, and in brackets how many times as much tf-keras takes.\n\n" + "\n".join(lines) + "\n"
        )
        pathlib.Path(__file__).with_suffix(".md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
