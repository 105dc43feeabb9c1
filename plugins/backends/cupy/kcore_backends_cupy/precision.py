"""How exactly float32 is computed: a choice of the user, made in one place for every library that a kernel calls."""

from __future__ import annotations

import os

from kcore import config


def tf32_allowed() -> bool:
    """Whether float32 products and convolutions may use TF32 (8 bits of exponent, 10 of mantissa; sums in float32).

    The choice is `"tf32"` in kcore.json or `KCORE_TF32`, by default off: float32 means float32. `CUPY_TF32`, which
    CuPy reads for its own products, counts where kcore's variable says nothing.
    """
    if not os.environ.get("KCORE_TF32") and os.environ.get("CUPY_TF32", "0") == "1":
        return True
    return config.tf32()


def tell_cupy() -> None:
    """Let CuPy's own products follow; it reads the variable once, at its import."""
    os.environ["CUPY_TF32"] = "1" if tf32_allowed() else "0"
