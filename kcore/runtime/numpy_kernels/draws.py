"""Random masks on NumPy, without temporary arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kcore.runtime.numpy_kernels.table import numpy_kernel


@numpy_kernel("random_mask")
def random_mask(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    """The numbers of the portable kernel (`kcore.ops.random.RandomMask`)."""
    flat = outs[0].reshape(-1)
    size, words = flat.size, -(-flat.size // 4)
    chosen = ctx.scratch((size,), "bool")
    threshold = round(attrs["keep"] * 65536)
    bound = np.array(min(threshold, 65535), "uint16")
    value = np.array(attrs["value"], flat.dtype)
    stream, bits = attrs["stream"], ctx.random_bits

    def run() -> None:
        np.less(bits(stream, words).view("uint16")[:size], bound, chosen)
        np.multiply(chosen, value, flat)

    def always() -> None:
        flat[...] = value

    return run if size and threshold < 65536 else always
