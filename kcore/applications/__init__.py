"""The door to all applications: `from kcore.applications.vgg16 import VGG16`."""

from __future__ import annotations

from kcore.plugins.doors import open_door

__getattr__, __dir__ = open_door(__name__, "applications")
