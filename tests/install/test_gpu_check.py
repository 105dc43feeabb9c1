"""`make gpu-check` without a GPU: what it says, what it writes, and a rehearsal on the host."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "tools" / "gpu_check.py"


@pytest.fixture(scope="module")
def check():
    spec = importlib.util.spec_from_file_location("gpu_check", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    sys.modules["gpu_check"] = module  # its named tuples look for their module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["gpu_check"]


def _run(*words):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("KCORE_")}
    return subprocess.run([sys.executable, PROGRAM, *words], capture_output=True, text=True, env=environment)


def test_without_a_gpu_it_says_what_is_missing():
    from kcore_backends_cupy import CupyDevice

    if CupyDevice.explain() is None:
        pytest.skip("there is a GPU")
    done = _run()
    assert done.returncode == 2
    assert done.stderr.startswith("gpu-check needs a GPU: ")
    assert CupyDevice.explain() in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--only", "tests,spede"], "--only takes tests, sanitizer, recurrent, curve, speed; got spede"),
        (["--workloads", "mlp"], "--workloads takes mlp_small, .*got mlp"),
        (["--rehearse"], "--rehearse needs --target"),
    ],
)
def test_a_wrong_word_is_named(check, capsys, words, message):
    import re

    with pytest.raises(SystemExit):
        check.parse(words)
    assert re.search(message, capsys.readouterr().err)


def _curves(*losses):
    return {"data": "digits", "losses": losses, "accuracy": [0.9]}


def test_curves_are_compared_within_the_noise_of_seeds(check):
    numpy = _curves([2.0, 1.0], [2.1, 1.2])
    assert check.compare_curves(numpy, numpy).ok
    assert check.compare_curves(numpy, _curves([2.0, 1.2], [2.1, 1.3])).ok
    assert not check.compare_curves(numpy, _curves([2.0, 1.5], [2.1, 1.6])).ok  # learns less
    assert not check.compare_curves(numpy, _curves([2.2, 1.0], [2.1, 1.2])).ok  # the first epoch is another
    assert "1.5500 (1.1000)" in check.compare_curves(numpy, _curves([2.0, 1.5], [2.1, 1.6])).what


def test_what_fails_is_written_and_the_rest_runs(check, tmp_path, monkeypatch):
    target = tmp_path / "gpu.md"

    def broken(run):
        raise OSError("no space")
        yield

    monkeypatch.setattr(check.Run, "tests", broken)
    monkeypatch.setattr(check.Run, "curve", lambda run: iter([check.Check("losses", True, "2.3 (2.3)")]))
    assert check.main(["--rehearse", "--target", str(target), "--only", "tests,curve"]) == 1
    text = target.read_text()
    assert "| tests | FAILED | OSError: no space |" in text
    assert "| losses | passed | 2.3 (2.3) |" in text


def test_ratios_and_missing_peers(check, tmp_path, monkeypatch):
    args = check.parse(["--rehearse", "--target", str(tmp_path / "x.md"), "--torch-python", "/nowhere/python",
                        "--jax-python", "/nowhere/python", "--workloads", "mlp_small"])  # fmt: skip
    run = check.Run(args)

    def call(command, limit, backend="cupy", **variables):
        ms = 3 if variables else 2
        return check.Result(
            True, f'note\n{{"ms": {ms}, "expected_ms": 1.5, "framework": "kcore 1", "device": "cupy"}}\n', ""
        )

    monkeypatch.setattr(run, "call", call)
    (found,) = run.compare_speed()
    assert not found.ok
    assert "torch: not found in /nowhere/python: run with --install, or give --torch-python" in found.what
    run.write()
    assert (
        "| mlp_small | 1.500 | 2.000 | 3.000 | not installed | not installed | not installed | 1.50 |  |"
        in (tmp_path / "x.md").read_text()
    )


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++")
def test_a_rehearsal(tmp_path):
    """The commands that run on a GPU, on the host: tests, curve and a workload of every kind of input."""
    target = tmp_path / "gpu.md"
    words = ["--rehearse", "--target", str(target), "--only", "curve,speed", "--workloads", "mlp_small,lstm_text"]
    done = _run(*words, "--torch-python", "/nowhere/python", "--jax-python", "/nowhere/python")
    assert done.returncode == 1, done.stderr
    text = target.read_text()
    assert "| losses of the MNIST network | passed | digits, cupy (numpy): " in text
    assert "failed" not in text
    assert "torch: not found" in text
    for name in ("mlp_small", "lstm_text"):
        (line,) = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
        milliseconds = [float(cell) for cell in line.split("|")[2:4]]
        assert all(value > 0 for value in milliseconds)
