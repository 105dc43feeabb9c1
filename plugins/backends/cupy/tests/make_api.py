"""Writes kcore_backends_cupy/emulation/api.json: the names that CuPy offers, and the parameters of its functions.

python make_api.py        # where CuPy is installed; a GPU is not needed
"""

from __future__ import annotations

import inspect
import json
import operator
import re
from pathlib import Path

import cupy

TARGET = Path(__file__).resolve().parents[1] / "kcore_backends_cupy" / "emulation" / "api.json"


def keywords(function: object) -> list[str] | None:
    """Parameter names; None where they cannot be told (compiled functions without a signature)."""
    if isinstance(function, cupy.ufunc):
        return ["out", "where", "casting", "dtype"]
    try:
        return list(inspect.signature(function).parameters)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def from_docstring(function: object) -> list[str]:
    """Parameter names as the first line of a compiled function's docstring has them, with types."""
    line = (function.__doc__ or "").strip().splitlines()[0]
    inside = re.fullmatch(r"[\w.]+\((.*)\).*", line)
    assert inside is not None, line
    names = [p.split("=")[0].split()[-1].lstrip("*") for p in inside[1].split(", ") if p not in ("", "*", "/")]
    return [n for n in names if n != "self"]


#: What of CuPy the plugin's own code calls beside functions on arrays.
CALLED = ("RawModule", "RawModule.get_function", "ndarray.get", "ndarray.set", "get_default_memory_pool", "cuda.Stream",
          "cuda.Stream.begin_capture", "cuda.Stream.end_capture", "cuda.Stream.wait_event", "cuda.Stream.record",
          "cuda.Stream.synchronize", "cuda.Stream.is_capturing", "cuda.Event", "cuda.Event.record",
          "cuda.Event.synchronize", "cuda.Graph.launch", "cuda.Graph.upload", "cuda.Device", "cuda.Device.use",
          "cuda.Device.synchronize", "cuda.get_current_stream", "cuda.alloc_pinned_memory", "cuda.set_allocator",
          "cuda.runtime.memcpyPeerAsync", "cuda.runtime.memGetInfo", "cuda.runtime.getDeviceCount",
          "cuda.runtime.runtimeGetVersion", "cuda.runtime.deviceCanAccessPeer",
          "cuda.runtime.deviceEnablePeerAccess", "cuda.compiler.compile_using_nvrtc",
          "cuda.nvrtc.getVersion")  # fmt: skip


def parameters(name: str) -> list[str]:
    """Parameter names, without `self`, of something in CuPy."""
    found = operator.attrgetter(name)(cupy)
    known = keywords(found)
    return [p for p in known if p != "self"] if known not in (None, ["args", "kwargs"]) else from_docstring(found)


def main() -> None:
    functions = {n: keywords(getattr(cupy, n)) for n in sorted(dir(cupy)) if callable(getattr(cupy, n)) and n[0] != "_"}
    linalg = {n: keywords(getattr(cupy.linalg, n)) for n in sorted(dir(cupy.linalg)) if n[0] != "_"}
    ufuncs = [n for n in functions if isinstance(getattr(cupy, n), cupy.ufunc)]
    data = {
        "cupy": cupy.__version__,
        "functions": functions,
        "linalg": linalg,
        "ufuncs": ufuncs,
        "ufunc_methods": [n for n in dir(cupy.ufunc) if n[0] != "_"],
        "called": {name: parameters(name) for name in CALLED},
        "ndarray": [n for n in dir(cupy.ndarray) if n[0] != "_"],
    }
    TARGET.write_text(json.dumps(data, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
