"""Histograms of values that come in pieces."""

from __future__ import annotations

from typing import Any

import numpy as np
from tensorboardX.proto.summary_pb2 import HistogramProto

# Upper limits of the buckets, those of TensorFlow: each a tenth wider than the one before, on both sides of 0.
_POSITIVE = 1e-12 * 1.1 ** np.arange(776)
_LIMITS = np.concatenate([-_POSITIVE[::-1], [0.0], _POSITIVE, [np.finfo("float64").max]])


class Histogram:
    """Counts values in buckets of exponential width, without keeping the values.

    Attributes:
        count: number of values; those that are not finite are left out.
        least, greatest, total, squares: the smallest and the largest value, their sum, the sum of their squares.
    """

    def __init__(self) -> None:
        self.count = 0
        self.least, self.greatest = np.inf, -np.inf
        self.total = self.squares = 0.0
        self._buckets = np.zeros(len(_LIMITS), "int64")

    def add(self, values: Any) -> Histogram:
        """Count values of any shape; returns the histogram."""
        flat = np.asarray(values).ravel().astype("float64")
        flat = flat[np.isfinite(flat)]
        if flat.size:
            self.count += flat.size
            self.least, self.greatest = min(self.least, flat.min()), max(self.greatest, flat.max())
            self.total += flat.sum()
            self.squares += flat @ flat
            self._buckets += np.bincount(np.searchsorted(_LIMITS, flat), minlength=len(_LIMITS))
        return self

    def message(self) -> HistogramProto:
        """The histogram as TensorBoard reads it: without empty buckets but those beside full ones."""
        full = np.flatnonzero(self._buckets)
        # The bucket before the first full one says where that begins.
        shown = slice(max(full[0] - 1, 0), full[-1] + 1)
        return HistogramProto(
            min=self.least,
            max=self.greatest,
            num=self.count,
            sum=self.total,
            sum_squares=self.squares,
            bucket_limit=_LIMITS[shown].tolist(),
            bucket=self._buckets[shown].tolist(),
        )
