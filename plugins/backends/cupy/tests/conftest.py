"""The device on the host, and a compiler for the source of all kernels that a test has used."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kcore.graph import apply, placeholder
from kcore.runtime import devices
from kcore.runtime.function import Function
from kcore.runtime.numpy_device import NumpyDevice
from kcore_backends_cupy import CupyDevice, launch
from kcore_backends_cupy.compilation import OPTIONS
from kcore_backends_cupy.emulation.compiler import compiler
from kcore_backends_cupy.kernels import find_kernel
from kcore_backends_cupy.prelude import PRELUDE


def _load(name: str) -> Any:
    """A module that lies beside this one."""
    spec = importlib.util.spec_from_file_location(f"kcore_{name}", Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    return module


nvrtc = _load("nvrtc")

_ENTRY = r"(__global__ void (?:__launch_bounds__\(\d+\) )?)"
ARCHITECTURES = ("sm_80", "sm_90")
ADDED_BY_CUPY = "--device-as-default-execution-space"


@pytest.fixture
def emulated(monkeypatch: pytest.MonkeyPatch) -> CupyDevice:
    """The device, on the host."""
    if compiler() is None:
        pytest.skip("there is no g++")
    monkeypatch.setenv("KCORE_CUPY_EMULATE", os.environ.get("KCORE_CUPY_EMULATE", "1"))
    device = CupyDevice()
    monkeypatch.setattr(devices, "_current", device)
    return device


@pytest.fixture(scope="session")
def cases() -> Any:
    """Recurrent layers with random operands: `recurrent_cases.py`."""
    return _load("recurrent_cases")


@pytest.fixture(scope="session")
def build_fake(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Compiles the fake of a library that lies beside this file; returns the path of the library."""

    def build(source: str) -> str:
        if shutil.which("g++") is None:
            pytest.skip("there is no g++")
        target = tmp_path_factory.mktemp("fake") / Path(source).with_suffix(".so")
        command = ["g++", "-O1", "-Wall", "-Werror", "-std=c++17", "-shared", "-fPIC"]
        subprocess.run([*command, str(Path(__file__).with_name(source)), "-o", str(target)], check=True)
        return str(target)

    return build


@pytest.fixture
def sources(emulated: CupyDevice, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The source of every kernel that is compiled during the test, with the kernel's name."""
    found: dict[str, str] = {}
    compile_kernel = launch.compile_kernel

    def remember(cupy: Any, source: str, name: str) -> Any:
        found[source] = name
        return compile_kernel(cupy, source, name)

    find_kernel("add")  # imports all modules with kernels
    for name, module in list(sys.modules.items()):
        if name.startswith("kcore_backends_cupy") and hasattr(module, "compile_kernel"):
            monkeypatch.setattr(module, "compile_kernel", remember)
    return found


@pytest.fixture(scope="session")
def compile_for() -> Callable[..., Any]:
    """Compiles source for an architecture, by NVRTC."""
    path = nvrtc.find()
    if path is None:
        pytest.skip("NVRTC is not installed: pip install nvidia-cuda-nvrtc-cu12")
    return nvrtc.NVRTC(path).compile


@pytest.fixture
def check_sources(sources: dict[str, str], compile_for: Callable[..., Any]) -> Callable[[], None]:
    """Called at a test's end: all its kernels compile for each architecture, and have registers enough."""

    def check() -> None:
        assert sources
        # One program: the functions on numbers are compiled once. A kernel with types of its own has a namespace.
        apart = []
        for i, (source, name) in enumerate(sources.items()):
            renamed = re.sub(rf"{_ENTRY}{name}\(", rf"\g<1>{name}_{i}(", source)
            apart.append(f"namespace n{i} {{ {renamed} }}\n")
        for architecture in ARCHITECTURES:
            code, used = compile_for(PRELUDE + "".join(apart), architecture, (*OPTIONS, ADDED_BY_CUPY))
            assert len(code) > 500 and used
            assert not {name: use for name, use in used.items() if use.spilled}, "registers do not suffice"
            most = max(use.registers for use in used.values())
            assert most * launch.BLOCK <= 65536  # larger blocks have a bound, to which the compiler keeps

    return check


@pytest.fixture
def both(emulated: CupyDevice, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs an operation on this device, three times (by itself, captured, replayed), and on the NumPy device."""

    def run(name: str, *arrays: np.ndarray, **attrs: Any) -> tuple[Any, Any]:
        def values(times: int) -> Any:
            inputs = [placeholder(a.shape, a.dtype.name, "operand") for a in arrays]
            made = apply(name, *inputs, **attrs)
            function = Function(inputs, list(made) if isinstance(made, tuple) else [made])
            found = [function(list(arrays)) for _ in range(times)]
            for other in found[1:]:
                for a, b in zip(other, found[0], strict=True):
                    np.testing.assert_array_equal(a, b)
            return found[0] if isinstance(made, tuple) else found[0][0]

        ours = values(3)
        with monkeypatch.context() as patch:
            patch.setattr(devices, "_current", NumpyDevice())
            return ours, values(1)

    return run
