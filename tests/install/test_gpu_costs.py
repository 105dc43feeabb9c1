"""The command that counts what a training step costs on a GPU, without one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = Path(__file__).resolve().parents[2] / "benchmarks" / "gpu" / "costs.py"


@pytest.mark.parametrize("more", [[], ["--summary"]])
def test_every_launch_of_a_step(more: list[str]) -> None:
    environment = {**os.environ, "KCORE_BACKEND": "cupy", "KCORE_CUPY_EMULATE": "paper"}
    words = [sys.executable, str(COMMAND), "cnn_mnist", *more]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert "conv_kernel_grad" in done.stdout and "ms expected" in done.stdout.splitlines()[-1]
