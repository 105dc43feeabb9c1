"""CUDA source compiled by g++: the threads of a block run one after the other, or as fibers where they meet.

A kernel without barriers runs thread by thread. In one with `__syncthreads` every thread is a fiber: a barrier hands
over to the next one, and all of a block go on when the last has come.
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
from pathlib import Path
from typing import Any

import numpy as np

_SHIM = r"""
#define KCORE_EMULATED
#define __global__
#define __device__
#define __restrict__ __restrict
#define __launch_bounds__(n)
#define __shared__ static
#define K_INF __builtin_inf()
#define K_NAN __builtin_nan("")
struct k_dim { int x, y, z; };
static k_dim blockIdx, threadIdx, blockDim, gridDim;
extern "C" {
float expf(float); float expm1f(float); float logf(float); float log1pf(float); float sinf(float); float cosf(float);
float tanhf(float); float sqrtf(float); float floorf(float); float ceilf(float); float rintf(float);
float fabsf(float); float fmodf(float, float); float powf(float, float);
double exp(double); double expm1(double); double log(double); double log1p(double); double sin(double);
double cos(double); double tanh(double); double sqrt(double); double floor(double); double ceil(double);
double rint(double); double fabs(double); double fmod(double, double); double pow(double, double);
}
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return (unsigned long long)(((unsigned __int128)a * b) >> 64);
}
static inline double __longlong_as_double(long long bits) { double d; __builtin_memcpy(&d, &bits, 8); return d; }
static inline float k_from_half(unsigned short h) { _Float16 f; __builtin_memcpy(&f, &h, 2); return (float)f; }
static inline unsigned short k_to_half(float f) {
  _Float16 h = (_Float16)f;
  unsigned short b;
  __builtin_memcpy(&b, &h, 2);
  return b;
}
template <typename T> static inline T atomicAdd(T* p, T v) { T old = *p; *p = old + v; return old; }
"""

_FIBERS = r"""
#include <setjmp.h>
#include <ucontext.h>
// A fiber starts by swapcontext and is left and resumed by longjmp, which makes no system call; it serves every block.
static ucontext_t k_main_context, k_context[1024];
static jmp_buf k_main, k_fiber[1024];
static bool k_started[1024], k_ended[1024];
static char* k_stacks;
static int k_now, k_done;
static void (*k_body)();
static void k_leave() { if (!_setjmp(k_fiber[k_now])) _longjmp(k_main, 1); }
static inline void __syncthreads() { k_leave(); }
static void k_entry() {
  for (;;) { k_body(); k_ended[k_now] = true; ++k_done; k_leave(); }
}
static void __attribute__((noinline)) k_resume(int t) {
  const long size = 65536;
  k_now = t;
  threadIdx.x = t % blockDim.x; threadIdx.y = t / blockDim.x % blockDim.y; threadIdx.z = t / blockDim.x / blockDim.y;
  if (_setjmp(k_main)) return;
  if (k_started[t]) _longjmp(k_fiber[t], 1);
  k_started[t] = true;
  if (!k_stacks) k_stacks = new char[1024 * size];
  getcontext(&k_context[t]);
  k_context[t].uc_stack.ss_sp = k_stacks + t * size; k_context[t].uc_stack.ss_size = size; k_context[t].uc_link = 0;
  makecontext(&k_context[t], k_entry, 0);
  swapcontext(&k_main_context, &k_context[t]);
}
static void k_run_block(void (*body)()) {
  int threads = blockDim.x * blockDim.y * blockDim.z;
  k_body = body; k_done = 0;
  for (int t = 0; t < threads; ++t) k_ended[t] = false;
  while (k_done < threads)
    for (int t = 0; t < threads; ++t) if (!k_ended[t]) k_resume(t);
}
"""

_KERNEL = re.compile(r'extern "C" __global__ void (?:__launch_bounds__\(\d+\) )?(\w+)\(([^)]*)\)')


def compiler() -> str | None:
    """The path of g++, or None."""
    return shutil.which("g++")


@functools.lru_cache(maxsize=1)
def _folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"kcore-emulation-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to another user")
    return folder


@functools.lru_cache(maxsize=4096)
def compile_source(code: str) -> ctypes.CDLL:
    """A library with an entry for each kernel of the source."""
    text = host_source(code)
    path = _folder() / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.so"
    if not path.exists():
        own = f"{os.getpid()}-{threading.get_ident()}"
        source, made = path.with_suffix(f".{own}.cc"), path.with_suffix(f".{own}.tmp")
        source.write_text(text, encoding="utf-8")
        command = [compiler() or "g++", "-std=c++17", "-O1", "-w", "-ffp-contract=off", "-shared", "-fPIC",
                   "-fno-math-errno", "-U_FORTIFY_SOURCE", "-Wl,-Bsymbolic", str(source), "-o", str(made)]  # fmt: skip
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        source.unlink()
        if result.returncode:
            raise RuntimeError(f"g++ refuses generated source:\n{result.stderr[:4000]}\n{code[-4000:]}")
        made.replace(path)
    return ctypes.PyDLL(str(path))  # which keeps other threads out: blockIdx and its like are the library's globals


def host_source(code: str) -> str:
    """CUDA source with what makes it run on the host."""
    meets = "__syncthreads" in code
    entries = []
    for name, parameters in _KERNEL.findall(code):
        types = [p.strip().rsplit(" ", 1)[0] for p in parameters.split(",")]
        args = ", ".join(f"*({t}*)k_args[{i}]" for i, t in enumerate(types))
        block = (
            f"k_run_block(+[]() {{ {name}({args}); }});"
            if meets
            else "for (threadIdx.z = 0; threadIdx.z < blockDim.z; ++threadIdx.z)"
            " for (threadIdx.y = 0; threadIdx.y < blockDim.y; ++threadIdx.y)"
            f" for (threadIdx.x = 0; threadIdx.x < blockDim.x; ++threadIdx.x) {name}({args});"
        )
        entries.append(
            f'extern "C" void {name}__host(const int* grid, const int* block, void** args) {{ k_args = args;'
            " gridDim = {grid[0], grid[1], grid[2]}; blockDim = {block[0], block[1], block[2]};"
            " for (blockIdx.z = 0; blockIdx.z < gridDim.z; ++blockIdx.z)"
            " for (blockIdx.y = 0; blockIdx.y < gridDim.y; ++blockIdx.y)"
            f" for (blockIdx.x = 0; blockIdx.x < gridDim.x; ++blockIdx.x) {{ {block} }} }}"
        )
    return "\n".join([_SHIM, _FIBERS if meets else "", code, "static void** k_args;", *entries])


def invoke(library: ctypes.CDLL, name: str, grid: Any, block: Any, args: Any) -> None:
    """Run a kernel."""
    kept: list[Any] = []
    for value in args:
        if hasattr(value, "_a"):
            kept.append(ctypes.c_void_p(value._a.ctypes.data))
        elif isinstance(value, np.generic):
            kept.append((ctypes.c_char * value.itemsize).from_buffer_copy(value.tobytes()))
        else:
            raise TypeError(f"Unsupported type {type(value)}")
    pointers = (ctypes.c_void_p * len(kept))(*[ctypes.addressof(k) for k in kept])
    three = ctypes.c_int * 3
    sizes = [three(*size, *[1] * (3 - len(size))) for size in (grid, block)]
    getattr(library, f"{name}__host")(*sizes, pointers)
