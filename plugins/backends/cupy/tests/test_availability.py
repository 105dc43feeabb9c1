"""Why a GPU cannot be used, in words that say what to do."""

from __future__ import annotations

import pytest

from kcore.errors import ExecutionError
from kcore_backends_cupy import CupyDevice, availability
from kcore_backends_cupy.emulation.compiler import compiler

GOOD = {"cupy-cuda12x": "14.2.0"}


@pytest.mark.parametrize(
    ("driver", "wheels", "importable", "words"),
    [
        (None, {}, False, "no NVIDIA driver was found.*KCORE_BACKEND=numpy"),
        ((11, 8), GOOD, True, "supports CUDA 11.8, and kcore needs 12"),
        ((12, 4), {}, False, r'CUDA 12.4: pip install "kcore\[cuda12\]"'),
        ((13, 0), {}, False, r'CUDA 13.0: pip install "kcore\[cuda13\]"'),
        ((12, 4), {"cupy-cuda13x": "14.2.0"}, True, r"driver supports CUDA 12.4 only.*kcore\[cuda12\]"),
        ((13, 0), {**GOOD, "cupy-cuda13x": "14.2.0"}, True, "several distributions of CuPy.*break each other"),
        ((13, 0), {"cupy-cuda11x": "13.0"}, True, "too old"),
    ],
)
def test_what_is_wrong(driver, wheels, importable, words):
    import re

    assert re.search(words, availability.problem(driver, wheels, importable) or "")


def test_no_gpu_is_visible(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "CUDA_VISIBLE_DEVICES is ''" in (availability.problem((13, 0), GOOD, True, lambda: 0) or "")


def test_cuda_does_not_start():
    def count():
        raise RuntimeError("cudaErrorInsufficientDriver")

    assert "cudaErrorInsufficientDriver" in (availability.problem((13, 0), GOOD, True, count) or "")


def test_all_is_well():
    assert availability.problem((13, 0), {"cupy-cuda13x": "14.2.0"}, True, lambda: 1) is None


def test_asking_for_a_gpu_that_is_not_there(monkeypatch):
    monkeypatch.setattr(availability, "driver_cuda", lambda: None)
    monkeypatch.delenv("KCORE_CUPY_EMULATE", raising=False)
    assert not CupyDevice.is_available()
    with pytest.raises(ExecutionError, match="'cupy' cannot run here: no NVIDIA driver"):
        CupyDevice()


@pytest.mark.skipif(compiler() is None, reason="there is no g++")
def test_the_number_of_the_gpu(monkeypatch):
    monkeypatch.setenv("KCORE_CUPY_EMULATE", "1")
    monkeypatch.setenv("KCORE_CUPY_DEVICE", "1")
    assert CupyDevice().number == 1
    monkeypatch.setenv("KCORE_CUPY_DEVICE", "7")
    with pytest.raises(ExecutionError, match="KCORE_CUPY_DEVICE must be the number of a GPU, 0 to 1 here; it is '7'"):
        CupyDevice()
