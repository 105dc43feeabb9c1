"""The door to all preprocessing: `from kcore.preprocessing.image import ImageDataGenerator`."""

from __future__ import annotations

from kcore.plugins.doors import open_door

__getattr__, __dir__ = open_door(__name__, "preprocessing")
