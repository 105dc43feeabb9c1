"""A stand-in for CuPy on machines without a GPU: kernels are compiled by g++ and run on the host.

    KCORE_BACKEND=cupy KCORE_CUPY_EMULATE=1 pytest tests/ops

It is for tests and for looking into kernels with a debugger, and slow. The source that runs is the source that a GPU
would run, threads of a block and their barriers included. Arrays offer what CuPy's arrays offer and no more
(`api.json`), do not mix with NumPy's, and no operation on them may happen while a graph is captured. What it cannot
show: races between blocks, alignment, the speed of anything, and CuPy's own mistakes.
"""

from kcore_backends_cupy.emulation.module import make_cupy

__all__ = ["make_cupy"]
