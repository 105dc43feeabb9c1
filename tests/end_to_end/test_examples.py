"""The programs in examples/ run under `kcore run`, on data of the right shapes."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def write_digits(path):
    """A file like mnist.npz, of few pictures."""
    random = np.random.RandomState(0)
    arrays = {}
    for part, count in (("train", 300), ("test", 100)):
        digits = np.arange(count) % 10
        images = random.randint(0, 60, size=(count, 28, 28))
        images[np.arange(count), digits * 2] = 255  # a line, whose height tells the digit
        arrays |= {f"x_{part}": images.astype("uint8"), f"y_{part}": digits.astype("uint8")}
    np.savez(path, **arrays)


def test_mnist_mlp(tmp_path):
    write_digits(tmp_path / "mnist.npz")
    command = [sys.executable, "-m", "kcore", "run", str(EXAMPLES / "mnist_mlp.py"), "mnist.npz", "15"]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    name, _, accuracy = result.stdout.splitlines()[-1].partition(": ")
    assert name == "Test accuracy" and float(accuracy) > 0.9


def test_mnist_cnn(tmp_path):
    write_digits(tmp_path / "mnist.npz")
    command = [sys.executable, str(EXAMPLES / "mnist_cnn.py"), "mnist.npz"]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    lines = result.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["epoch 1", "epoch 2", "epoch 3"]
    assert float(lines[-1].rpartition(" ")[2].rstrip("%")) > 30  # of 10 classes, after 30 batches


def test_boston_housing(tmp_path):
    random = np.random.RandomState(0)
    x = random.rand(506, 13)
    (tmp_path / "datasets").mkdir()
    np.savez(tmp_path / "datasets" / "boston_housing.npz", x=x, y=x @ np.arange(13) + 5)
    command = [sys.executable, str(EXAMPLES / "boston_housing.py")]
    environment = {**os.environ, "KCORE_HOME": str(tmp_path)}
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path, env=environment)
    text = result.stdout.splitlines()[-1]
    assert text.startswith("mean absolute error on 102 test districts: ")
    assert float(text.split(": ")[1].split()[0]) < 2
