"""Says that the compiler is at work: on a terminal nobody should wait for seconds without knowing why."""

from __future__ import annotations

import sys
from typing import Any

from numba.core import event

PACKAGE = __name__.partition(".")[0]


class Announcer(event.Listener):  # type: ignore[misc]
    """Writes a line when the first function of a module is compiled, not when it comes from the cache."""

    def __init__(self) -> None:
        self.told: set[str] = set()

    def on_start(self, event: Any) -> None:
        package, _, module = event.data["dispatcher"].py_func.__module__.partition(".")
        if package == PACKAGE and module not in self.told:
            self.told.add(module)
            if sys.stderr.isatty():
                print(f"kcore: compiling {module} for this machine, which takes seconds, once", file=sys.stderr)

    def on_end(self, event: Any) -> None:
        pass


event.register("numba:compile", Announcer())
