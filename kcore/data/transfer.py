"""Batches on their way from a worker process, through shared memory.

A pipe would copy a batch four times (pickle, write, read, unpickle), two of them in the process that trains.
Here the worker writes the arrays into a file in memory, only a short header goes through the pipe, and the
receiver maps the file: its arrays are that memory. The memory goes when the last of them goes.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import pickle
import tempfile
from typing import Any

INLINE_BYTES = 1 << 17  # below this a file costs more than a copy
_ALIGNMENT = 64

Message = tuple[bytes, list[Any], str | None]


def make_folder() -> str:
    """A fresh private folder, in memory where the system has such a place."""
    memory = "/dev/shm"
    usable = os.path.isdir(memory) and os.access(memory, os.W_OK)
    return tempfile.mkdtemp(prefix=f"kcore-data-{os.getpid()}-", dir=memory if usable else None)


def pack(value: Any, folder: str) -> Message:
    """`value` as a small message; its large arrays lie in a file in `folder`."""
    buffers: list[pickle.PickleBuffer] = []
    header = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    raws = [b.raw() for b in buffers]
    if sum(raw.nbytes for raw in raws) >= INLINE_BYTES:
        with contextlib.suppress(OSError):  # no room left in that place: then through the pipe
            return header, *_write(raws, folder)
    return header, [bytes(raw) for raw in raws], None


def unpack(message: Message) -> Any:
    """The value of a message; large arrays are views of memory that they keep alive."""
    header, parts, path = message
    if path is None:
        return pickle.loads(header, buffers=[bytearray(part) for part in parts])
    with open(path, "r+b") as file:
        memory = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_WRITE))
    with contextlib.suppress(OSError):  # where a mapped file cannot be removed, it goes with its folder
        os.unlink(path)
    return pickle.loads(header, buffers=[memory[offset : offset + size] for offset, size in parts])


def _write(raws: list[memoryview], folder: str) -> tuple[list[tuple[int, int]], str]:
    parts: list[tuple[int, int]] = []
    handle, path = tempfile.mkstemp(dir=folder)
    try:
        with open(handle, "wb", buffering=0) as file:
            offset = 0
            for raw in raws:
                file.seek(offset)
                written = 0
                while written < raw.nbytes:
                    written += file.write(raw[written:])
                parts.append((offset, raw.nbytes))
                offset += -(-raw.nbytes // _ALIGNMENT) * _ALIGNMENT
    except OSError:
        os.unlink(path)
        raise
    return parts, path
