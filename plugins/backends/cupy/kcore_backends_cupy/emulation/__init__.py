"""A stand-in for CuPy on machines without a GPU: kernels are compiled by g++ and run on the host.

    KCORE_BACKEND=cupy KCORE_CUPY_EMULATE=1 pytest tests/ops

It is for tests and for looking into kernels with a debugger, and slow. The source that runs is the source that a GPU
would run, threads of a block and their barriers included. Arrays offer what CuPy's arrays offer and no more
(`api.json`), do not mix with NumPy's, and no operation on them may happen while a graph is captured. A launch takes
arguments of the kernel's types and sizes that CUDA allows; all threads of a block must come to the same barriers; fresh
memory, shared memory too, holds no numbers.

`KCORE_CUPY_EMULATE=check` looks at each access of a kernel to memory, too: outside of the arrays of the launch (each
value of a plan then has memory of its own), misaligned, or racing with another thread of the block or the grid, it is
an error. `KCORE_CUPY_EMULATED_ORDER` runs blocks, and threads between barriers, backward (1) or shuffled (2, 3, ...).
What none of this can show: the speed of anything, and CuPy's own mistakes.
"""

from kcore_backends_cupy.emulation.module import make_cupy

__all__ = ["make_cupy"]
