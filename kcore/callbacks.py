"""The door to all callbacks: `from kcore.callbacks import EarlyStopping`."""

from __future__ import annotations

from kcore.plugins.doors import open_door

__getattr__, __dir__ = open_door(__name__, "callbacks")
