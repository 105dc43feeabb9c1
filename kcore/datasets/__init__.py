"""The door to all data sets: `from kcore.datasets import mnist`."""

from __future__ import annotations

from kcore.plugins.doors import open_door

__getattr__, __dir__ = open_door(__name__, "datasets")
