"""Compares what kcore knows of cuBLASLt with NVIDIA's headers, and prints what holds.

python make_cublaslt.py INCLUDE...      # folders with headers, from NVIDIA's wheels; needs g++, no GPU

They are in nvidia-cublas, nvidia-cuda-runtime, nvidia-cuda-crt and nvidia-cuda-cccl for CUDA 13; in nvidia-cublas-cu12,
nvidia-cuda-runtime-cu12, nvidia-cuda-nvcc-cu12 and nvidia-cuda-cccl-cu12 for CUDA 12.

Values of constants, the size and members of the structures, and the declarations of the entry points: the fake
library of the tests is compiled against the header, and `CONSTANTS` against its enumerations.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

from headers import check

from kcore_backends_cupy.cublaslt import CONSTANTS, Algorithm, Heuristic

FAKE = Path(__file__).with_name("fake_cublaslt.cc")
MEMBERS = {"algo": "algo", "workspace_size": "workspaceSize", "state": "state", "waves_count": "wavesCount"}


def program() -> str:
    """C++ that compiles only if all of it is so."""
    size, algorithm = ctypes.sizeof(Heuristic), ctypes.sizeof(Algorithm)
    checks = [f"(int){name} == {value}" for name, value in CONSTANTS.items()]
    checks += [f"sizeof(cublasLtMatmulHeuristicResult_t) == {size}", f"sizeof(cublasLtMatmulAlgo_t) == {algorithm}"]
    for ours, theirs in MEMBERS.items():
        checks.append(f"offsetof(cublasLtMatmulHeuristicResult_t, {theirs}) == {getattr(Heuristic, ours).offset}")
    lines = [f'static_assert({check}, "{check}");' for check in checks]
    return "\n".join(["#include <cstddef>", "#include <cublasLt.h>", *lines, ""])


def main(folders: list[str]) -> None:
    check(program(), FAKE, folders)
    print(f"{len(CONSTANTS)} constants, the structures and the entry points are as kcore has them")


if __name__ == "__main__":
    main(sys.argv[1:])
