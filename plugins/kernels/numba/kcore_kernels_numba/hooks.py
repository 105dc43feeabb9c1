"""The hook by which the core finds the kernels. Importing it costs nothing: numba waits until a kernel is bound."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

from kcore.errors import PluginWarning
from kcore.plugins.hookspecs import hookimpl

_KERNELS = {
    "lstm_sequence": "lstm",
    "lstm_sequence_grad": "lstm",
    "gru_sequence": "gru",
    "gru_sequence_grad": "gru",
    "max_pool": "pooling",
    "max_pool_grad": "pooling",
    "avg_pool": "pooling",
    "avg_pool_grad": "pooling",
    "depthwise_conv": "depthwise",
    "depthwise_conv_input_grad": "depthwise",
    "depthwise_conv_kernel_grad": "depthwise",
}


@hookimpl
def kcore_device_kernels(device: str) -> dict[str, Callable[..., Callable[[], Any]]] | None:
    """Kernels of the NumPy device."""
    return {op: functools.partial(_bind, op) for op in _KERNELS} if device == "numpy" else None


def _bind(op: str, ctx: Any, outs: Any, ins: Any, attrs: dict[str, Any]) -> Callable[[], Any]:
    from kcore_kernels_numba.supported import numpy_kernel_of, supports

    module = _compiled(_KERNELS[op]) if supports(op, outs, ins, attrs) else None
    bind = numpy_kernel_of(op) if module is None else getattr(module, op)
    return bind(ctx, outs, ins, attrs)


@functools.cache
def _compiled(module: str) -> ModuleType | None:
    """A module with compiled kernels; None, with a warning, where numba does not work here."""
    try:
        import_module("kcore_kernels_numba.announce")
        return import_module(f"kcore_kernels_numba.{module}")
    except (ImportError, RuntimeError) as error:  # RuntimeError: numba finds no folder for its cache
        warnings.warn(
            f"kcore-kernels-numba is installed but numba does not work here ({error}); NumPy's kernels are used, which "
            "are slower. Upgrade numba, or set NUMBA_CACHE_DIR if that is what it lacks, or uninstall "
            "kcore-kernels-numba.",
            PluginWarning,
            stacklevel=2,
        )
        return None
