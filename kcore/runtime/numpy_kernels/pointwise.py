"""Elementwise operations whose NumPy function is a slow wrapper."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kcore.runtime.numpy_kernels.table import numpy_kernel


@numpy_kernel("clip")
def clip(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    """Two universal functions: ``np.clip`` spends several microseconds on its arguments."""
    (x,), (out,) = ins, outs
    kind = np.iinfo(x.dtype) if x.dtype.kind in "iu" else np.finfo(x.dtype)
    low, high = (np.array(np.clip(attrs[k], kind.min, kind.max), x.dtype) for k in ("low", "high"))

    def run() -> None:
        np.maximum(x, low, out=out)
        np.minimum(out, high, out=out)

    return run
