"""Convolution kernels as files have them: for layers that convert their own weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np


def kernel_from_file(
    kernel: Any,
    shape: tuple[int, ...],
    keras_version: str,
    backend: str | None,
    channels_first: bool = False,
    transposed: bool = False,
) -> Any:
    """A kernel in the order of axes and the orientation that Keras 2 has on TensorFlow.

    Keras 1 kept kernels as ``(filters, channels, *window)`` for channels first, and those over time as images of
    width 1. Theano computes true convolutions: its kernels are those of a correlation, flipped.

    Args:
        kernel: array, as the file has it.
        shape: ``(*window, channels, filters)``, the kernel's shape in the layer.
        keras_version, backend: what wrote the file.
        channels_first: the data format of the layer, which decides where several orders of axes fit.
        transposed: whether it is the kernel of a transposed convolution, ``(*window, filters, channels)``.

    Returns:
        The kernel; one that fits in no known order is returned as it is, and refused when shapes are compared.
    """
    kernel = np.asarray(kernel)
    rank = len(shape) - 2
    if rank == 1 and kernel.ndim == 4:
        kernel = _without_width(kernel, shape)
    if kernel.ndim == len(shape):
        orders = _orders(rank, keras_version.split(".")[0] == "1", channels_first, transposed)
        fitting = (order for order in orders if tuple(kernel.shape[axis] for axis in order) == tuple(shape))
        kernel = kernel.transpose(next(fitting, tuple(range(kernel.ndim))))
    if backend == "theano" and kernel.ndim == len(shape):
        kernel = np.flip(kernel, axis=tuple(range(rank)))
    return np.ascontiguousarray(kernel)


def _without_width(kernel: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A kernel over time of Keras 1: `(window, 1, channels, filters)` or `(filters, channels, window, 1)`."""
    if kernel.shape[1] == 1 and kernel[:, 0].shape == tuple(shape):
        return kernel[:, 0]
    return kernel[..., 0].transpose(2, 1, 0) if kernel.shape[3] == 1 else kernel


def _orders(rank: int, keras_1: bool, channels_first: bool, transposed: bool) -> Iterator[tuple[int, ...]]:
    """The orders of axes to try, the likeliest first."""
    window = tuple(range(rank))
    same = (*window, rank, rank + 1)
    if keras_1:
        windows_last = tuple(range(2, rank + 2))
        last = (*window, rank + 1, rank) if transposed else same
        first = (*windows_last, 0, 1) if transposed else (*windows_last, 1, 0)
        yield from (first, last) if channels_first else (last, first)
    yield same
    if rank == 2:
        yield (3, 2, 0, 1)  # early Keras 2 on other backends
