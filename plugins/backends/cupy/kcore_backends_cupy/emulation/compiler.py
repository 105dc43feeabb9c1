"""CUDA source compiled by g++, and its kernels run on the host (`host.h`).

The threads of a block run one after the other, or as fibers where they meet at barriers. Where `Mode.checked` is set
every access to memory is looked at: one outside of the arrays of a launch, a misaligned one, and one that races with
that of another thread are errors, as compute-sanitizer's memcheck and racecheck would report them.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kcore_backends_cupy.layout import Span

ORDER = "KCORE_CUPY_EMULATED_ORDER"

_KERNEL = re.compile(r'extern "C" __global__ void (?:__launch_bounds__\((\d+)\) )?(\w+)\(([^)]*)\)')
_OPTIONS = ["-std=c++17", "-O1", "-w", "-ffp-contract=off", "-fPIC", "-fno-math-errno", "-U_FORTIFY_SOURCE"]
# Calls before each access, and not the library that would answer them; vectors are accessed as a whole.
_CHECKED = ["-DK_CHECKED", "-fsanitize=thread", "--param=tsan-instrument-func-entry-exit=0", "-fno-tree-sra"]


def compiler() -> str | None:
    """The path of g++, or None."""
    return shutil.which("g++")


class Mode:
    """What was asked for when the stand-in was last made.

    Attributes:
        checked: whether each access to memory is looked at.
    """

    checked = False


def order() -> int:
    """In which order blocks, and threads between barriers, run: 0 forward, 1 backward, other numbers shuffled."""
    return int(os.environ.get(ORDER, "0"))


class Entry(NamedTuple):
    """A kernel.

    Attributes:
        parameters: ``type name`` each.
        bound: of threads in a block.
    """

    parameters: list[str]
    bound: int


class _Dim(ctypes.Structure):
    _fields_ = (("x", ctypes.c_uint), ("y", ctypes.c_uint), ("z", ctypes.c_uint))

    def __str__(self) -> str:
        return f"({self.x}, {self.y}, {self.z})"


class _Fault(ctypes.Structure):
    """`k_fault` of host.h."""

    _fields_ = (
        *((name, ctypes.c_int) for name in ("kind", "size", "write")),
        ("block", _Dim),
        ("thread", _Dim),
        ("other_block", ctypes.c_uint),
        ("other", ctypes.c_uint),
        ("address", ctypes.c_ulonglong),
    )


class Library:
    """Compiled source.

    Args:
        code: CUDA source.
        checked: whether accesses are looked at.

    Attributes:
        entries: its kernels.
        typedefs: names of types that it has for itself.
        shared_bytes: of shared memory that a block has.
    """

    def __init__(self, code: str, checked: bool):
        self.checked = checked
        found = _KERNEL.findall(code)
        self.entries = {name: Entry([p.strip() for p in given.split(",")], int(n or 1024)) for n, name, given in found}
        self.typedefs = {name: meant for meant, name in re.findall(r"typedef ([\w ]+) (\w+);", code)}
        # PyDLL keeps other threads out: blockIdx and its like are the library's globals.
        self._library = ctypes.PyDLL(str(_compiled(code, checked)))
        self._library.k_shared_bytes.restype = ctypes.c_long
        self._fault = _Fault.in_dll(self._library, "k_fault")
        self.shared_bytes = self._library.k_shared_bytes()

    def run(self, name: str, grid: Sequence[int], block: Sequence[int], args: Sequence[Any], spans: list[Span]) -> None:
        """Run a kernel.

        Args:
            name: of the kernel.
            grid, block: in three dimensions.
            args: as values of ctypes.
            spans: what it may touch.

        Raises:
            RuntimeError: it did what no kernel may.
        """
        pointers = (ctypes.c_void_p * len(args))(*[ctypes.addressof(a) for a in args])
        three = ctypes.c_uint * 3
        flat = [v for pair in _joined(spans) for v in pair]
        ranges = (ctypes.c_ulonglong * len(flat))(*flat)
        run = getattr(self._library, f"{name}__host")
        if not run(three(*grid), three(*block), pointers, ranges, ctypes.c_long(len(flat) // 2), order()):
            raise RuntimeError(f"kernel {name}, grid {tuple(grid)}, block {tuple(block)}: {self._what(spans)}")

    def _what(self, spans: list[Span]) -> str:
        f = self._fault
        who = f"thread {f.thread} of block {f.block}"
        if f.kind == 5:
            return f"{who} waits at the barrier of line {f.size}, thread 0 at that of line {f.other_block} (0: the end)"
        does = f"{who} {'writes' if f.write else 'reads'} {f.size} bytes at {_where(f.address, spans)}"
        if f.kind == 1:
            return f"{does}, outside of the launch's arrays"
        if f.kind == 2:
            return f"{does}, which is not aligned to as many"
        other = "several threads" if f.other >= 2**32 - 2 else f"thread {f.other}"
        whose = "several blocks" if f.other_block >= 2**32 - 2 else f"block {f.other_block}"
        return f"{does}, which {other} of {whose} touched with no barrier between{' (shared)' if f.kind == 4 else ''}"


def _joined(spans: list[Span]) -> list[Span]:
    """Spans in order, those that overlap as one."""
    made: list[Span] = []
    for start, end in sorted(spans):
        if made and start < made[-1][1]:
            made[-1] = made[-1][0], max(end, made[-1][1])
        elif start < end:
            made.append((start, end))
    return made


def _where(address: int, spans: list[Span]) -> str:
    if not spans:
        return hex(address)
    start, end = min(spans, key=lambda s: max(s[0] - address, address - s[1], 0))
    return f"byte {address - start} of an array of {end - start}"


@functools.lru_cache(maxsize=1)
def _folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"kcore-emulation-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to another user")
    return folder


@functools.lru_cache(maxsize=4096)
def compile_source(code: str, checked: bool) -> Library:
    """The library of CUDA source, made once."""
    return Library(code, checked)


def _compiled(code: str, checked: bool) -> Path:
    """The file with the compiled source, which is kept for later processes."""
    text = host_source(code)
    options = [*_OPTIONS, *(_CHECKED if checked else [])]
    path = _folder() / f"{hashlib.sha256(repr((text, options)).encode()).hexdigest()[:32]}.so"
    if not path.exists():
        own = f"{os.getpid()}-{threading.get_ident()}"
        source, made, done = (path.with_suffix(f".{own}.{end}") for end in ("cc", "o", "tmp"))
        source.write_text(text, encoding="utf-8")
        cxx = compiler() or "g++"
        for command in (
            [cxx, *options, "-c", str(source), "-o", str(made)],
            [cxx, "-shared", "-Wl,-Bsymbolic", str(made), "-o", str(done)],
        ):
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            if result.returncode:
                source.unlink()
                raise RuntimeError(f"g++ refuses generated source:\n{result.stderr[:4000]}\n{code[-4000:]}")
        source.unlink()
        made.unlink()
        done.replace(path)
    return path


@functools.lru_cache(maxsize=1)
def _host() -> str:
    return Path(__file__).with_name("host.h").read_text(encoding="utf-8")


def host_source(code: str) -> str:
    """CUDA source with what makes it run on the host."""
    entries = ["static void** k_args;"]
    for _, name, parameters in _KERNEL.findall(code):
        types = [p.strip().rsplit(" ", 1)[0] for p in parameters.split(",")]
        args = ", ".join(f"*({t}*)k_args[{i}]" for i, t in enumerate(types))
        entries.append(
            f"K_HOST void {name}__body() {{ {name}({args}); }}\n"
            f'extern "C" __attribute__((no_sanitize("thread"))) bool {name}__host(const unsigned* grid, '
            "const unsigned* block, void** args, const unsigned long long* ranges, long count, unsigned order) {\n"
            "  k_args = args; k_ranges = ranges; k_range_count = count;\n"
            f"  return k_run_grid(grid, block, order, {name}__body);\n}}"
        )
    return "\n".join(["#define K_MEETS" if "__syncthreads" in code else "", _host(), code, *entries])
