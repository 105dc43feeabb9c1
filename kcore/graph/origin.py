"""The user's line: where in his program a node was made, for error messages."""

from __future__ import annotations

import linecache
import sys
from typing import NamedTuple


class Origin(NamedTuple):
    """A place in a program: file, line and function."""

    filename: str
    lineno: int
    function: str

    def __str__(self) -> str:
        source = linecache.getline(self.filename, self.lineno).strip()
        return f"{self.filename}:{self.lineno} in {self.function}" + (f": {source}" if source else "")


def current_origin() -> Origin | None:
    """The innermost frame outside kcore and its first-party plugins, or None where there is none."""
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_globals.get("__name__") or ""
        if not (name.startswith("kcore") and (len(name) == 5 or name[5] in "._")):
            return Origin(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
        frame = frame.f_back  # type: ignore[assignment]
    return None
