"""The door to wrappers for other libraries: `from kcore.wrappers.scikit_learn import KerasClassifier`."""

from __future__ import annotations

from kcore.plugins.doors import open_door

__getattr__, __dir__ = open_door(__name__, "wrappers")
