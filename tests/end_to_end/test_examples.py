"""The programs in examples/ run under `kcore run`, on data of the right shapes."""

import subprocess
import sys
from pathlib import Path

import numpy as np

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def test_mnist_mlp(tmp_path):
    random = np.random.RandomState(0)
    arrays = {}
    for part, count in (("train", 300), ("test", 100)):
        digits = np.arange(count) % 10
        images = random.randint(0, 60, size=(count, 28, 28))
        images[np.arange(count), digits * 2] = 255  # a line, whose height tells the digit
        arrays |= {f"x_{part}": images.astype("uint8"), f"y_{part}": digits.astype("uint8")}
    np.savez(tmp_path / "mnist.npz", **arrays)
    command = [sys.executable, "-m", "kcore", "run", str(EXAMPLES / "mnist_mlp.py"), str(tmp_path / "mnist.npz"), "15"]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    name, _, accuracy = result.stdout.splitlines()[-1].partition(": ")
    assert name == "Test accuracy" and float(accuracy) > 0.9
