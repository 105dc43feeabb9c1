"""Rows of array-likes: NumPy arrays in memory, HDF5 data sets on disk, sparse matrices.

Data on disk are never loaded whole: a range of them is a `Rows`, and only the rows of a batch are read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


class Rows:
    """A range of rows of an array-like that stays where it is.

    Args:
        data: anything with `shape`, and indexing by slices and sorted index arrays.
        start, stop: the range.
        column: present one-dimensional data as (rows, 1).
    """

    def __init__(self, data: Any, start: int = 0, stop: int | None = None, column: bool = False) -> None:
        self._data = data
        self._start = start
        self._column = column
        stop = data.shape[0] if stop is None else stop
        self.shape = (max(0, stop - start), *data.shape[1:], *((1,) if column else ()))
        self.dtype = getattr(data, "dtype", None)

    def __len__(self) -> int:
        return int(self.shape[0])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[0 : len(self)], dtype)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            start, stop, step = key.indices(len(self))
            key = slice(self._start + start, self._start + stop, step)
        else:
            key = self._start + np.asarray(key)
        rows = _dense(self._data[key])
        return rows[..., None] if self._column else rows


def take_range(array: Any, start: int, stop: int) -> Any:
    """Rows `start` to `stop`, still where they are: a view, or `Rows`."""
    return array[start:stop] if isinstance(array, np.ndarray) else Rows(array, start, stop)


def take_rows(array: Any, index: np.ndarray) -> np.ndarray:
    """The rows at `index`, in that order, in memory.

    Data sets on disk want increasing indices; a run of neighbours is read as one slice.
    """
    if isinstance(array, np.ndarray):
        return array.take(index, axis=0)
    if not len(index):
        return _dense(array[0:0])
    if index[-1] - index[0] == len(index) - 1 and (np.diff(index) == 1).all():
        return _dense(array[int(index[0]) : int(index[-1]) + 1])
    order = np.argsort(index, kind="stable")
    rows = _dense(array[index[order]])
    result = np.empty_like(rows)
    result[order] = rows
    return result


def write(arrays: Sequence[Any], targets: Sequence[Any]) -> None:
    """Write whole array-likes into arrays of their shapes, converting their dtypes."""
    for array, target in zip(arrays, targets, strict=True):
        target[...] = array if type(array) is np.ndarray else _dense(array[0 : array.shape[0]])


def range_reader(array: Any) -> Callable[[int, int, Any], None]:
    """A function ``(start, stop, out)`` that writes rows of `array` into `out`, converting their dtype."""
    if isinstance(array, np.ndarray):

        def read(start: int, stop: int, out: Any) -> None:
            out[...] = array[start:stop]

    else:

        def read(start: int, stop: int, out: Any) -> None:
            out[...] = _dense(array[start:stop])

    return read


def index_reader(array: Any, order: np.ndarray) -> Callable[[int, int, Any], None]:
    """As `range_reader`, of the rows at ``order[start:stop]``; `order` may change between calls."""
    if isinstance(array, np.ndarray):
        dtype, take = array.dtype, array.take

        def read(start: int, stop: int, out: Any) -> None:
            if type(out) is np.ndarray and out.dtype == dtype:
                # "clip" spares NumPy a buffer; all indices are valid
                take(order[start:stop], 0, out, "clip")
            else:
                out[...] = take(order[start:stop], 0)

    else:

        def read(start: int, stop: int, out: Any) -> None:
            out[...] = take_rows(array, order[start:stop])

    return read


def _dense(rows: Any) -> np.ndarray:
    return rows.toarray() if hasattr(rows, "toarray") else np.asarray(rows)
