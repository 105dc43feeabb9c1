"""Compares what kcore knows of cuDNN's recurrent layers with NVIDIA's headers, and prints what holds.

python make_cudnn_rnn.py INCLUDE...      # folders with headers, from NVIDIA's wheels; needs g++, no GPU

They are in nvidia-cudnn-cu13, nvidia-cuda-runtime, nvidia-cuda-crt and nvidia-cuda-cccl for CUDA 13; in
nvidia-cudnn-cu12, nvidia-cuda-runtime-cu12, nvidia-cuda-nvcc-cu12 and nvidia-cuda-cccl-cu12 for CUDA 12.

Values of constants, the parameters of every entry point as ctypes passes them, and the declarations of the fake library
of the tests, which is compiled against the header.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from typing import Any

from headers import check

from kcore_backends_cupy.cudnn_rnn import CONSTANTS, ENTRIES

FAKE = Path(__file__).with_name("fake_cudnn_rnn.cc")

#: Parameters by what is passed: an address, a floating-point number, an integer of so many bytes with or without sign.
NORMAL = """
#include <type_traits>
#include <cudnn.h>
template <int bytes, bool with_sign> struct Integer {};
template <typename T> using number = std::conditional_t<
    std::is_floating_point<T>::value, T, Integer<sizeof(T), std::is_signed<T>::value || std::is_enum<T>::value>>;
template <typename T> using normal = std::conditional_t<std::is_pointer<T>::value, void*, number<T>>;
template <typename... A> struct Parameters {};
template <typename... A> Parameters<normal<A>...> of(cudnnStatus_t (*)(A...));
"""


def parameter(ctype: Any) -> str:
    """A ctypes parameter in C++."""
    if ctype is ctypes.c_float:
        return "float"
    if hasattr(ctype, "contents") or ctype is ctypes.c_void_p:
        return "void*"
    return f"Integer<{ctypes.sizeof(ctype)}, {'true' if ctype(-1).value < 0 else 'false'}>"


def program() -> str:
    """C++ that compiles only if all of it is so."""
    lines = [f'static_assert((int){name} == {value}, "{name}");' for name, value in CONSTANTS.items()]
    for name, parameters in ENTRIES.items():
        kinds = ", ".join(map(parameter, parameters))
        lines.append(f'static_assert(std::is_same<decltype(of(&{name})), Parameters<{kinds}>>::value, "{name}");')
    return "\n".join([NORMAL, *lines, ""])


def main(folders: list[str]) -> None:
    check(program(), FAKE, folders)
    print(f"{len(CONSTANTS)} constants, {len(ENTRIES)} entry points and the fake are as NVIDIA's headers have them")


if __name__ == "__main__":
    main(sys.argv[1:])
