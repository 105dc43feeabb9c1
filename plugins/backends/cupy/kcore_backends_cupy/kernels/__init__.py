"""Kernels of the GPU, by operation; where there is none, the operation's portable kernel runs on CuPy's functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from importlib import import_module
from typing import Any

Bind = Callable[..., Callable[[], Any]]

#: Modules of this package, each with a table `KERNELS`.
MODULES = (
    "added_rows",
    "batch_norm",
    "conv",
    "ctc",
    "cumulative",
    "depthwise",
    "draws",
    "indexing",
    "moving",
    "pool",
    "positions",
    "products",
    "recurrent",
    "recurrent_library",
    "scan",
    "softmax",
)


@cache
def _table() -> dict[str, Bind]:
    from kcore.graph import all_ops
    from kcore_backends_cupy.kernels import reduce, single

    table: dict[str, Bind] = {}
    for name, op in all_ops().items():
        if op.elementwise:
            table[name] = partial(single.elementwise, name=name)
    for name in ("sum", "mean", "prod", "max", "min", "all", "any"):
        table[name] = partial(reduce.reduction, name=name)
    for module in MODULES:
        table |= import_module(f"{__name__}.{module}").KERNELS
    return table


def find_kernel(name: str) -> Bind | None:
    """The bind function of an operation, or None."""
    return _table().get(name)
