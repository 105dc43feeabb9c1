"""NVRTC by ctypes: compiles CUDA source for an architecture, without a GPU."""

from __future__ import annotations

import ctypes
import glob
import importlib.util
import re
from pathlib import Path
from typing import NamedTuple

_USE = re.compile(r"entry function '(\w+)'.*?(\d+) bytes spill loads.*?Used (\d+) registers", re.DOTALL)


class Use(NamedTuple):
    """What a thread of a kernel uses: registers, and bytes of memory in their place."""

    registers: int
    spilled: int


def find() -> str | None:
    """The path of the library: that of the wheels `nvidia-cuda-nvrtc-cu12` and `nvidia-cuda-nvrtc`; None without."""
    spec = importlib.util.find_spec("nvidia")
    for folder in list(spec.submodule_search_locations or []) if spec is not None else []:
        for pattern in ("cuda_nvrtc/lib/libnvrtc.so.1*", "cu13/lib/libnvrtc.so.1*"):
            found = sorted(p for p in glob.glob(str(Path(folder) / pattern)) if ".alt." not in p)
            if found:
                return found[0]
    return None


class NVRTC:
    """Compiles source.

    Args:
        path: of the library.
    """

    def __init__(self, path: str):
        self._library = ctypes.CDLL(path)

    def compile(self, source: str, architecture: str, options: tuple[str, ...] = ()) -> tuple[bytes, dict[str, Use]]:
        """Machine code for e.g. 'sm_90', and what each kernel uses.

        Raises:
            AssertionError: the source has errors; with the compiler's words.
        """
        lib, program, size = self._library, ctypes.c_void_p(), ctypes.c_size_t()
        assert lib.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kcore.cu", 0, None, None) == 0
        words = [f"--gpu-architecture={architecture}".encode(), b"--ptxas-options=-v", *(o.encode() for o in options)]
        status = lib.nvrtcCompileProgram(program, len(words), (ctypes.c_char_p * len(words))(*words))
        lib.nvrtcGetProgramLogSize(program, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        lib.nvrtcGetProgramLog(program, log)
        assert status == 0, f"{log.value.decode()}\n{source[-3000:]}"
        lib.nvrtcGetCUBINSize(program, ctypes.byref(size))
        code = ctypes.create_string_buffer(size.value)
        lib.nvrtcGetCUBIN(program, code)
        lib.nvrtcDestroyProgram(ctypes.byref(program))
        return code.raw, {name: Use(int(n), int(spilled)) for name, spilled, n in _USE.findall(log.value.decode())}
