"""Which calls the compiled kernels take; the others keep the core's NumPy kernels.

A forward op and its gradient must agree, since the reserve that one leaves for the other has a layout of its own here:
the answer depends only on what both of them are given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kcore.ops.recurrent import named_operands
from kcore.runtime.numpy_kernels import find_kernel

ACTIVATIONS = ("linear", "tanh", "sigmoid", "hard_sigmoid", "relu", "softsign")
"""Activations of gates that are compiled; their places in this tuple are their codes."""

WORTH_IT = 1 << 20
"""Multiplications in all products of a forward pass below which importing numba is not worth its time."""


def supports(ins: Sequence[Any], attrs: dict[str, Any]) -> bool:
    """Whether a compiled kernel takes a sequence op, or the gradient of one, with these inputs and attributes."""
    named = named_operands(ins, attrs)
    batch, steps, _ = named["x"].shape
    return (
        named["x"].dtype == "float32"
        and attrs["activation"] in ACTIVATIONS
        and attrs["recurrent_activation"] in ACTIVATIONS
        and "input_dropout" not in named
        and "recurrent_dropout" not in named
        and batch * steps * (named["kernel"].size + named["recurrent"].size) >= WORTH_IT
    )


def numpy_kernel_of(op: str) -> Callable[..., Callable[[], Any]]:
    """The core's own kernel of an op."""
    kernel = find_kernel(op)
    assert kernel is not None, op
    return kernel
