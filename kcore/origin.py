"""The user's line: where in his program, and in which layer's call, a node was made; for error messages."""

from __future__ import annotations

import contextlib
import linecache
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import NamedTuple


class Origin(NamedTuple):
    """A place in a program: file, line and function, the layer whose call it led to, and the device of its scope.

    Of a layer inside a model or another layer, the names of both, as in "encoder/dense_1"; None outside of layers.
    The device is a number, or None for the one that runs the plan (see `in_place`).
    """

    filename: str
    lineno: int
    function: str
    layer: str | None = None
    place: int | None = None

    def __str__(self) -> str:
        source = linecache.getline(self.filename, self.lineno).strip()
        return f"{self.filename}:{self.lineno} in {self.function}" + (f": {source}" if source else "")

    def describe(self) -> str:
        """The line, and the layer where there is one, for the text of an error."""
        return f"{self}, for layer {self.layer}" if self.layer else str(self)


class _Local(threading.local):
    origin: Origin | None = None
    layer: str | None = None
    place: int | None = None


_here = _Local()


@contextlib.contextmanager
def inherit(origin: Origin | None) -> Iterator[None]:
    """Within the block, nodes made by this thread get `origin`: those that stand for, or follow from, another."""
    before = _here.origin
    _here.origin = origin
    try:
        yield
    finally:
        _here.origin = before


@contextlib.contextmanager
def in_layer(name: str) -> Iterator[None]:
    """Within the block, the call of a layer, nodes made by this thread belong to it."""
    before = _here.layer
    if before is None:
        _here.layer = name
    elif before.rpartition("/")[2] != name:  # a model that is called runs under its name already
        _here.layer = f"{before}/{name}"
    try:
        yield
    finally:
        _here.layer = before


@contextlib.contextmanager
def in_place(number: int | None) -> Iterator[None]:
    """Within the block, nodes made by this thread, and what is derived from them, run on a device of this number."""
    before = _here.place
    _here.place = number
    try:
        yield
    finally:
        _here.place = before


def current_place() -> int | None:
    """The number of the innermost `in_place`; None outside."""
    return _here.place


def current_origin() -> Origin | None:
    """The inherited origin, else the innermost frame outside kcore and its plugins; None where there is none."""
    if _here.origin is not None:
        return _here.origin
    frame = user_frame()
    if frame is None:
        return None
    return Origin(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name, _here.layer, _here.place)


def user_frame() -> FrameType | None:
    """The innermost frame of the calling thread outside kcore and its plugins; None where there is none."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _is_ours(frame):
        frame = frame.f_back
    return frame


def origin_of(error: BaseException) -> Origin | None:
    """The innermost line outside kcore and its plugins on the way to where `error` was raised, or None."""
    found = None
    entry = error.__traceback__
    while entry is not None:
        if not _is_ours(entry.tb_frame):
            found = Origin(entry.tb_frame.f_code.co_filename, entry.tb_lineno, entry.tb_frame.f_code.co_name)
        entry = entry.tb_next
    return found


# The packages that stand between kcore's frames and the user's without being either.
_BETWEEN = frozenset(
    ("contextlib", "functools", "importlib", "_frozen_importlib", "_frozen_importlib_external", "json", "numpy")
)


def _is_ours(frame: FrameType) -> bool:
    """Whether code of kcore or of its plugins runs in a frame, or code of Python that they called it through."""
    name = frame.f_globals.get("__name__") or ""
    return is_first_party(name) or name.partition(".")[0] in _BETWEEN


def is_first_party(module: str) -> bool:
    """Whether a module of this name is kcore's, or one of its plugins'."""
    return module.startswith("kcore") and (len(module) == 5 or module[5] in "._")
