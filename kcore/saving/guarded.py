"""What the HDF5 library reads of a file, looked at before it does: for damage on which it never returns.

The library reads long attributes from "global heap collections", blocks of objects one after the other, each with its
length. It walks over them without a check of these lengths: where one of free space is 0, or one goes round the end of
the numbers, it walks on the spot for ever.

    collection: "GCOL", version 1, 3 unused bytes, its size (8 bytes); then objects
    object: index (2 bytes; 0 for free space, the last), references (2), unused (4), size (8), data padded to 8 bytes

The library is given a file whose reads come through here. What is read is scanned for collections, and each is walked
over once, with a check. The values of weights, nearly all of a file, are read past the library where they lie in one
piece: that is faster, and they need no scan.
"""

from __future__ import annotations

import functools
import io
import os
import struct
from typing import Any, BinaryIO

import h5py
import numpy as np

from kcore.errors import DamagedFileError

_START = b"GCOL\x01"
_BEFORE = len(_START) - 1
_HEADER = 16
_BLOCK = 4096  # bytes, of those that small reads are served from; the library reads the same ones often
_MOST_BLOCKS = 4096
_LENGTH_BYTES = 8  # of sizes in the file; its creator could choose another, but none of models does


def check_lengths(file: Any) -> None:
    """Refuse an open `h5py.File` whose lengths have another number of bytes than those this module knows.

    Raises:
        DamagedFileError
    """
    length_bytes = file.id.get_create_plist().get_sizes()[1]
    if length_bytes != _LENGTH_BYTES:
        raise DamagedFileError(f"it keeps lengths in {length_bytes} bytes, and not in {_LENGTH_BYTES}")


def read_values(dataset: Any, array: np.ndarray, file: GuardedFile | None) -> None:
    """Fill an array of a data set's shape and type with its values.

    Args:
        dataset: `h5py.h5d.DatasetID`.
        array: contiguous array.
        file: the one that the library reads; None for one that somebody else opened.
    """
    place = dataset.get_offset()
    in_one_piece = place is not None and dataset.get_storage_size() == array.nbytes
    if file is not None and in_one_piece and dataset.get_type() == _type_in_files(array.dtype):
        file.fill(place, array.reshape(-1).view(np.uint8).data)
    else:
        dataset.read(h5py.h5s.ALL, h5py.h5s.ALL, array)


@functools.cache
def _type_in_files(dtype: np.dtype) -> Any:
    return h5py.h5t.py_create(dtype)


class GuardedGroup(h5py.Group):
    """A group that knows the file through which the library reads it.

    Args:
        bind: `h5py.h5g.GroupID`.
        guard: the file.
    """

    def __init__(self, bind: Any, guard: GuardedFile) -> None:
        super().__init__(bind)
        self.guard = guard


def guard_of(group: Any) -> GuardedFile | None:
    """The file through which a group is read; None where somebody else opened it."""
    return group.guard if isinstance(group, GuardedGroup) else None


class GuardedFile:
    """A file for `h5py.File`, to be read.

    Args:
        file: binary file object that can seek.

    Attributes:
        size: in bytes.

    Raises:
        DamagedFileError: from each read that would let the library walk for ever, or beyond the file's end.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._place = 0
        self.size = file.seek(0, os.SEEK_END)
        # Of a plain file, and not of what only has one, such as a decompressor.
        self._descriptor = file.fileno() if type(file) is io.FileIO and hasattr(os, "preadv") else None
        self._blocks: dict[int, bytearray] = {}
        self._sound: set[int] = set()  # the places of collections that were walked over
        self._objects_left = self.size // _HEADER  # no file has more; those of overlapping collections would add up

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place: from the start, or the end (`os.SEEK_END`)."""
        self._place = self.size + offset if whence == os.SEEK_END else offset
        return self._place

    def tell(self) -> int:
        """The place of the next read."""
        return self._place

    def read(self, size: int = -1) -> bytes:
        """The next `size` bytes; h5py takes objects that have this for files, and calls `readinto`."""
        data = bytearray(self.size - self._place if size < 0 else size)
        self.readinto(data)
        return bytes(data)

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer."""
        wanted = memoryview(buffer).cast("B")
        place, size = self._place, len(wanted)
        if place + size > self.size:
            raise self._ended()
        self._place += size
        number, start = divmod(place, _BLOCK)
        if start + size <= _BLOCK:
            data = self._blocks.get(number) or self._new_block(number)
        else:
            data, start = self._read(place, size), 0
        end = start + _BEFORE + size
        if data.find(_START, start, end) >= 0:
            self._check(data[start:end], place - _BEFORE)
        wanted[:] = memoryview(data)[start + _BEFORE : end]
        return size

    def _new_block(self, number: int) -> bytearray:
        """A block of the file, for the many small reads that find what they want in it."""
        if len(self._blocks) == _MOST_BLOCKS:
            self._blocks.clear()
        place = number * _BLOCK
        block = self._blocks[number] = self._read(place, min(_BLOCK, self.size - place))
        return block

    def _read(self, place: int, size: int) -> bytearray:
        """The `size` bytes at `place`, and the few before, with which the library may join them."""
        data = bytearray(_BEFORE + size)
        before = min(_BEFORE, place)
        self.fill(place - before, memoryview(data)[_BEFORE - before :])
        return data

    def start_at(self, place: int, size: int) -> bytes:
        """The `size` bytes at a place, or as many as there are."""
        data = bytearray(max(0, min(size, self.size - place)))
        if data:
            self.fill(place, memoryview(data))
        return bytes(data)

    def fill(self, place: int, wanted: memoryview) -> None:
        """Fill memory with the bytes at a place, unchecked."""
        if place + len(wanted) > self.size:
            raise self._ended()
        while len(wanted):  # once, but for what is larger than systems read
            count = self._read_at(place, wanted)
            if count == 0:
                raise self._ended()
            place, wanted = place + count, wanted[count:]

    def _read_at(self, place: int, wanted: memoryview) -> int:
        if self._descriptor is not None:
            return os.preadv(self._descriptor, [wanted], place)
        self._file.seek(place)
        if hasattr(self._file, "readinto"):
            return self._file.readinto(wanted) or 0
        data = self._file.read(len(wanted))
        wanted[: len(data)] = data
        return len(data)

    def _ended(self) -> DamagedFileError:
        return DamagedFileError(f"it ends at byte {self.size}, before what it should hold")

    def _check(self, data: bytearray, place: int) -> None:
        """Check the collections that begin in `data`, which is at `place` of the file."""
        found = data.find(_START)
        while found >= 0:
            start = place + found
            if start not in self._sound:
                if not self._ends(start):
                    raise DamagedFileError(f"the objects of the global heap at byte {start} do not end")
                self._sound.add(start)
            found = data.find(_START, found + 1)

    def _ends(self, start: int) -> bool:
        """Whether a walk over the objects of a collection comes to its end."""
        if self.size < start + _HEADER:
            return True  # cut off, which the library sees
        header = bytearray(_HEADER)
        self.fill(start, memoryview(header))
        size = struct.unpack_from("<Q", header, 8)[0]
        if start + size > self.size:
            return True  # cut off too
        data = bytearray(size)
        self.fill(start, memoryview(data))
        place = _HEADER
        while place + _HEADER <= size:
            index, _, _, length = struct.unpack_from("<HHIQ", data, place)
            step = length if index == 0 else _HEADER + -(-length // 8) * 8
            self._objects_left -= 1
            if step == 0 or place + step > size or self._objects_left < 0:
                return False
            place += step
        return True
