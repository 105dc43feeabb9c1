"""`HDF5Matrix`: rows of a data set in an HDF5 file, read when they are used."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np

from kcore.errors import ArgumentError, DataError


class HDF5Matrix:
    """A range of rows of an HDF5 data set, used like an array and never loaded whole. Manual, section 20.2.

    It may be given to `fit`, `evaluate` and `predict` (with `shuffle='batch'` or False, rows are read as
    neighbours, which is much faster), and to worker processes: each opens the file for itself.

    Args:
        datapath: path of the file.
        dataset: name of the data set in it.
        start, end: the range of rows; by default all. Negative ones count from the end.
        normalizer: function that is given each array of rows that is read, and returns what is used instead.

    Raises:
        FileNotFoundError, OSError: the file is missing or cannot be read.
        DataError (a ValueError): it has no such data set.
        ArgumentError (a ValueError): `start` and `end` are no range of it.

    Example:
        >>> x = HDF5Matrix("train.h5", "images", start=0, end=1000, normalizer=lambda rows: rows / 255)
        >>> model.predict(x, batch_size=32)
    """

    def __init__(
        self,
        datapath: str | os.PathLike[str],
        dataset: str,
        start: int = 0,
        end: int | None = None,
        normalizer: Callable[[np.ndarray], Any] | None = None,
    ) -> None:
        self.datapath = os.fspath(datapath)
        self.dataset = dataset
        self.normalizer = normalizer
        self._file: h5py.File | None = None
        self._process = 0
        rows = self.data.shape[0]
        self.start, self.end, _ = slice(start, end).indices(rows)
        if self.end < self.start or (end is not None and end > rows):
            raise ArgumentError(
                f"start={start}, end={end} is not a range of the {rows} rows of '{dataset}' in {self.datapath}"
            )

    @property
    def data(self) -> Any:
        """The whole `h5py.Dataset`."""
        if self._file is None or self._process != os.getpid():
            # A handle that came through fork() shares its position with the parent's: open the file anew.
            self._file = h5py.File(self.datapath, "r")
            self._process = os.getpid()
        found = self._file.get(self.dataset)
        if not isinstance(found, h5py.Dataset) or not found.shape:
            raise DataError(
                f"{self.datapath} has no data set with rows named '{self.dataset}'. It has: {sorted(self._file)}"
            )
        return found

    def close(self) -> None:
        """Closes the file, which is opened again when rows are read."""
        if self._file is not None and self._process == os.getpid():
            self._file.close()
        self._file = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_file": None}

    # --- as an array ---------------------------------------------------------------------------------------
    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the range, before `normalizer`."""
        return (self.end - self.start, *self.data.shape[1:])

    @property
    def dtype(self) -> np.dtype:
        """Type of the data set's numbers, before `normalizer`."""
        return self.data.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape))

    def __len__(self) -> int:
        return self.end - self.start

    def __getitem__(self, key: Any) -> Any:
        rows = self._read(key)
        return rows if self.normalizer is None else self.normalizer(rows)

    def _read(self, key: Any) -> Any:
        if isinstance(key, slice):
            start, stop, step = key.indices(len(self))
            if step > 0:
                return self.data[self.start + start : self.start + max(start, stop) : step]
            key = np.arange(start, stop, step)
        if isinstance(key, (int, np.integer)):
            return self.data[int(self._absolute(np.asarray(key)))]
        if isinstance(key, (list, tuple, np.ndarray)):
            return self._read_rows(np.asarray(key))
        raise IndexError(f"HDF5Matrix takes an int, a slice, or an array of ints as index, not {key!r}")

    def _read_rows(self, key: np.ndarray) -> np.ndarray:
        if key.dtype == bool:
            key = np.flatnonzero(key)
        if not key.size:
            return self.data[self.start : self.start]
        # HDF5 reads rows in increasing order, each once.
        rows, places = np.unique(self._absolute(key), return_inverse=True)
        if rows[-1] - rows[0] == len(rows) - 1:
            return self.data[int(rows[0]) : int(rows[-1]) + 1][places]
        return self.data[rows][places]

    def _absolute(self, key: np.ndarray) -> np.ndarray:
        if key.dtype.kind not in "iu":
            raise IndexError(f"HDF5Matrix takes ints as indices, not {key.dtype}")
        if key.max() >= len(self) or key.min() < -len(self):
            raise IndexError(f"row {key.max() if key.max() >= len(self) else key.min()} is outside of {len(self)} rows")
        return np.where(key < 0, self.end + key, self.start + key)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype)

    def __repr__(self) -> str:
        return f"<HDF5Matrix '{self.dataset}' {self.shape} of {self.datapath}>"
