"""CUDA source compiled by NVRTC, as CuPy has it, and kept on disk.

What CuPy compiles from source by itself (`RawModule(code=...)`) treats float32 numbers below 1.2e-38 as 0, in
comparisons too: it adds the option `-ftz=true`. float32 is float32 here, so the machine code is made with kcore's own
options, and CuPy loads it from a file.
"""

from __future__ import annotations

import functools
import hashlib
import os
import threading
from pathlib import Path
from typing import Any

from kcore import config

#: No contraction of products and sums to one instruction: values are those of the NumPy device, and kernels that
#: wait for memory lose nothing.
OPTIONS = ("--std=c++17", "--fmad=false")


def load(cupy: Any, code: str) -> Any:
    """The module of CUDA source, for the current device."""
    compiler = getattr(cupy.cuda, "compiler", None)
    if compiler is None:  # on the host
        return cupy.RawModule(code=code, options=OPTIONS)
    path = folder() / f"{key(cupy, code)}.cubin"
    if not path.exists():
        binary, _ = compiler.compile_using_nvrtc(code, OPTIONS, cache_in_memory=True)
        partial = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        partial.write_bytes(binary)
        os.replace(partial, path)
    return cupy.RawModule(path=str(path))


def key(cupy: Any, code: str) -> str:
    """What tells one compilation from all others: source and options, compiler, and the kind of GPU."""
    chosen = (cupy.__version__, cupy.cuda.nvrtc.getVersion(), cupy.cuda.Device().compute_capability)
    return hashlib.sha256(repr((code, OPTIONS, chosen)).encode()).hexdigest()[:40]


@functools.lru_cache(maxsize=1)
def folder() -> Path:
    """Where machine code is kept."""
    made = config.writable_home() / "kernels"
    made.mkdir(exist_ok=True)
    return made
