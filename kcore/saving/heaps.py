"""A check of HDF5 files before the HDF5 library sees them, for damage on which the library never returns.

The library reads long attributes from "global heap collections", blocks of objects one after the other, each with its
length. It walks over them without a check of the length of free space: where that is 0 it walks on the spot for ever.

    collection: "GCOL", version 1, 3 zero bytes, its size (8 bytes); then objects
    object: index (2 bytes; 0 for free space, the last), references (2), zero (4), size (8), data padded to 8 bytes
"""

from __future__ import annotations

import mmap
import os
import struct
from typing import Any

from kcore.errors import DamagedFileError

_START = b"GCOL\x01\x00\x00\x00"
_HEADER = 16


def check_heaps(source: Any) -> None:
    """Refuse a file in which the library would walk for ever.

    # Arguments
        source: path, or binary file object that can seek.

    # Raises
        DamagedFileError: there is such a place.
    """
    if not isinstance(source, (str, os.PathLike)):
        if hasattr(source, "seek"):
            position = source.tell()
            source.seek(0)
            _check(source.read())
            source.seek(position)
        return
    with open(source, "rb") as file:
        if os.fstat(file.fileno()).st_size:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                _check(data)


def _check(data: Any) -> None:
    place = data.find(_START)
    while place >= 0:
        if not _ends(data, place):
            raise DamagedFileError(f"the objects of the global heap at byte {place} do not end")
        place = data.find(_START, place + 1)


def _ends(data: Any, start: int) -> bool:
    """Whether a walk over the objects of a collection comes to its end."""
    if len(data) < start + _HEADER:
        return True  # cut off, which the library sees
    end = min(start + struct.unpack_from("<Q", data, start + 8)[0], len(data))
    place = start + _HEADER
    while place + _HEADER <= end:
        index, _, _, size = struct.unpack_from("<HHIQ", data, place)
        if index == 0 and size == 0:
            return False
        place += size if index == 0 else _HEADER + -(-size // 8) * 8
    return True
