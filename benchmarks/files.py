"""Loading and saving ResNet50 (98 MB), beside h5py's bare reading and writing of the same arrays, and tf-keras.

    python benchmarks/files.py [--keras-python PYTHON_WITH_TF_KERAS] [--rounds 5] [--write]

What is measured takes turns within a process, and the two processes follow each other; the median of the rounds is
shown. Files are in the system's cache. Bare reading opens the file and makes an array of each data set; bare writing
makes a file of the same arrays. ``--write`` keeps the table in files.md.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import h5py

ROWS = (
    "bare reading",
    "load_weights, new model",
    "load_weights, same model",
    "load_model, without optimizer",
    "bare writing",
    "save_weights",
    "save, without optimizer",
)


def bare_reading(path: str) -> list[Any]:
    """Every data set as an array."""
    arrays: list[Any] = []
    with h5py.File(path, "r") as file:
        file.visititems(lambda _, item: arrays.append(item[()]) if isinstance(item, h5py.Dataset) else None)
    return arrays


def bare_writing(path: str, arrays: list[Any]) -> None:
    """Every array as a data set."""
    with h5py.File(path, "w") as file:
        for number, array in enumerate(arrays):
            file[f"layer_{number}/weight"] = array


def measure(package: str, rounds: int) -> dict[str, float]:
    """Milliseconds of each row."""
    keras = importlib.import_module(package)
    for part in ("models", "backend", "applications"):
        importlib.import_module(f"{package}.{part}")
    resnet50 = importlib.import_module(f"{package}.applications.resnet50").ResNet50
    times: dict[str, list[float]] = {row: [] for row in ROWS}

    def timed(row: str, run: Callable[..., Any], *arguments: Any, **options: Any) -> None:
        start = time.perf_counter()
        kept = run(*arguments, **options)
        times[row].append(1e3 * (time.perf_counter() - start))
        del kept

    with tempfile.TemporaryDirectory() as folder:
        weights, whole, bare = (os.path.join(folder, name) for name in ("weights.h5", "model.h5", "bare.h5"))
        model = resnet50(weights=None)
        model.save_weights(weights)
        model.save(whole, include_optimizer=False)
        arrays = bare_reading(weights)
        for _ in range(rounds + 1):
            timed("bare reading", bare_reading, weights)
            keras.backend.clear_session()
            model = resnet50(weights=None)
            timed("load_weights, new model", model.load_weights, weights)
            timed("load_weights, same model", model.load_weights, weights)
            timed("load_model, without optimizer", keras.models.load_model, whole, compile=False)
            timed("bare writing", bare_writing, bare, arrays)
            timed("save_weights", model.save_weights, weights)
            timed("save, without optimizer", model.save, whole, include_optimizer=False)
    return {row: sorted(found[1:])[rounds // 2] for row, found in times.items()}  # the first round warms up


def table(ours: dict[str, float], theirs: dict[str, float] | None) -> list[str]:
    """The figures as Markdown."""
    lines = ["| ResNet50, 98 MB | kcore, ms | beside bare h5py | tf-keras, ms |", "|---|---|---|---|"]
    for row in ROWS:
        bare = ours["bare writing" if "sav" in row or "writing" in row else "bare reading"]
        other = f"{theirs[row]:.0f}" if theirs else ""
        lines.append(f"| {row} | {ours[row]:.0f} | {ours[row] / bare:.2f} | {other} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keras-python", help="the Python of an environment with tf-keras and tensorflow")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="keep the table in files.md")
    parser.add_argument("--measure", metavar="PACKAGE", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure, arguments.rounds)))
        return
    theirs = None
    if arguments.keras_python:
        command = [arguments.keras_python, __file__, "--measure", "tf_keras", "--rounds", str(arguments.rounds)]
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        out = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
        theirs = json.loads(out.stdout.splitlines()[-1])
    command = [sys.executable, __file__, "--measure", "kcore", "--rounds", str(arguments.rounds)]
    out = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    lines = table(json.loads(out.stdout.splitlines()[-1]), theirs)
    print("\n".join(lines))
    if arguments.write:
        path = pathlib.Path(__file__).with_suffix(".md")
        text = path.read_text() if path.exists() else ""
        head = text.partition("| ResNet50")[0]
        path.write_text(head + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
