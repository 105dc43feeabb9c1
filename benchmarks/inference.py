"""Predicting with ResNet50 and MobileNet, kcore beside tf-keras in one run.

    python benchmarks/inference.py --keras-python PYTHON_WITH_TF_KERAS [--rounds 5] [--write]

Images of 224x224, random weights and data, batches of 32 and of 1, through `predict_on_batch`. Two processes, one for
each package, take turns, so that whatever else the machine does meets both; the best round counts. Both have as many
threads as there are cores. ``--write`` keeps the table in inference.md.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pathlib
import subprocess
import sys
import time
from typing import Any

import numpy as np

MODELS = {"ResNet50": "resnet50", "MobileNet": "mobilenet"}
BATCHES = (32, 1)


def worker(package: str) -> None:
    """Answer each line of standard input, a model and a batch size, with the seconds of a prediction."""
    models: dict[str, Any] = {}
    for line in sys.stdin:
        name, size = line.split()
        if name not in models:
            models.clear()
            module = importlib.import_module(f"{package}.applications.{MODELS[name]}")
            models[name] = getattr(module, name)(weights=None)
        images = np.random.default_rng(0).random((int(size), 224, 224, 3), "float32")
        times = []
        for repeat in range(2 if int(size) > 1 else 11):  # the first may compile
            start = time.perf_counter()
            models[name].predict_on_batch(images)
            if repeat:
                times.append(time.perf_counter() - start)
        print(json.dumps(min(times)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keras-python", help="Python of an environment with tensorflow-cpu and tf-keras")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="keep the table in inference.md")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker)
        return
    if not options.keras_python:
        parser.error("--keras-python is needed: the Python of an environment with tensorflow-cpu and tf-keras")
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    processes = [
        subprocess.Popen(
            [python, os.path.abspath(__file__), "--worker", package],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment,
        )
        for python, package in ((sys.executable, "kcore"), (options.keras_python, "tf_keras"))
    ]  # fmt: skip
    lines = ["| model | batch | kcore | tf-keras | times as fast |", "|---|---|---|---|---|"]
    print(*lines, sep="\n")
    for name in MODELS:
        for size in BATCHES:
            best = [float("inf")] * 2
            for _ in range(options.rounds):
                for i, process in enumerate(processes):
                    assert process.stdin is not None and process.stdout is not None
                    print(name, size, file=process.stdin, flush=True)
                    best[i] = min(best[i], json.loads(process.stdout.readline()))
            ours, theirs = (f"{1e3 * t:.3g} ms ({size / t:.3g} images/s)" for t in best)
            lines.append(f"| {name} | {size} | {ours} | {theirs} | {best[1] / best[0]:.2f} |")
            print(lines[-1], flush=True)
    for process in processes:
        process.communicate("")
    if options.write:
        page = (
            "# Predicting beside tf-keras\n\n"
            f"`python benchmarks/inference.py --keras-python ... --rounds {options.rounds} --write`\n\n"
            "224x224, float32, the best round of each.\n\n" + "\n".join(lines) + "\n"
        )
        pathlib.Path(__file__).with_suffix(".md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
