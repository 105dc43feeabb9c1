"""Matrix products on NumPy."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from kcore.graph import get_op
from kcore.runtime.numpy_kernels.table import numpy_kernel


@numpy_kernel("matmul")
def matmul(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Any:
    """``np.dot`` where it gives the same: half the overhead of ``np.matmul``, which small products feel."""
    (a, b), (out,) = ins, outs
    if a.ndim == b.ndim == 2 and a.dtype == b.dtype == out.dtype and out.flags.c_contiguous:
        return partial(np.dot, a, b, out)
    return get_op("matmul").bind(ctx, outs, ins, attrs)
