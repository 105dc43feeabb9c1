"""The door to all backends (devices); `kcore.backend` is what programs compute with."""

from __future__ import annotations

from kcore.plugins.doors import open_door

__getattr__, __dir__ = open_door(__name__, "backends")
