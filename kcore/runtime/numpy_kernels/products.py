"""Matrix products on NumPy.

OpenBLAS's own threads wait for each other by spinning, which is fine on an idle machine and ruinous on a busy one: on
two cores with a load of 6 a product (128, 784) x (784, 512) took 25 ms with its threads, and 1.4 ms cut in two for
kcore's threads, which sleep while they wait. So large products are cut here, along the longer side of the result (each
thread then reads its own part of the larger operand: half the time where 32 rows meet 16384 columns), and medium ones
stay on one thread.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from kcore.graph import get_op
from kcore.runtime import blas
from kcore.runtime.numpy_kernels.table import numpy_kernel
from kcore.runtime.parallel import parallel_for, thread_count

SPLIT_FLOPS = 32_000_000  # below, waking a thread costs about what it saves
SMALL_FLOPS = 1_000_000  # below, OpenBLAS uses one thread by itself


@numpy_kernel("matmul")
def matmul(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    """``np.dot`` where it gives the same: half the overhead of ``np.matmul``, which small products feel."""
    (a, b), (out,) = ins, outs
    if a.ndim == b.ndim == 2 and a.dtype == b.dtype == out.dtype and out.flags.c_contiguous:
        return bind_product(a, b, out)
    return get_op("matmul").bind(ctx, outs, ins, attrs)


def bind_product(a: Any, b: Any, out: Any) -> Callable[[], Any]:
    """The call that computes the product of two matrices into `out` (contiguous, of their dtype)."""
    flops = 2 * out.size * a.shape[1]
    if flops < SMALL_FLOPS:
        return partial(np.dot, a, b, out)
    longest = max(out.shape)
    parts = min(thread_count(), flops // (SPLIT_FLOPS // 2), longest // 16) if flops >= SPLIT_FLOPS else 1
    if parts < 2:
        return partial(_on_one_thread, a, b, out)
    pieces = []
    for lo, hi in pairwise(longest * part // parts for part in range(parts + 1)):
        tall = out.shape[0] == longest
        pieces.append((a[lo:hi], b, out[lo:hi]) if tall else (a, b[:, lo:hi], out[:, lo:hi]))
    return partial(parallel_for, partial(_some, pieces), parts)


def _on_one_thread(a: Any, b: Any, out: Any) -> None:
    with blas.single_thread():
        np.dot(a, b, out)


def _some(pieces: list[tuple[Any, Any, Any]], lo: int, hi: int) -> None:
    for a, b, out in pieces[lo:hi]:
        np.matmul(a, b, out)  # np.dot writes to contiguous memory only
