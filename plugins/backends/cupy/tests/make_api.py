"""Writes kcore_backends_cupy/emulation/api.json: the names that CuPy offers, and the keywords of its functions.

python make_api.py        # where CuPy is installed; a GPU is not needed
"""

from __future__ import annotations

import inspect
import json
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
        "ndarray": [n for n in dir(cupy.ndarray) if n[0] != "_"],
    }
    TARGET.write_text(json.dumps(data, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
