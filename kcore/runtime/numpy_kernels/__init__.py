"""Kernels for the NumPy device that are faster than the ops' portable ones.

Every module of this package registers its kernels in :mod:`kcore.runtime.numpy_kernels.table`. They are imported
together when the first kernel is asked for, so that importing kcore costs nothing.
"""

from __future__ import annotations

import importlib
import pkgutil

from kcore.runtime.numpy_kernels.table import Bind, numpy_kernel, registered

__all__ = ["Bind", "find_kernel", "numpy_kernel"]

_loaded = False


def find_kernel(name: str) -> Bind | None:
    """The NumPy kernel ``bind(ctx, outs, ins, attrs) -> run`` of the op ``name``, or None if it has none."""
    if not _loaded:
        _load()
    return registered(name)


def _load() -> None:
    global _loaded
    for module in pkgutil.iter_modules(__path__, prefix=__name__ + "."):
        importlib.import_module(module.name)
    _loaded = True
