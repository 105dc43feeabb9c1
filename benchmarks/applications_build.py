"""Building and compiling large applications, kcore beside tf-keras in one run.

    python benchmarks/applications_build.py --keras-python PYTHON_WITH_TF_KERAS [--rounds 3] [NAME ...]

Every measurement has a process of its own, in which the layers are imported before the clock starts; the packages take
turns, and the median of the rounds is shown. tf-keras draws the random weights while it builds, kcore when they are
first read: so the second figure has them in both, as a program without a weight file meets it. The table is in
applications.md.
"""

from __future__ import annotations

import argparse
import importlib
import json
import time
from typing import Any

from side_by_side import medians

FIGURES = ("build and compile", "with the weights drawn")


def measure(package: str, name: str) -> list[float]:
    """Seconds until the model is compiled, and until its weights are there too."""
    applications: Any = importlib.import_module(f"{package}.applications")
    build = getattr(applications, name)
    importlib.import_module(f"{package}.optimizers")
    start = time.perf_counter()
    model = build(weights=None)
    model.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])
    compiled = time.perf_counter() - start
    model.get_weights()
    return [compiled, time.perf_counter() - start]


def row(name: str, keras_python: str, rounds: int) -> str:
    """The medians of both packages, and their ratio."""
    pairs = medians(lambda python, package: [python, __file__, "--worker", package, name], keras_python, rounds)
    return f"| {name} | " + " | ".join(f"{a:.2f} / {b:.2f} s ({a / b:.2f})" for a, b in pairs) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=["InceptionResNetV2", "NASNetLarge"])
    parser.add_argument("--keras-python", help="Python of an environment with tensorflow-cpu and tf-keras")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(measure(options.worker, *options.names)))
        return
    if not options.keras_python:
        parser.error("--keras-python is needed: the Python of an environment with tensorflow-cpu and tf-keras")
    print("| application | " + " | ".join(FIGURES) + " |", "|---" * (1 + len(FIGURES)) + "|", sep="\n")
    for name in options.names:
        print(row(name, options.keras_python, options.rounds), flush=True)


if __name__ == "__main__":
    main()
