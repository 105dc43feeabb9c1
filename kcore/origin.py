"""The user's line: where in his program a node was made, for error messages."""

from __future__ import annotations

import contextlib
import linecache
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import NamedTuple


class Origin(NamedTuple):
    """A place in a program: file, line and function."""

    filename: str
    lineno: int
    function: str

    def __str__(self) -> str:
        source = linecache.getline(self.filename, self.lineno).strip()
        return f"{self.filename}:{self.lineno} in {self.function}" + (f": {source}" if source else "")


_inherited = threading.local()


@contextlib.contextmanager
def inherit(origin: Origin | None) -> Iterator[None]:
    """Within the block, nodes made by this thread get `origin`: those that stand for, or follow from, another."""
    before = getattr(_inherited, "origin", None)
    _inherited.origin = origin
    try:
        yield
    finally:
        _inherited.origin = before


def current_origin() -> Origin | None:
    """The inherited origin, else the innermost frame outside kcore and its plugins; None where there is none."""
    inherited = getattr(_inherited, "origin", None)
    if inherited is not None:
        return inherited
    frame = user_frame()
    return None if frame is None else Origin(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)


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


# What stands between kcore's frames and the user's without being either.
_BETWEEN = frozenset(
    ("contextlib", "functools", "importlib", "importlib._bootstrap", "_frozen_importlib", "_frozen_importlib_external")
)


def _is_ours(frame: FrameType) -> bool:
    """Whether code of kcore or of its plugins runs in a frame, or code of Python that they called it through."""
    name = frame.f_globals.get("__name__") or ""
    return (name.startswith("kcore") and (len(name) == 5 or name[5] in "._")) or name in _BETWEEN
