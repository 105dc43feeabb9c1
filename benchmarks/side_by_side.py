"""kcore and tf-keras in turns, each measurement in a process of its own; for the scripts of this folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable


def medians(command: Callable[[str, str], list[str]], keras_python: str, rounds: int) -> list[tuple[float, float]]:
    """For each figure that a worker prints, kcore's and tf-keras's median over the rounds.

    Args:
        command: makes the worker's command from a Python and a package, `kcore` or `tf_keras`. The last line that it
            prints is a list of figures in JSON.
        keras_python: Python of an environment with tensorflow-cpu and tf-keras.
        rounds: how often each package has its turn.
    """
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(_figures(command(sys.executable, "kcore")))
        theirs.append(_figures(command(keras_python, "tf_keras")))
    pairs = zip(zip(*ours, strict=True), zip(*theirs, strict=True), strict=True)
    return [(sorted(mine)[rounds // 2], sorted(other)[rounds // 2]) for mine, other in pairs]


def _figures(command: list[str]) -> list[float]:
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    figures: list[float] = json.loads(done.stdout.splitlines()[-1])
    return figures
