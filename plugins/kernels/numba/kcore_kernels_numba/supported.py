"""Which calls the compiled kernels take; the others keep the core's NumPy kernels.

A recurrent op and its gradient must agree, since the reserve that one leaves for the other has a layout of its own
here: the answer depends only on what both of them are given. What pooling leaves for its gradient is the same
everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from kcore.ops.recurrent import named_operands
from kcore.runtime.numpy_kernels import find_kernel

ACTIVATIONS = ("linear", "tanh", "sigmoid", "hard_sigmoid", "relu", "softsign")
"""Activations of gates that are compiled; their places in this tuple are their codes."""

WORTH_IT = 1 << 20
"""Multiplications in all products of a recurrent layer's forward pass below which numba is not worth importing."""

WINDOWS_WORTH_IT = 1 << 19
"""The same for numbers that pooling and depthwise convolution combine."""

VECTOR_BYTES = 64
"""Bytes of the channels of one position from which pooling and depthwise convolution are compiled: a vector's."""


def supports(op: str, outs: Sequence[Any], ins: Sequence[Any], attrs: dict[str, Any]) -> bool:
    """Whether a compiled kernel takes this call of an op."""
    return _supports_sequence(ins, attrs) if "sequence" in op else _supports_windows(op, outs, ins, attrs)


def _supports_sequence(ins: Sequence[Any], attrs: dict[str, Any]) -> bool:
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


def _supports_windows(op: str, outs: Sequence[Any], ins: Sequence[Any], attrs: dict[str, Any]) -> bool:
    arrays = [array for array in (*outs, *ins[:2]) if array is not None]
    taps = prod(attrs["pool"] if "pool" in attrs else attrs.get("kernel_size", ins[1].shape[:-2]))
    numbers = [array for array in arrays if array.dtype != "uint8"]
    return (
        all(array.flags.c_contiguous for array in arrays)
        and all(array.dtype == numbers[0].dtype for array in numbers)  # not so where winners need more than a byte
        and numbers[0].dtype in ("float32", "float64")
        and _multiplier(op, outs, ins) == 1
        and ins[0].shape[-1] * numbers[0].itemsize >= VECTOR_BYTES
        and ins[0].size * taps >= WINDOWS_WORTH_IT
    )


def _multiplier(op: str, outs: Sequence[Any], ins: Sequence[Any]) -> int:
    """Output channels for each input channel."""
    if not op.startswith("depthwise"):
        return 1
    return int((outs[0] if op.endswith("kernel_grad") else ins[1]).shape[-1])


def numpy_kernel_of(op: str) -> Callable[..., Callable[[], Any]]:
    """The core's own kernel of an op."""
    kernel = find_kernel(op)
    assert kernel is not None, op
    return kernel
