"""Matrix decompositions, on one thread of BLAS.

LAPACK's QR makes thousands of small BLAS calls, and their threads wait for each other spinning: two threads gain little
on an idle machine, and on a busy one they made a 2048 x 512 decomposition 20 times slower.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kcore.graph import get_op
from kcore.runtime.blas import single_thread
from kcore.runtime.numpy_kernels.table import numpy_kernel


@numpy_kernel("orthonormal_columns")
def orthonormal_columns(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    portable = get_op("orthonormal_columns").kernel
    (x,), (out,) = ins, outs

    def run() -> None:
        with single_thread():
            portable(ctx.xp, out, x)

    return run
