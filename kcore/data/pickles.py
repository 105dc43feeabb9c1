"""Published arrays (.npz files, pickles), read without running anything that a file says.

A pickle is a program: it may call any function by name. Data sets that were published as pickles, or as .npz files
with arrays of Python lists, hold numbers, strings, lists, dictionaries and NumPy arrays only. So nothing but what
rebuilds an array may be called by name here.
"""

from __future__ import annotations

import codecs
import os
import pickle
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from typing import IO, Any

import numpy as np

from kcore.errors import DataError


def _encode(text: str, encoding: str) -> bytes:
    """Bytes, as Python 3 writes them for Python 2 to read; no other encoding is needed for that."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it encodes text as {encoding!r}")
    return codecs.encode(text, encoding)


#: All that a file may name: what NumPy itself writes for its arrays and scalars.
_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _encode,
}
for _core in ("core", "_core"):  # NumPy's modules were renamed in version 2
    _ALLOWED[f"numpy.{_core}.multiarray", "_reconstruct"] = np.zeros(0).__reduce__()[0]
    _ALLOWED[f"numpy.{_core}.multiarray", "scalar"] = np.float64(0).__reduce__()[0]
    _ALLOWED[f"numpy.{_core}.numeric", "_frombuffer"] = np.zeros(0).__reduce_ex__(5)[0]


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _ALLOWED:
            return _ALLOWED[module, name]
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is no part of an array: it is not data only")


_DAMAGE = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    NotImplementedError,
    OverflowError,
)


def load_pickle(path: str | os.PathLike[str], encoding: str = "bytes") -> Any:
    """The data in a pickle.

    Args:
        path: the file.
        encoding: what becomes of the strings of Python 2: 'bytes' leaves them bytes, 'latin1' makes text of them.

    Returns:
        Numbers, strings, containers and arrays.

    Raises:
        FileNotFoundError, OSError: it cannot be opened.
        DataError (a ValueError): it is damaged, or names anything else; nothing of it has run.
    """
    with open(path, "rb") as file:
        try:
            return _Unpickler(file, encoding=encoding).load()
        except _DAMAGE as error:
            raise unreadable(path, error) from error


#: The sizes of an array: numbers, None for any, or a word: the same word is the same size wherever it stands.
Sizes = tuple[int | str | None, ...]


def load_npz(path: str | os.PathLike[str], names: Sequence[str] | Mapping[str, Sizes] = ()) -> dict[str, np.ndarray]:
    """The arrays of an .npz file; arrays of Python objects may hold lists, numbers, strings and arrays.

    Args:
        path: the file.
        names: arrays that it must have; the others are not read. None given: all are read. A mapping says their sizes
            too: `{"x": ("samples", 28, 28), "y": ("samples",)}`.

    Returns:
        Each array by its name.

    Raises:
        FileNotFoundError, OSError: it cannot be opened.
        DataError (a ValueError): it is damaged, lacks an array, has one of other sizes, or names anything that is not
            data.
    """
    with open(path, "rb") as opened:
        try:
            with zipfile.ZipFile(opened) as archive:
                there = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
                missing = [name for name in names if name not in there]
                if missing:
                    raise DataError(f"{os.fspath(path)} has the arrays {there}, not {missing}: is it another file?")
                arrays = {name: _array(archive, f"{name}.npy") for name in names or there}
        except DataError:
            raise
        except _DAMAGE as error:
            raise unreadable(path, error) from error
    if isinstance(names, Mapping):
        _check_sizes(path, arrays, names)
    return arrays


def _check_sizes(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray], expected: Mapping[str, Sizes]) -> None:
    known: dict[str, int] = {}
    for name, sizes in expected.items():
        shape = arrays[name].shape
        wanted = tuple(known.setdefault(size, n) if isinstance(size, str) else size for size, n in zip(sizes, shape))
        if len(shape) != len(sizes) or any(w not in (None, n) for w, n in zip(wanted, shape)):
            raise DataError(
                f"{os.fspath(path)}: the array {name!r} has the shape {shape}; expected {sizes}"
                + (f" with {known}" if known else "")
                + ". Is it another file?"
            )


def unreadable(path: str | os.PathLike[str], reason: Any) -> DataError:
    """The error for a file of data that cannot be what it should be."""
    return DataError(
        f"{os.fspath(path)} cannot be read: {reason}. Delete it and call again: where it was downloaded, it is "
        "fetched anew"
    )


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(name) as file:
        if not _header(file)[2].hasobject:
            with archive.open(name) as whole:
                return np.lib.format.read_array(whole, allow_pickle=False)
        array = _Unpickler(file, encoding="latin1").load()
    if not isinstance(array, np.ndarray):
        raise pickle.UnpicklingError(f"{name} holds no array")
    return array


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(file)
    raise ValueError(f"an array of the unknown format version {version}")
