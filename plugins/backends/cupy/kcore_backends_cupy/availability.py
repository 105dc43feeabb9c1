"""Whether a GPU can be used here, and if not, why and what to do."""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import os
import platform
import sys
from typing import Any

EMULATE = "KCORE_CUPY_EMULATE"
OLDEST = 14  # of CuPy
LIBRARIES = "KCORE_CUPY_LIBRARIES"


def emulating() -> bool:
    """Whether kernels shall run on the host (`kcore_backends_cupy.emulation`)."""
    return os.environ.get(EMULATE, "") not in ("", "0")


def checking() -> bool:
    """Whether each access of those kernels to memory shall be looked at."""
    return os.environ.get(EMULATE) == "check"


def separating() -> bool:
    """Whether each array shall have memory of its own, in which checks see accesses beyond its end: where accesses are
    looked at, and with `KCORE_CUPY_POOL=0`, for compute-sanitizer."""
    return checking() or os.environ.get("KCORE_CUPY_POOL") == "0"


def on_paper() -> bool:
    """Whether plans shall be bound and not run (`kcore_backends_cupy.emulation.paper`)."""
    return os.environ.get(EMULATE, "") == "paper"


def libraries_wanted() -> bool:
    """Whether NVIDIA's libraries may compute: `KCORE_CUPY_LIBRARIES=0` leaves everything to own kernels."""
    return os.environ.get(LIBRARIES, "1") != "0"


def driver_cuda() -> tuple[int, int] | None:
    """The newest CUDA version that the installed driver supports; None without a driver."""
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        library = ctypes.CDLL(name)
    except OSError:
        return None
    version = ctypes.c_int()
    if library.cuDriverGetVersion(ctypes.byref(version)):
        return None
    return version.value // 1000, version.value % 1000 // 10


def cupy_wheels() -> dict[str, str]:
    """Installed distributions of CuPy, with their versions."""
    names = ("cupy-cuda11x", "cupy-cuda12x", "cupy-cuda13x", "cupy")
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def problem(
    driver: tuple[int, int] | None, wheels: dict[str, str], importable: bool, devices: Any = None
) -> str | None:
    """Why a GPU cannot be used, with what to do; None if all is well.

    Args:
        driver: see `driver_cuda`.
        wheels: see `cupy_wheels`.
        importable: whether a module `cupy` is there.
        devices: counts the GPUs; asked last, since it starts CUDA.
    """
    if driver is None:
        return f"no NVIDIA driver was found (libcuda.so.1): {_how_to_get_a_driver()}. {_WITHOUT}"
    shown = f"{driver[0]}.{driver[1]}"
    extra = "cuda13" if driver[0] >= 13 else "cuda12"
    if driver[0] < 12:
        return f"the NVIDIA driver supports CUDA {shown}, and kcore needs 12 or later: update the driver"
    if not importable:
        return f'CuPy is not installed; the driver supports CUDA {shown}: pip install "kcore[{extra}]"'
    if len(wheels) > 1:
        return (
            f"several distributions of CuPy are installed ({', '.join(wheels)}), which break each other: "
            f'pip uninstall -y {" ".join(wheels)}, then pip install "kcore[{extra}]"'
        )
    if "cupy-cuda13x" in wheels and driver[0] < 13:
        return (
            f"cupy-cuda13x is installed, but the driver supports CUDA {shown} only: "
            'pip uninstall -y cupy-cuda13x, then pip install "kcore[cuda12]"; or update the driver'
        )
    for name, version in wheels.items():
        major = version.split(".")[0]
        if name == "cupy-cuda11x" or (major.isdigit() and int(major) < OLDEST):
            return (
                f"{name} {version} is too old, kcore needs CuPy {OLDEST} for CUDA 12 or later: "
                f'pip uninstall -y {name}, then pip install "kcore[{extra}]"'
            )
    try:
        count = devices() if devices is not None else 1
    except Exception as error:  # whatever the driver answers is what the user needs to read
        if "nvrtc" in str(error).lower():
            return (
                "CuPy finds no compiler for its kernels (NVRTC), which comes with CUDA's toolkit: "
                f'pip install "kcore[{extra}]" brings it ({type(error).__name__}: {str(error).splitlines()[0]})'
            )
        return f"CUDA does not start: {error}. `nvidia-smi` shows whether the driver works{_in_a_container()}"
    if not count:
        hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
        why = f" (CUDA_VISIBLE_DEVICES is {hidden!r})" if hidden is not None else _in_a_container()
        return f"the NVIDIA driver sees no GPU{why}. {_WITHOUT}"
    return None


_WITHOUT = "On a machine without a GPU use KCORE_BACKEND=numpy"


def _how_to_get_a_driver() -> str:
    if "microsoft" in platform.release().lower():
        return (
            "in WSL it comes from Windows: install NVIDIA's driver there, none in WSL, and see that "
            "LD_LIBRARY_PATH has /usr/lib/wsl/lib"
        )
    if _contained():
        return "the container has to be started with the GPU (docker run --gpus all), which brings the host's driver"
    return "install the driver of the GPU; in a container, pass the GPU through (docker run --gpus all)"


def _in_a_container() -> str:
    return "; was the container started with the GPU (docker run --gpus all)?" if _contained() else ""


def _contained() -> bool:
    return any(os.path.exists(path) for path in ("/.dockerenv", "/run/.containerenv"))


def here() -> str | None:
    """Why this machine's GPU cannot be used; None if it can."""
    if emulating():
        from kcore_backends_cupy.emulation.compiler import compiler

        return None if compiler() else f"{EMULATE} is set, and there is no g++ to compile kernels for the host"
    return problem(driver_cuda(), cupy_wheels(), importlib.util.find_spec("cupy") is not None, _count)


def _count() -> int:
    import cupy

    cupy.cuda.nvrtc.getVersion()  # loads the library, which is not part of CuPy
    return int(cupy.cuda.runtime.getDeviceCount())
