"""Compiles what kcore knows of a library of NVIDIA's against the headers; for the scripts beside it."""

from __future__ import annotations

import subprocess
from pathlib import Path


def check(program: str, fake: Path, folders: list[str]) -> None:
    """Compile a program that is none where something is otherwise, and the fake library of the tests.

    Args:
        program: C++.
        fake: C++, which takes its declarations from the header where `HEADER` is defined.
        folders: with the headers, from NVIDIA's wheels.

    Raises:
        CalledProcessError: g++ refuses one of them.
    """
    command = ["g++", "-std=c++17", "-fsyntax-only", *(f"-I{folder}" for folder in folders)]
    subprocess.run([*command, "-x", "c++", "-"], input=program, text=True, check=True)
    subprocess.run([*command, "-DHEADER", str(fake)], check=True)
