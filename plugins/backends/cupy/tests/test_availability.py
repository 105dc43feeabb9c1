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
        ((13, 0), {"cupy-cuda11x": "13.0"}, True, r"cupy-cuda11x 13.0 is too old, .*kcore\[cuda13\]"),
        ((12, 8), {"cupy-cuda12x": "13.6.0"}, True, r"cupy-cuda12x 13.6.0 is too old, kcore needs CuPy 14.*cuda12"),
        ((12, 8), {"cupy": "9.0"}, True, "pip uninstall -y cupy, then"),
    ],
)
def test_what_is_wrong(driver, wheels, importable, words):
    import re

    assert re.search(words, availability.problem(driver, wheels, importable) or "")


def test_a_wheel_for_an_older_cuda_runs_on_a_newer_driver():
    assert availability.problem((13, 1), GOOD, True, lambda: 1) is None


@pytest.mark.parametrize(
    ("release", "contained", "words"),
    [
        ("5.15.0-microsoft-standard-WSL2", False, "in WSL it comes from Windows.*none in WSL.*/usr/lib/wsl/lib"),
        ("6.1.0", True, r"the container has to be started with the GPU \(docker run --gpus all\)"),
        ("6.1.0", False, "install the driver of the GPU; in a container"),
    ],
)
def test_a_missing_driver_where_it_would_come_from(monkeypatch, release, contained, words):
    import re

    monkeypatch.setattr("platform.release", lambda: release)
    monkeypatch.setattr(availability, "_contained", lambda: contained)
    found = availability.problem(None, {}, False)
    assert re.search(words, found)
    assert found.endswith("use KCORE_BACKEND=numpy")


@pytest.mark.parametrize(("contained", "asked"), [(True, True), (False, False)])
def test_a_driver_without_a_gpu(monkeypatch, contained, asked):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(availability, "_contained", lambda: contained)
    found = availability.problem((13, 0), GOOD, True, lambda: 0)
    assert found.startswith("the NVIDIA driver sees no GPU")
    assert ("was the container started with the GPU" in found) is asked


def test_a_missing_compiler_for_kernels():
    def count():
        raise RuntimeError('Failure finding "libnvrtc.so.13 or libnvrtc.so.12": No such file')

    found = availability.problem((12, 9), GOOD, True, count)
    assert found.startswith("CuPy finds no compiler for its kernels (NVRTC)")
    assert 'pip install "kcore[cuda12]" brings it (RuntimeError: Failure finding' in found


class _Driver:
    """As much of libcuda as tells its version, or an error."""

    def __init__(self, version, status=0):
        self._version, self._status = version, status

    def cuDriverGetVersion(self, pointer):
        pointer._obj.value = self._version
        return self._status


@pytest.mark.parametrize(
    ("library", "found"),
    [(_Driver(12040), (12, 4)), (_Driver(13010), (13, 1)), (_Driver(0, 34), None), (OSError("no libcuda.so.1"), None)],
)
def test_the_version_of_the_driver(monkeypatch, library, found):
    """34 is what the stub of the toolkit answers."""

    def load(name):
        if isinstance(library, OSError):
            raise library
        return library

    monkeypatch.setattr(availability.ctypes, "CDLL", load)
    assert availability.driver_cuda() == found


def test_the_installed_distributions(monkeypatch):
    installed = {"cupy-cuda12x": "14.2.0", "cupy": "14.1.0"}

    def version(name):
        if name not in installed:
            raise availability.importlib.metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(availability.importlib.metadata, "version", version)
    assert availability.cupy_wheels() == installed


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
