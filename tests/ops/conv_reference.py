"""Convolution and pooling written out as sums over positions: slow, and plain to see through. Channels last."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

Ints = tuple[int, ...]


def positions(lengths: Ints, size: Ints, strides: Ints, padding: Any, dilation: Ints) -> Ints:
    return tuple(
        (n + lo + hi - (k - 1) * d - 1) // s + 1
        for n, k, s, (lo, hi), d in zip(lengths, size, strides, padding, dilation)
    )


def same(lengths: Ints, size: Ints, strides: Ints, dilation: Ints) -> tuple[tuple[int, int], ...]:
    """The rule in TensorFlow's documentation ("Notes on padding")."""
    pairs = []
    for n, k, s, d in zip(lengths, size, strides, dilation):
        extent = (k - 1) * d + 1
        total = max(extent - s, 0) if n % s == 0 else max(extent - n % s, 0)
        pairs.append((total // 2, total - total // 2))
    return tuple(pairs)


def conv(x: np.ndarray, w: np.ndarray, strides: Ints, padding: Any, dilation: Ints) -> np.ndarray:
    size = w.shape[:-2]
    padded = np.pad(x, ((0, 0), *padding, (0, 0)))
    counts = positions(x.shape[1:-1], size, strides, padding, dilation)
    y = np.zeros((x.shape[0], *counts, w.shape[-1]))
    for p in np.ndindex(*counts):
        for t in np.ndindex(*size):
            at = tuple(i * s + j * d for i, s, j, d in zip(p, strides, t, dilation))
            y[(slice(None), *p)] += padded[(slice(None), *at)] @ w[t]
    return y


def depthwise(x: np.ndarray, w: np.ndarray, *window: Any) -> np.ndarray:
    """As an ordinary convolution whose kernel is zero between different channels."""
    channels, multiplier = w.shape[-2:]
    full = np.zeros((*w.shape[:-1], channels * multiplier))
    for c, m in itertools.product(range(channels), range(multiplier)):
        full[..., c, c * multiplier + m] = w[..., c, m]
    return conv(x, full, *window)


def pool(x: np.ndarray, size: Ints, strides: Ints, padding: Any, mode: str) -> np.ndarray:
    counts = positions(x.shape[1:-1], size, strides, padding, (1,) * len(size))
    y = np.zeros((x.shape[0], *counts, x.shape[-1]))
    for p in np.ndindex(*counts):
        where = [slice(None)]
        for i, k, s, (lo, _) in zip(p, size, strides, padding):
            where.append(slice(max(i * s - lo, 0), max(i * s - lo + k, 0)))
        part = x[tuple(where)]
        axes = tuple(range(1, x.ndim - 1))
        y[(slice(None), *p)] = part.max(axes) if mode == "max" else part.mean(axes)
    return y
