"""Predicting with large applications, kcore beside tf-keras in one run.

    python benchmarks/inference.py --keras-python PYTHON_WITH_TF_KERAS [--rounds 5] [--write] [NAME ...]

Images of the application's usual size, random weights and data, batches of 32 and of 1, through `predict_on_batch`.
Three processes take turns, so that whatever else the machine does meets all of them: tf-keras, kcore, and kcore with
the plugin kcore-kernels-numba where that is installed; the best round counts. All have as many threads as there are
cores. ``--one-core`` gives them one thread and takes the CPU time of the process instead of the time that passes, which
a busy machine disturbs less. ``--write`` keeps the table in inference.md or inference_one_core.md.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import time
from typing import Any

import numpy as np

MODELS = {  # module, and side of the images
    "ResNet50": ("resnet50", 224),
    "MobileNet": ("mobilenet", 224),
    "VGG16": ("vgg16", 224),
    "Xception": ("xception", 299),
    "NASNetMobile": ("nasnet", 224),
}
BATCHES = (32, 1)
PLUGIN = "kcore-kernels-numba"


def worker(package: str) -> None:
    """Answer each line of standard input, a model and a batch size, with the seconds of a prediction."""
    clock = time.process_time if os.environ.get("KCORE_THREADS") == "1" else time.perf_counter
    models: dict[str, Any] = {}
    for line in sys.stdin:
        name, size = line.split()
        if name not in models:
            models.clear()
            module = importlib.import_module(f"{package}.applications.{MODELS[name][0]}")
            models[name] = getattr(module, name)(weights=None)
        side = MODELS[name][1]
        images = np.random.default_rng(0).random((int(size), side, side, 3), "float32")
        times = []
        for repeat in range(2 if int(size) > 1 else 11):  # the first may compile
            start = clock()
            models[name].predict_on_batch(images)
            if repeat:
                times.append(clock() - start)
        print(json.dumps(min(times)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(MODELS), help="applications; by default all")
    parser.add_argument("--one-core", action="store_true", help="one thread each, CPU time")
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
    if options.one_core:
        threads = ("KCORE_THREADS", "OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
        environment |= dict.fromkeys(threads, "1")
    contenders = {
        "tf-keras": (options.keras_python, "tf_keras", environment),
        "kcore": (sys.executable, "kcore", {**environment, "KCORE_PLUGINS_DISABLED": PLUGIN}),
    }
    if importlib.util.find_spec("kcore_kernels_numba"):
        contenders["with numba"] = (sys.executable, "kcore", environment)
    processes = {
        title: subprocess.Popen(
            [python, os.path.abspath(__file__), "--worker", package],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=variables,
        )
        for title, (python, package, variables) in contenders.items()
    }  # fmt: skip
    ours = [title for title in contenders if title != "tf-keras"]
    lines = ["| " + " | ".join(("model", "batch", *contenders, *(f"tf-keras / {title}" for title in ours))) + " |"]
    lines.append("|---" * (len(contenders) + len(ours) + 2) + "|")
    print(*lines, sep="\n")
    for name in options.names:
        for size in BATCHES:
            best = dict.fromkeys(contenders, float("inf"))
            for _ in range(options.rounds):
                for title, process in processes.items():
                    assert process.stdin is not None and process.stdout is not None
                    print(name, size, file=process.stdin, flush=True)
                    best[title] = min(best[title], json.loads(process.stdout.readline()))
            cells = [f"{1e3 * t:.3g} ms" for t in best.values()]
            cells += [f"{best['tf-keras'] / best[title]:.2f}" for title in ours]
            lines.append(f"| {name} | {size} | " + " | ".join(cells) + " |")
            print(lines[-1], flush=True)
    for process in processes.values():
        process.communicate("")
    if options.write:
        mode = " --one-core" if options.one_core else ""
        page = (
            "# Predicting beside tf-keras\n\n"
            f"`python benchmarks/inference.py --keras-python ... --rounds {options.rounds}{mode} --write`\n\n"
            f"float32, {'CPU time on one core, ' * options.one_core}the best round of each; the last columns tell how "
            "many times as fast as tf-keras kcore is.\n\n" + "\n".join(lines) + "\n"
        )
        target = pathlib.Path(__file__).with_name("inference_one_core.md" if options.one_core else "inference.md")
        target.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
